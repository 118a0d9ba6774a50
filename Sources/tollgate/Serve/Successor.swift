import Glibc
import Reactor

/// The process that is to take the place of this one: the same command, from whatever file its name leads to by now.
struct Successor {
    /// Why there is none.
    enum Failure: Error, CustomStringConvertible {
        /// As process 1 of a container: it ends with this process, and the successor with it.
        case isFirstProcess
        case cannotStart(String, code: Int32)

        var description: String {
            switch self {
            case .isFirstProcess:
                "this is process 1, with which everything in its container ends; replace the container instead"
            case .cannotStart(let program, let code):
                // Unsafe: strerror returns a C string that is valid until the next call on this thread; it is copied.
                unsafe "\(program) cannot be started: \(String(cString: strerror(code)))"
            }
        }
    }

    /// What has become of it.
    enum News: Sendable {
        case nothing
        /// It takes requests.
        case ready
        /// In words.
        case ended(String)
    }

    let pid: pid_t
    /// It writes a byte when it is ready.
    private let channel: Int32

    /// Starts it with this process's arguments and environment, and with the sockets.
    init(_ sockets: [ListeningSocket]) throws(Failure) {
        guard getpid() != 1 else { throw .isFirstProcess }
        var ends: [Int32] = [-1, -1]
        // Unsafe: writes exactly two descriptors into the array during the call.
        guard unsafe pipe(&ends) == 0 else { throw .cannotStart("pipe", code: errno) }
        let (channel, other) = (ends[0], ends[1])
        for end in [channel, other] {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        defer { close(other) }
        let arguments = CommandLine.arguments
        let program = arguments.first ?? "tollgate"
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        // Signals that are ignored here, because events stand for them, must not be ignored there from the beginning.
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        for number in [SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGPIPE] { unsafe sigaddset(&signals, number) }
        unsafe posix_spawnattr_setsigdefault(&attributes, &signals)
        unsafe posix_spawnattr_setflags(
            &attributes, Int16(truncatingIfNeeded: POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        // All that it gets lies in a row. Copied up before, so that no place is taken before it has been read.
        let first = STDERR_FILENO + 1
        let end = first + Int32(sockets.count) + 1
        var copies: [Int32] = []
        defer { for copy in copies { close(copy) } }
        for (place, descriptor) in zip(first..<end, [other] + sockets.map(\.descriptor)) {
            let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, end)
            guard copy >= 0 else {
                close(channel)
                throw .cannotStart("dup", code: errno)
            }
            copies.append(copy)
            unsafe posix_spawn_file_actions_adddup2(&actions, copy, place)
        }
        var pid = pid_t()
        let environment = Self.environment + [Inheritance.environment(first..<end)]
        let code = unsafe Self.withStrings(arguments) { arguments in
            unsafe Self.withStrings(environment) { environment in
                unsafe posix_spawnp(&pid, program, &actions, &attributes, arguments, environment)
            }
        }
        guard code == 0 else {
            close(channel)
            throw .cannotStart(program, code: code)
        }
        self.pid = pid
        self.channel = channel
    }

    /// What has become of it so far. After anything but `nothing`, ask no more.
    func news() -> News {
        var byte: UInt8 = 0
        // Unsafe: fills the one byte during the call.
        if unsafe read(channel, &byte, 1) == 1 {
            close(channel)
            return .ready
        }
        var status: Int32 = 0
        // Unsafe: fills the one number during the call.
        guard unsafe waitpid(pid, &status, WNOHANG) == pid else { return .nothing }
        close(channel)
        let signal = status & 0x7f
        return .ended(signal == 0 ? "exit status \(status >> 8 & 0xff)" : "signal \(signal)")
    }

    /// Calls it off.
    func cancel() { _ = Glibc.kill(pid, SIGTERM) }

    /// Ends it at once.
    func kill() { _ = Glibc.kill(pid, SIGKILL) }

    private static var environment: [String] {
        var strings: [String] = []
        var next = unsafe environ
        // Unsafe: the list ends with a null pointer; nobody changes the environment after the start.
        while let text = unsafe next.pointee {
            strings.append(unsafe String(cString: text))
            unsafe next = next.successor()
        }
        return strings
    }

    /// A list of C strings with its end, for the time of the call.
    @unsafe
    private static func withStrings(
        _ strings: [String], _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Int32
    ) -> Int32 {
        var copies = unsafe strings.map { unsafe strdup($0) }
        unsafe copies.append(nil)
        defer { unsafe copies.forEach { unsafe free($0) } }
        return unsafe copies.withUnsafeBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return EINVAL }
            return unsafe body(base)
        }
    }
}
