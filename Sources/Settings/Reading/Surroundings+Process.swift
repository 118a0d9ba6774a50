#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension Surroundings {
    /// No file that belongs to a configuration is longer than this many bytes.
    package static let maximumFileBytes = 16 * 1024 * 1024

    /// This process's environment and the file system.
    package static let process = Surroundings(
        environment: { name in
            // `getenv` races with `setenv` only, which nothing in this program calls.
            guard let value = unsafe getenv(name) else { return nil }
            return unsafe String(cString: value)
        },
        readFile: { path in
            // Opening a pipe that nobody writes to would wait for somebody who does; reading from one does not.
            let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
            guard descriptor >= 0 else {
                return errno == ENOENT ? .missing : .unreadable(reason(errno))
            }
            defer { close(descriptor) }
            guard fcntl(descriptor, F_SETFL, 0) == 0 else { return .unreadable(reason(errno)) }
            var contents: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 65_536)
            while true {
                // The buffer is as long as its count says.
                let count = unsafe chunk.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count >= 0 else { return .unreadable(reason(errno)) }
                if count == 0 { return .bytes(contents) }
                contents.append(contentsOf: chunk.prefix(count))
                guard contents.count <= maximumFileBytes else {
                    return .unreadable("it is longer than \(maximumFileBytes) bytes")
                }
            }
        },
        now: { Int64(time(nil)) })

    private static func reason(_ code: Int32) -> String {
        guard let text = unsafe strerror(code) else { return "error \(code)" }
        return unsafe String(cString: text)
    }
}
