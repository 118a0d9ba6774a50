import Glibc

/// A small file that several processes may change: one at a time, and whoever reads sees the old or the new, whole.
package struct LockedFile: Sendable {
    /// What failed, where, and the system's reason.
    package struct Failure: Error, Sendable, CustomStringConvertible {
        package let description: String

        init(_ action: String, _ path: String, _ code: Int32 = errno) {
            description = "\(path) cannot be \(action): \(systemReason(code))."
        }
    }

    package let path: String
    private let directory: String

    package init(path: String) {
        self.path = path
        let folders = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        directory =
            folders.isEmpty ? "." : folders.count == 1 && folders[0].isEmpty ? "/" : folders.joined(separator: "/")
    }

    /// Replaces the content with what `change` makes of it, under a lock that every user of this type respects.
    ///
    /// The new content is durable when this returns. The file is readable by its owner only; run by root, it keeps the
    /// owner it had, or takes that of its directory, so that the gateway can still read it. Blocks while another
    /// process holds the lock.
    ///
    /// - Parameter change: gets the present bytes, empty where there is no file; nil leaves everything as it is.
    package func update(_ change: ([UInt8]) throws -> [UInt8]?) throws {
        try makeDirectories()
        let lock = try open(path + ".lock", O_RDWR | O_CREAT | O_CLOEXEC, "locked")
        defer { close(lock) }
        while flock(lock, LOCK_EX) != 0 {
            guard errno == EINTR else { throw Failure("locked", path) }
        }
        guard let content = try change(try read()) else { return }
        try replace(with: content)
    }

    /// The present bytes; empty where there is no file.
    package func read() throws -> [UInt8] {
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return [] }
            throw Failure("read", path)
        }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var part = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            // The kernel writes at most as many bytes as the buffer has.
            let count = unsafe part.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if count == 0 { return content }
            if count > 0 {
                content += part[..<count]
            } else if errno != EINTR {
                throw Failure("read", path)
            }
        }
    }

    private func replace(with content: [UInt8]) throws {
        let temporary = "\(path).new"
        let descriptor = try open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, "written")
        defer { close(descriptor) }
        guard fchmod(descriptor, 0o600) == 0 else { throw Failure("written", temporary) }
        keepOwner(of: descriptor)
        var rest = content[...]
        while !rest.isEmpty {
            // The kernel reads the bytes within the call and keeps no pointer.
            let count = unsafe rest.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                throw Failure("written", temporary)
            }
        }
        guard fsync(descriptor) == 0 else { throw Failure("written", temporary) }
        guard unsafe rename(temporary, path) == 0 else { throw Failure("replaced", path) }
        let folder = unsafe Glibc.open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return }
        fsync(folder)
        close(folder)
    }

    private func keepOwner(of descriptor: Int32) {
        guard geteuid() == 0 else { return }
        var status = stat()
        // `stat` fills the one value that the pointer names, within the call.
        guard unsafe stat(path, &status) == 0 || stat(directory, &status) == 0 else { return }
        fchown(descriptor, status.st_uid, status.st_gid)
    }

    private func makeDirectories() throws {
        var made = directory.utf8.first == UInt8(ascii: "/") ? "" : "."
        for part in directory.split(separator: "/") where part != "." {
            made += "/\(part)"
            guard unsafe mkdir(made, 0o750) == 0 || errno == EEXIST else { throw Failure("made", made) }
        }
    }

    private func open(_ path: String, _ flags: Int32, _ action: String) throws -> Int32 {
        let descriptor = unsafe Glibc.open(path, flags, 0o600)
        guard descriptor >= 0 else { throw Failure(action, path) }
        return descriptor
    }
}
