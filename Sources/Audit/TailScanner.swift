/// Finds the last whole line of a file from its end, and how many bytes of an unfinished line follow it.
///
/// A value without I/O: it says which bytes it wants next, from the end towards the beginning, and is fed them. Memory
/// is bounded by one chunk and one line, however long the unfinished rest is.
package struct TailScanner: Sendable {
    /// What the end of a file looks like.
    package enum Finding: Sendable, Equatable {
        /// The last whole line is a sealed record; `tornBytes` follow it.
        case record(SealedLine, tornBytes: Int64)
        /// There is no whole line; all bytes are torn.
        case none(tornBytes: Int64)
        /// The last whole line, which begins at or after this offset, is no audit record.
        case unreadable(offset: Int64)
    }

    /// A line longer than this is none of ours: the longest record, its seal and something to spare.
    package static let maximumLine = 64 << 10

    private let fileSize: Int64
    private let chunk: Int
    private var position: Int64
    private var lineEnd: Int64?
    private var collected: [UInt8] = []

    /// The answer, as soon as there is one.
    package private(set) var finding: Finding?

    /// A scan of a file of `fileSize` bytes in steps of `chunk`.
    package init(fileSize: Int64, chunk: Int = 32 << 10) {
        self.fileSize = max(fileSize, 0)
        self.chunk = max(chunk, 1)
        position = self.fileSize
        if position == 0 { finding = Finding.none(tornBytes: 0) }
    }

    /// The bytes to feed next; nil when there is an answer.
    package var wanted: (offset: Int64, count: Int)? {
        guard finding == nil else { return nil }
        let count = min(Int64(chunk), position)
        return (position - count, Int(count))
    }

    /// Takes the bytes of `wanted`. Fewer of them (the file shrank meanwhile) end the scan as unreadable.
    package mutating func feed(_ bytes: [UInt8]) {
        guard let wanted else { return }
        guard bytes.count == wanted.count else {
            finding = .unreadable(offset: wanted.offset)
            return
        }
        position = wanted.offset
        var fresh = bytes[...]
        if lineEnd == nil {
            guard let last = bytes.lastIndex(of: UInt8(ascii: "\n")) else {
                if position == 0 { finding = Finding.none(tornBytes: fileSize) }
                return
            }
            lineEnd = position + Int64(last)
            fresh = bytes[..<last]
        }
        if let before = fresh.lastIndex(of: UInt8(ascii: "\n")) {
            collected.insert(contentsOf: fresh[(before + 1)...], at: 0)
            finish(lineStart: position + Int64(before) + 1)
        } else {
            collected.insert(contentsOf: fresh, at: 0)
            if position == 0 || collected.count > TailScanner.maximumLine { finish(lineStart: position) }
        }
    }

    private mutating func finish(lineStart: Int64) {
        if let line = SealedLine(collected.span), let lineEnd {
            finding = .record(line, tornBytes: fileSize - lineEnd - 1)
        } else {
            finding = .unreadable(offset: lineStart)
        }
        collected = []
    }
}

extension AuditDescriptor {
    /// Reads the end of a file; see `TailScanner`.
    func scanTail(path: String) throws(AuditError) -> TailScanner.Finding {
        var scanner = TailScanner(fileSize: try size(path: path))
        while let wanted = scanner.wanted {
            scanner.feed(try read(count: wanted.count, offset: wanted.offset, path: path))
        }
        return scanner.finding ?? .none(tornBytes: 0)
    }
}
