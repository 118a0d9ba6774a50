import Glibc

/// Reads the lines of one audit file from its beginning, in bounded memory.
struct AuditLineReader: ~Copyable {
    /// What a run of bytes in an audit file is.
    enum Kind {
        /// A line that ended in a line feed.
        case whole
        /// The rest of the file after the last line feed.
        case torn
        /// Bytes without a line feed, more than any record has; the rest of the file was not looked at.
        case tooLong
    }

    private static let chunk = 128 << 10

    private let descriptor: AuditDescriptor
    private let path: String

    init(path: String) throws(AuditError) {
        descriptor = try AuditDescriptor(path: path, flags: O_RDONLY)
        self.path = path
    }

    /// Hands each line, without its line feed, to `body` until that returns false or the file ends.
    ///
    /// Returns false when `body` ended it.
    func forEachLine(_ body: (Span<UInt8>, Kind) -> Bool) throws(AuditError) -> Bool {
        var offset: Int64 = 0
        var rest: [UInt8] = []
        while true {
            let fresh = try descriptor.read(count: AuditLineReader.chunk, offset: offset, path: path)
            offset += Int64(fresh.count)
            let known = rest.count
            rest.append(contentsOf: fresh)
            var start = 0
            var search = known
            while let end = rest[search...].firstIndex(of: UInt8(ascii: "\n")) {
                guard body(rest.span.extracting(start..<end), .whole) else { return false }
                start = end + 1
                search = start
            }
            rest.removeFirst(start)
            if fresh.count < AuditLineReader.chunk { break }
            if rest.count > TailScanner.maximumLine { return body(rest.span, .tooLong) }
        }
        return rest.isEmpty || body(rest.span, .torn)
    }
}

/// The files a path stands for: itself, or the audit files in it, oldest first.
struct AuditFiles {
    let paths: [String]
    let isDirectory: Bool

    /// Without `since` all files; with it, those that can hold records of that instant or later.
    init(at path: String, since: Int64? = nil) throws(AuditError) {
        var status = stat()
        // Unsafe: stat fills this one structure during the call.
        guard unsafe stat(path, &status) == 0 else {
            throw .system(operation: "open", path: path, code: errno)
        }
        isDirectory = status.st_mode & S_IFMT == S_IFDIR
        guard isDirectory else {
            paths = [path]
            return
        }
        let directory = AuditDirectory(path: path)
        let names = try directory.list()
        guard !names.isEmpty else { throw .noFiles(path: path) }
        // A file is closed before the first record of the next day; one day more allows for a clock that was set.
        let firstDay = since.map { AuditTime.day(of: $0) - 1 } ?? Int64.min
        paths = names.filter { $0.day >= firstDay }.map { directory.path(of: $0) }
    }

    /// The audit file before the one at `path`, in the same directory.
    static func predecessor(of path: String) -> String? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard let last = parts.last, let name = AuditFileName(String(last)) else { return nil }
        let directory = AuditDirectory(path: parts.count == 1 ? "." : parts.dropLast().joined(separator: "/"))
        guard let before = try? directory.list().last(where: { $0 < name }) else { return nil }
        return directory.path(of: before)
    }
}
