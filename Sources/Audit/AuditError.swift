import Glibc

/// What can go wrong with an audit trail, in words that name the place and the way out.
package enum AuditError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A system call failed; `code` is its errno.
    case system(operation: String, path: String, code: Int32)
    /// Another process (or another writer of this one) holds the directory's lock.
    case directoryInUse(path: String)
    /// The newest file ends in a whole line that is no audit record, so that the chain cannot be continued.
    case unreadableTail(path: String, offset: Int64)
    /// Nothing to verify or to query.
    case noFiles(path: String)

    /// The errno that says the same.
    var code: Int32 {
        switch self {
        case .system(_, _, let code): code
        case .directoryInUse: EBUSY
        case .unreadableTail: EILSEQ
        case .noFiles: ENOENT
        }
    }

    package var description: String {
        switch self {
        case .system(let operation, let path, let code):
            // Unsafe: strerror returns a C string that is valid until the next call on this thread; it is copied here.
            let reason = unsafe String(cString: strerror(code))
            return "audit: \(operation)\(path.isEmpty ? "" : " \(path)"): \(reason)"
        case .directoryInUse(let path):
            return "audit: \(path) is in use by another gateway; give each gateway an audit directory of its own"
        case .unreadableTail(let path, let offset):
            return "audit: the last line of \(path), at byte \(offset), is no audit record; "
                + "run 'tollgate audit verify' on it, then move the directory away and start with an empty one"
        case .noFiles(let path):
            return "audit: no audit-YYYYMMDD-NNNN.jsonl files in \(path)"
        }
    }
}
