/// Walks a comma-separated list of tokens (RFC 9110 §5.6.1): empty elements are skipped, white space around is not part.
struct TokenList {
    enum Element {
        case token(ByteRange)
        /// Something that is no token stands between two commas.
        case other
    }

    private var cursor: Int
    private let end: Int

    init(_ value: ByteRange) {
        cursor = value.range.lowerBound
        end = value.range.upperBound
    }

    /// The next element; nil at the end. All calls together look at each byte of the value at most twice.
    mutating func next(in bytes: RawSpan) -> Element? {
        while cursor < end, bytes.byte(cursor).isListSpace || bytes.byte(cursor) == ASCII.comma { cursor += 1 }
        guard cursor < end else { return nil }
        let start = cursor
        var hasUnderscore = false
        cursor = bytes.endOfToken(from: cursor, to: end, hasUnderscore: &hasUnderscore)
        let token = ByteRange(start, cursor)
        while cursor < end, bytes.byte(cursor).isListSpace { cursor += 1 }
        guard cursor == end || bytes.byte(cursor) == ASCII.comma, !token.isEmpty else { return .other }
        return .token(token)
    }
}

extension UInt8 {
    fileprivate var isListSpace: Bool { self == ASCII.space || self == ASCII.tab }
}
