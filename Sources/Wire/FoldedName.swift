/// A field name as words that can be compared eight bytes at a time: lower-cased, zero after its end.
///
/// Names are recognised by their length and one to four comparisons, without String, hashing or a table in memory.
struct FoldedName {
    /// Longer names can only match by their beginning.
    private static let capacity = 32

    private var words: (UInt64, UInt64, UInt64, UInt64)
    private let count: Int

    /// A name of token characters as it stands in a head.
    @inline(__always)
    init(_ name: ByteRange, in bytes: RawSpan) {
        let lower = Int(name.lower)
        count = name.count
        words = (
            bytes.foldedWord(lower, count: count),
            count > 8 ? bytes.foldedWord(lower &+ 8, count: count &- 8) : 0,
            count > 16 ? bytes.foldedWord(lower &+ 16, count: count &- 16) : 0,
            count > 24 ? bytes.foldedWord(lower &+ 24, count: count &- 24) : 0
        )
    }

    /// The same name as an upstream reads it that takes `_` for `-`.
    private init(dashing name: ByteRange, in bytes: RawSpan) {
        let lower = Int(name.lower)
        count = name.count
        var dashed: [4 of UInt64] = [0, 0, 0, 0]
        for index in 0..<min(count, Self.capacity) {
            let byte = bytes.byte(lower &+ index)
            let folded = byte == ASCII.underscore ? ASCII.hyphen : byte | 0x20
            dashed[index &>> 3] |= UInt64(folded) &<< UInt64(8 * (index & 7))
        }
        words = (dashed[0], dashed[1], dashed[2], dashed[3])
    }

    /// What a name is.
    ///
    /// - Parameter hasUnderscore: whether the name holds `_`, which costs a second look for look-alikes.
    @inline(__always)
    static func kind(of name: ByteRange, in bytes: RawSpan, hasUnderscore: Bool) -> FieldKind {
        hasUnderscore ? aliasKind(of: name, in: bytes) : FoldedName(name, in: bytes).kind
    }

    /// `.alias` when the name is one to be wary of once `_` is read as `-`, else `.other`.
    ///
    /// Out of line: names with `_` are rare.
    @inline(never)
    private static func aliasKind(of name: ByteRange, in bytes: RawSpan) -> FieldKind {
        FoldedName(dashing: name, in: bytes).kind.hasDangerousAlias ? .alias : .other
    }

    private var kind: FieldKind {
        switch count {
        case 2: if matches("te") { return .te }
        case 3: if matches("via") { return .via }
        case 4:
            if matches("host") { return .host }
            if matches("date") { return .date }
        case 6:
            if matches("expect") { return .expect }
            if matches("cookie") { return .cookie }
            if matches("server") { return .server }
        case 7:
            if matches("trailer") { return .trailer }
            if matches("upgrade") { return .upgrade }
        case 9:
            if matches("forwarded") { return .forwarded }
            if matches("x-real-ip") { return .xRealIP }
            if matches("ratelimit") { return .rateLimit }
        case 10:
            if matches("connection") { return .connection }
            if matches("keep-alive") { return .keepAlive }
            if matches("tracestate") { return .tracestate }
            if matches("set-cookie") { return .setCookie }
        case 11:
            if matches("traceparent") { return .traceparent }
            if matches("retry-after") { return .retryAfter }
        case 12: if matches("x-request-id") { return .requestID }
        case 13:
            if matches("authorization") { return .authorization }
            if matches("x-rewrite-url") { return .rewriteURL }
        case 14:
            if matches("content-length") { return .contentLength }
            if matches("x-cr-api-token") { return .apiToken }
            if matches("x-original-url") { return .rewriteURL }
        case 15: if matches("x-forwarded-for") { return .xForwardedFor }
        case 16:
            if matches("proxy-connection") { return .proxyConnection }
            if matches("x-forwarded-host") { return .xForwardedHost }
            if matches("x-forwarded-port") { return .xForwardedPort }
            if matches("www-authenticate") { return .wwwAuthenticate }
        case 17:
            if matches("transfer-encoding") { return .transferEncoding }
            if matches("x-forwarded-proto") { return .xForwardedProto }
        case 18: if matches("proxy-authenticate") { return .proxyAuthenticate }
        case 19: if matches("proxy-authorization") { return .proxyAuthorization }
        case 25: if matches("x-ditto-pre-authenticated") { return .identity }
        default: break
        }
        return family
    }

    /// Families of names that are known by their beginning.
    @inline(__always)
    private var family: FieldKind {
        if begins(with: "x-forwarded-") { return .xForwardedOther }
        if begins(with: "x-tollgate-") { return .identity }
        if begins(with: "x-ratelimit-") || begins(with: "ratelimit-") { return .rateLimit }
        return .other
    }

    /// Whether the name is the given one, whose length the caller has compared already.
    @inline(__always)
    private func matches(_ name: StaticString) -> Bool {
        let length = name.utf8CodeUnitCount
        if words.0 != Self.word(0, of: name) { return false }
        if length > 8 && words.1 != Self.word(8, of: name) { return false }
        if length > 16 && words.2 != Self.word(16, of: name) { return false }
        return length <= 24 || words.3 == Self.word(24, of: name)
    }

    /// Whether the name begins with the given text of 9 to 15 bytes.
    @inline(__always)
    private func begins(with prefix: StaticString) -> Bool {
        let length = prefix.utf8CodeUnitCount
        let mask: UInt64 = (1 &<< UInt64(8 &* (length &- 8))) &- 1
        return words.0 == Self.word(0, of: prefix) && count >= length && words.1 & mask == Self.word(8, of: prefix)
    }

    /// Up to eight bytes of a literal from an offset. The literal is a constant, and so is the result.
    @inline(__always)
    private static func word(_ offset: Int, of text: StaticString) -> UInt64 {
        // The pointer is read only below `utf8CodeUnitCount`, which is the length of the literal it points at.
        let bytes = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        var word: UInt64 = 0
        for index in offset..<min(bytes.count, offset &+ 8) {
            word |= unsafe UInt64(bytes[index]) &<< UInt64(8 &* (index &- offset))
        }
        return word
    }
}
