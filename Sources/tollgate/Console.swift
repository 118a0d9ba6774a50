import Control

import Glibc

/// The two streams of a command, unbuffered: what was written is seen, also through a pipe.
enum Console {
    static func out(_ line: String) {
        write(Array((line + "\n").utf8), to: STDOUT_FILENO)
    }

    static func error(_ line: String) {
        write(Array((line + "\n").utf8), to: STDERR_FILENO)
    }
}
