import Control

import Glibc

/// The two streams of a command, unbuffered: what was written is seen, also through a pipe.
enum Console {
    static func out(_ line: String) {
        write(Array((line + "\n").utf8), to: STDOUT_FILENO)
    }

    /// A line of bytes as they are.
    static func out(_ line: Span<UInt8>) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(line.count + 1)
        for index in line.indices { bytes.append(line[index]) }
        bytes.append(UInt8(ascii: "\n"))
        write(bytes, to: STDOUT_FILENO)
    }

    static func error(_ line: String) {
        write(Array((line + "\n").utf8), to: STDERR_FILENO)
    }
}
