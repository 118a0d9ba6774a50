/// Decodes the chunked transfer coding, resumable at any byte (RFC 9112 §7.1).
///
/// It yields ranges of the bytes it was given and copies no content. Extensions and trailers are checked and dropped, unless it
/// is told to keep the trailers.
/// Framing bytes are bounded: a size has at most 64 digits, extensions cost at most as much as the content they come
/// with and a fixed allowance, a trailer section at most `maximumTrailerBytes`.
struct ChunkDecoder: Sendable {
    enum Event: Sendable {
        /// All bytes are consumed and the body goes on.
        case incomplete
        /// Content: so many bytes that end at the offset.
        case data(count: Int)
        /// The body is complete; the offset stands after it.
        case end
        case malformed(MalformedBody)
    }

    private enum State: Sendable {
        case sizeStart, size, sizeSpace
        case extensionStart, extensionName, extensionNameSpace, extensionValueStart, extensionValue
        case extensionQuoted, extensionEscape, extensionQuotedEnd, extensionSpace
        case sizeLineFeed, data, dataReturn, dataLineFeed
        case trailerStart, trailerName, trailerValue, trailerLineFeed, lastLineFeed, end
    }

    /// More digits than any size needs, leading zeros included.
    private static let maximumSizeDigits = 64
    private static let maximumExtensionBytes = 256
    /// What extensions may cost beyond the content itself before they count as an attack (the CVE-2023-39326 class).
    private static let extensionAllowance: Int64 = 4096
    private static let maximumTrailerBytes = 8192

    private var state = State.sizeStart
    private var digits = 0
    /// Bytes still to come of the current chunk.
    private var remaining: Int64 = 0
    private var extensionBytes = 0
    private var allExtensionBytes: Int64 = 0
    private var trailerBytes = 0
    /// Content that chunk sizes have announced so far.
    private(set) var announced: Int64 = 0

    /// The lines of the trailer section so far, each with its end; nil when they are dropped.
    private(set) var trailers: [UInt8]?

    init(keepsTrailers: Bool = false) {
        if keepsTrailers { trailers = [] }
    }

    /// Decodes on from an offset, which is moved past what was consumed; never beyond the end of the body.
    @inline(__always)
    mutating func next(_ bytes: RawSpan, at offset: inout Int) -> Event {
        let end = bytes.byteCount
        while offset < end {
            if state == .data {
                let count = Int(min(remaining, Int64(end - offset)))
                offset += count
                remaining -= Int64(count)
                if remaining == 0 { state = .dataReturn }
                return .data(count: count)
            }
            if state == .end { return .end }
            if let defect = step(bytes.byte(offset)) { return .malformed(defect) }
            offset += 1
        }
        return state == .end ? .end : .incomplete
    }

    /// Takes one byte of framing.
    private mutating func step(_ byte: UInt8) -> MalformedBody? {
        switch state {
        case .sizeStart:
            guard let digit = byte.hexadecimalValue else { return .badChunkSize }
            remaining = Int64(digit)
            digits = 1
            extensionBytes = 0
            state = .size
        case .size:
            return stepSize(byte)
        case .sizeSpace, .extensionStart, .extensionName, .extensionNameSpace, .extensionValueStart, .extensionValue,
            .extensionQuoted, .extensionEscape, .extensionQuotedEnd, .extensionSpace:
            return stepExtension(byte)
        case .sizeLineFeed:
            if byte != ASCII.lineFeed { return .badLineEnd }
            let (sum, overflowed) = announced.addingReportingOverflow(remaining)
            if overflowed { return .chunkTooLong }
            announced = sum
            state = remaining == 0 ? .trailerStart : .data
        case .dataReturn:
            if byte != ASCII.carriageReturn { return .badChunkEnd }
            state = .dataLineFeed
        case .dataLineFeed:
            if byte != ASCII.lineFeed { return .badChunkEnd }
            state = .sizeStart
        case .trailerStart, .trailerName, .trailerValue, .trailerLineFeed, .lastLineFeed:
            return stepTrailer(byte)
        case .data, .end:
            break
        }
        return nil
    }

