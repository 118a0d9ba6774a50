import Control

import Glibc

/// The two streams of a command, unbuffered: what was written is seen, also through a pipe.
///
/// A command whose output nobody gets has failed, whatever it did.
enum Console {
    static func out(_ line: String) {
        out(Array((line + "\n").utf8))
    }

    /// A line of bytes as they are.
    static func out(_ line: Span<UInt8>) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(line.count + 1)
        for index in line.indices { bytes.append(line[index]) }
        bytes.append(UInt8(ascii: "\n"))
        out(bytes)
    }

    /// Text as it is, with its own line ends.
    static func out(_ bytes: [UInt8]) {
        guard !write(bytes, to: STDOUT_FILENO) else { return }
        error("Error: standard output cannot be written.")
        exit(EXIT_FAILURE)
    }

    static func error(_ line: String) {
        write(Array((line + "\n").utf8), to: STDERR_FILENO)
    }
}
