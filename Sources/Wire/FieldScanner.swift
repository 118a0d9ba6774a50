/// Cuts a field section into field lines, resumable at any byte (RFC 9112 §5).
///
/// The scanner remembers where it stopped and in what part of a line, so that bytes are looked at once however they
/// arrive, and so that a wrong byte is refused on sight instead of at the end of the head.
struct FieldScanner: Sendable {
    enum Event {
        /// All bytes are consumed and the section goes on.
        case incomplete
        /// A field line is complete. Its kind is known, its nomination is not.
        case field(Field)
        /// The empty line is complete; `cursor` stands after it.
        case end
        case malformed(FieldDefect)
    }

    private enum State: Sendable {
        case lineStart, name, leadingSpace, value, lineFeed, lastLineFeed
    }

    /// Where scanning continues, as an offset from the head's first byte.
    var cursor = 0
    private var state = State.lineStart
    private var lineStart = 0
    private var hasUnderscore = false
    private var fieldCount = 0
    private var name = ByteRange.empty
    private var kind = FieldKind.other
    private var valueStart = 0

    /// A scanner of the field section that begins at an offset.
    init(at offset: Int = 0) {
        cursor = offset
    }

    /// Scans up to the next field line, the end of the section, or the end of the bytes.
    ///
    /// - Parameter bytes: the head so far, cut off at `limits.maximumHeadBytes`.
    @inline(__always)
    mutating func next(_ bytes: RawSpan, limits: HeadLimits) -> Event {
        let end = bytes.byteCount
        while cursor < end {
            switch state {
            case .lineStart:
                if bytes.byte(cursor) == ASCII.carriageReturn {
                    state = .lastLineFeed
                    cursor += 1
                    continue
                }
                if fieldCount >= limits.maximumFields { return .malformed(.tooManyFields) }
                lineStart = cursor
                hasUnderscore = false
                state = .name
                fallthrough
            case .name:
                let lineLimit = lineStart + limits.maximumFieldBytes
                cursor = bytes.endOfToken(from: cursor, to: min(end, lineLimit), hasUnderscore: &hasUnderscore)
                if cursor >= lineLimit { return .malformed(.fieldTooLarge) }
                if cursor >= end { return .incomplete }
                if bytes.byte(cursor) != ASCII.colon || cursor == lineStart { return .malformed(nameDefect(bytes)) }
                name = ByteRange(lineStart, cursor)
                kind = FoldedName.kind(of: name, in: bytes, hasUnderscore: hasUnderscore)
                cursor &+= 1
                valueStart = cursor
                state = .leadingSpace
                fallthrough
            case .leadingSpace:
                while cursor < end, bytes.byte(cursor) == ASCII.space || bytes.byte(cursor) == ASCII.tab {
                    cursor &+= 1
                }
                valueStart = cursor
                if cursor &- lineStart > limits.maximumFieldBytes { return .malformed(.fieldTooLarge) }
                if cursor >= end { return .incomplete }
                state = .value
                fallthrough
            case .value:
                let lineLimit = lineStart &+ limits.maximumFieldBytes &+ 1
                cursor = bytes.endOfValue(from: cursor, to: min(end, lineLimit))
                if cursor >= lineLimit { return .malformed(.fieldTooLarge) }
                if cursor >= end { return .incomplete }
                switch bytes.byte(cursor) {
                case ASCII.carriageReturn: break
                case ASCII.lineFeed: return .malformed(.bareLF)
                default: return .malformed(.badFieldValue)
                }
                cursor &+= 1
                state = .lineFeed
                if cursor >= end { return .incomplete }
                fallthrough
            case .lineFeed:
                if bytes.byte(cursor) != ASCII.lineFeed { return .malformed(.bareCR) }
                cursor += 1
                state = .lineStart
                fieldCount += 1
                return .field(field(bytes))
            case .lastLineFeed:
                if bytes.byte(cursor) != ASCII.lineFeed { return .malformed(.bareCR) }
                cursor += 1
                return .end
            }
        }
        return .incomplete
    }

    /// The line that ends at the cursor, its value freed of the white space after it.
    @inline(__always)
    private func field(_ bytes: RawSpan) -> Field {
        var valueEnd = cursor - 2
        while valueEnd > valueStart {
            let byte = bytes.byte(valueEnd - 1)
            if byte != ASCII.space && byte != ASCII.tab { break }
            valueEnd -= 1
        }
        return Field(
            name: name, value: ByteRange(valueStart, valueEnd), end: UInt32(clamping: cursor), kind: kind,
            isNominated: false)
    }

    /// What is wrong with a name that the byte at the cursor ended.
    @inline(never)
    private func nameDefect(_ bytes: RawSpan) -> FieldDefect {
        switch bytes.byte(cursor) {
        case ASCII.space, ASCII.tab: cursor == lineStart ? .obsoleteFold : .whitespaceBeforeColon
        case ASCII.lineFeed: .bareLF
        case ASCII.carriageReturn: .missingColon
        default: .badFieldName
        }
    }
}
