import Glibc

/// The number of files and sockets this process may have open.
enum FileDescriptors {
    /// Raises the soft limit to the hard one and returns it; each proxied connection needs two.
    @discardableResult
    static func raiseLimit() -> UInt64 {
        var limit = rlimit()
        // The system reads and writes the one value that the pointer names, within the calls.
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 0 }
        let before = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        return unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
            ? UInt64(limit.rlim_max) : UInt64(before)
    }
}
