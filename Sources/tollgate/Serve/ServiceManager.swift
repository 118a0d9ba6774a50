import Glibc

/// What systemd is told, where it asks for it (sd_notify(3)).
enum ServiceManager {
    /// Requests are taken.
    static func ready() { tell("READY=1") }

    /// Another process is the service's main one from now on.
    static func isReplaced(by pid: pid_t) { tell("MAINPID=\(pid)") }

    private static func tell(_ message: String) {
        // Unsafe: the C string is copied before anything can change the environment.
        guard let path = unsafe getenv("NOTIFY_SOCKET").map({ unsafe Array(String(cString: $0).utf8) }) else { return }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard let first = path.first, path.count < room else { return }
        // Unsafe: writes as many bytes as were just compared with the room.
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { room in
            unsafe room.copyBytes(from: path)
            // A name that begins with @ is none of the file system: there it begins with a zero.
            if first == UInt8(ascii: "@") { unsafe room[0] = 0 }
        }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size - room + path.count)
        let socket = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return }
        defer { close(socket) }
        let bytes = Array(message.utf8)
        // Unsafe: address and message are read during the call. Nothing depends on whether it succeeds.
        _ = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe sendto(socket, bytes, bytes.count, Int32(truncatingIfNeeded: MSG_NOSIGNAL), $0, length)
            }
        }
    }
}
