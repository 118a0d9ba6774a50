#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What tells one version of a file from the next without reading it.
package struct FileStamp: Sendable, Equatable {
    private let device: UInt64
    private let inode: UInt64
    private let size: Int64
    private let seconds: Int64
    private let nanoseconds: Int64

    /// The stamp of the file, following links, or nil where there is none.
    package init?(path: String) {
        var status = stat()
        // `stat` fills the one value that the pointer names, within the call.
        guard unsafe stat(path, &status) == 0 else { return nil }
        device = UInt64(truncatingIfNeeded: status.st_dev)
        inode = UInt64(truncatingIfNeeded: status.st_ino)
        size = Int64(status.st_size)
        seconds = Int64(status.st_mtim.tv_sec)
        nanoseconds = Int64(status.st_mtim.tv_nsec)
    }
}

/// Looks at a few files each second and says when one changed, appeared or went.
///
/// Polling sees what inotify does not: renames over a link, network mounts, Kubernetes' swapped folders.
package final class FileWatch: Sendable {
    private let loop: Task<Void, Never>

    /// - Parameters:
    ///   - paths: what to watch; asked for anew each time, since a reload may change it.
    ///   - sleep: waits from one look to the next.
    ///   - onChange: called once for all changes of one look.
    package init(
        paths: @escaping @Sendable () -> [String],
        stamp: @escaping @Sendable (String) -> FileStamp? = { FileStamp(path: $0) },
        sleep: @escaping @Sendable () async throws -> Void = { try await Task.sleep(for: .seconds(1)) },
        onChange: @escaping @Sendable ([String]) async -> Void
    ) {
        loop = Task {
            var known: [String: FileStamp?] = [:]
            while !Task.isCancelled {
                var changed: [String] = []
                var seen: [String: FileStamp?] = [:]
                for path in paths() {
                    let now = stamp(path)
                    if let before = known[path], before != now { changed.append(path) }
                    seen[path] = .some(now)
                }
                known = seen
                if !changed.isEmpty { await onChange(changed) }
                do { try await sleep() } catch { return }
            }
        }
    }

    package func stop() {
        loop.cancel()
    }

    deinit {
        stop()
    }
}
