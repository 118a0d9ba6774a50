import Glibc
import Reactor

/// What a process is started with by the one whose place it takes, or by the system's service manager: listening sockets.
struct Inheritance {
    /// `PID:descriptor:descriptor,descriptor…`, from the process before: who it is, where it wants to be told that this one
    /// is ready, and the sockets.
    private static let variable = "TOLLGATE_SOCKETS"
    /// Descriptors of systemd begin here (sd_listen_fds(3)).
    private static let firstOfManager: Int32 = 3
    private static let maximumOfManager: Int32 = 1024

    let sockets: [ListeningSocket]
    /// Whether the sockets are those of a process whose place this one takes, be it there or not.
    let isSuccessor: Bool
    /// The process that goes on until this one is ready. Nil for sockets of the service manager, and without any.
    let predecessor: Predecessor?
    /// Descriptors that are no listening TCP sockets.
    let strangers: [Int32]

    /// Takes what is there. Once only: who is started by this process must not take it for its own.
    static func take() -> Inheritance {
        keepFromSuccessors()
        let own = value(of: variable)
        let (manager, count) = (value(of: "LISTEN_PID"), value(of: "LISTEN_FDS"))
        for name in [variable, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] { unsafe unsetenv(name) }
        if let own, let (predecessor, descriptors) = parse(own) {
            // Who has died meanwhile needs no relief; its sockets are as good as before.
            return Inheritance(
                descriptors, isSuccessor: true, predecessor: predecessor.isThere ? predecessor : nil)
        }
        guard let manager, pid_t(manager) == getpid(), let count = count.flatMap({ Int32($0) }), count > 0 else {
            return Inheritance([])
        }
        return Inheritance(Array(firstOfManager..<firstOfManager + min(count, maximumOfManager)))
    }

    /// Whatever else this process was started with is not for those that it starts; what it opens itself is not anyway.
    private static func keepFromSuccessors() {
        // Unsafe: the stream is used by this call alone and closed below.
        guard let stream = unsafe opendir("/proc/self/fd") else { return }
        defer { unsafe closedir(stream) }
        // Unsafe: an entry is valid until the next readdir; its name is a C string within the entry and copied here.
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if let descriptor = Int32(name), descriptor > STDERR_FILENO { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
        }
    }

    private init(_ descriptors: [Int32], isSuccessor: Bool = false, predecessor: Predecessor? = nil) {
        var sockets: [ListeningSocket] = []
        var strangers: [Int32] = []
        for descriptor in Set(descriptors).sorted() {
            if let socket = ListeningSocket(inheriting: descriptor) {
                sockets.append(socket)
            } else {
                strangers.append(descriptor)
            }
        }
        self.sockets = sockets
        self.isSuccessor = isSuccessor
        self.predecessor = predecessor
        self.strangers = strangers
    }

    /// The variable for a process that gets these descriptors from this one: first the end of a pipe, to say that it is
    /// ready, then the sockets.
    static func environment(_ descriptors: Range<Int32>) -> String {
        let texts = descriptors.map { "\($0)" }
        return "\(variable)=\(getpid()):\(texts.prefix(1).joined()):\(texts.dropFirst().joined(separator: ","))"
    }

    private static func parse(_ text: String) -> (Predecessor, [Int32])? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 3, let pid = pid_t(parts[0]), let channel = Int32(parts[1]), channel > STDERR_FILENO else {
            return nil
        }
        let descriptors = parts[2].split(separator: ",").compactMap { Int32($0) }.filter { $0 > STDERR_FILENO }
        return (Predecessor(pid: pid, channel: channel), descriptors)
    }

    private static func value(of name: String) -> String? {
        // Unsafe: the C string is copied before anything can change the environment.
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}

/// The process whose place this one takes.
struct Predecessor: Sendable {
    let pid: pid_t
    fileprivate let channel: Int32

    /// Whether it has not ended.
    var isThere: Bool { getppid() == pid }

    /// Says that this process is ready, so that the other one may go. Once only.
    func relieve() {
        var byte: UInt8 = 1
        // Unsafe: reads one byte during the call. Where it fails there is nobody left to be told.
        _ = unsafe write(channel, &byte, 1)
        close(channel)
    }
}