    private mutating func stepSize(_ byte: UInt8) -> MalformedBody? {
        if let digit = byte.hexadecimalValue {
            digits += 1
            if digits > Self.maximumSizeDigits || remaining > Int64.max &>> 4 { return .chunkTooLong }
            remaining = remaining &<< 4 | Int64(digit)
            return nil
        }
        switch byte {
        case ASCII.carriageReturn: state = .sizeLineFeed
        case ASCII.semicolon: state = .extensionStart
        case ASCII.space, ASCII.tab: state = .sizeSpace
        case ASCII.lineFeed: return .badLineEnd
        default: return .badChunkSize
        }
        return nil
    }

    /// RFC 9112 §7.1.1: `*( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] )`.
    private mutating func stepExtension(_ byte: UInt8) -> MalformedBody? {
        if byte == ASCII.carriageReturn {
            if state == .sizeSpace { return .badChunkSize }
            guard state == .extensionName || state == .extensionValue || state == .extensionQuotedEnd else {
                return .badExtension
            }
            state = .sizeLineFeed
            return nil
        }
        extensionBytes += 1
        allExtensionBytes += 1
        if extensionBytes > Self.maximumExtensionBytes { return .extensionTooLong }
        if allExtensionBytes - Self.extensionAllowance > announced { return .extensionTooLong }
        guard let next = Self.afterExtensionByte(byte, in: state) else {
            return byte == ASCII.lineFeed ? .badLineEnd : .badExtension
        }
        state = next
        return nil
    }

    private static func afterExtensionByte(_ byte: UInt8, in state: State) -> State? {
        let isSpace = byte == ASCII.space || byte == ASCII.tab
        let isToken = ByteClass.token.contains(byte)
        switch state {
        case .sizeSpace:
            if byte == ASCII.semicolon { return .extensionStart }
            return isSpace ? .sizeSpace : nil
        case .extensionStart:
            return isSpace ? .extensionStart : isToken ? .extensionName : nil
        case .extensionName, .extensionNameSpace:
            if isSpace { return .extensionNameSpace }
            if byte == ASCII.equals { return .extensionValueStart }
            if byte == ASCII.semicolon { return .extensionStart }
            return isToken && state == .extensionName ? .extensionName : nil
        case .extensionValueStart:
            return isSpace
                ? .extensionValueStart : byte == ASCII.quote ? .extensionQuoted : isToken ? .extensionValue : nil
        case .extensionValue, .extensionQuotedEnd, .extensionSpace:
            if isSpace { return .extensionSpace }
            if byte == ASCII.semicolon { return .extensionStart }
            return isToken && state == .extensionValue ? .extensionValue : nil
        case .extensionQuoted:
            if byte == ASCII.quote { return .extensionQuotedEnd }
            if byte == ASCII.backslash { return .extensionEscape }
            return byte.isForbiddenInValue ? nil : .extensionQuoted
        case .extensionEscape:
            return byte.isForbiddenInValue ? nil : .extensionQuoted
        case .sizeStart, .size, .sizeLineFeed, .data, .dataReturn, .dataLineFeed, .trailerStart, .trailerName,
            .trailerValue, .trailerLineFeed, .lastLineFeed, .end:
            return nil
        }
    }

    /// RFC 9112 §7.1.2. Trailers are held to the syntax of field lines, and none is ever merged into a head.
    private mutating func stepTrailer(_ byte: UInt8) -> MalformedBody? {
        if state == .lastLineFeed {
            if byte != ASCII.lineFeed { return .badLineEnd }
            state = .end
            return nil
        }
        if state == .trailerStart && byte == ASCII.carriageReturn {
            state = .lastLineFeed
            return nil
        }
        trailerBytes += 1
        if trailerBytes > Self.maximumTrailerBytes { return .trailersTooLarge }
        trailers?.append(byte)
        switch state {
        case .trailerName where byte == ASCII.colon:
            state = .trailerValue
        case .trailerStart, .trailerName:
            guard ByteClass.token.contains(byte) else { return .badTrailer }
            state = .trailerName
        case .trailerValue where byte == ASCII.carriageReturn:
            state = .trailerLineFeed
        case .trailerValue:
            if byte.isForbiddenInValue { return .badTrailer }
        case .trailerLineFeed:
            if byte != ASCII.lineFeed { return .badTrailer }
            state = .trailerStart
        case .sizeStart, .size, .sizeSpace, .extensionStart, .extensionName, .extensionNameSpace,
            .extensionValueStart, .extensionValue, .extensionQuoted, .extensionEscape, .extensionQuotedEnd,
            .extensionSpace, .sizeLineFeed, .data, .dataReturn, .dataLineFeed, .lastLineFeed, .end:
            break
        }
        return nil
    }
}
