/// The names the gateway knows, arranged so that a name is recognised by its length and a few eight-byte comparisons.
///
/// No String and no hashing: a name of a given length is compared with the two to five known names of that length, and
/// nearly always the first eight bytes decide.
struct FieldNames: Sendable {
    /// Built once per process; parsers keep a copy, which shares the storage.
    static let known = FieldNames()

    private struct Entry: Sendable {
        let words: (UInt64, UInt64, UInt64, UInt64)
        let kind: FieldKind
    }

    /// Longest name that is compared whole; longer ones can only match a prefix.
    private static let maximumLength = 32

    private let entries: [Entry]
    /// Where in `entries` the names of each length begin; one past the last length stands at the end.
    private let starts: [Int]

    private init() {
        let names: [(StaticString, FieldKind)] = [
            ("host", .host), ("content-length", .contentLength), ("transfer-encoding", .transferEncoding),
            ("connection", .connection), ("keep-alive", .keepAlive), ("proxy-connection", .proxyConnection),
            ("te", .te), ("trailer", .trailer), ("upgrade", .upgrade), ("expect", .expect),
            ("authorization", .authorization), ("proxy-authorization", .proxyAuthorization),
            ("proxy-authenticate", .proxyAuthenticate), ("x-cr-api-token", .apiToken), ("cookie", .cookie),
            ("forwarded", .forwarded), ("x-forwarded-for", .xForwardedFor), ("x-forwarded-host", .xForwardedHost),
            ("x-forwarded-proto", .xForwardedProto), ("x-forwarded-port", .xForwardedPort),
            ("x-real-ip", .xRealIP), ("x-request-id", .requestID), ("traceparent", .traceparent),
            ("tracestate", .tracestate), ("x-ditto-pre-authenticated", .identity), ("x-original-url", .rewriteURL),
            ("x-rewrite-url", .rewriteURL), ("set-cookie", .setCookie), ("date", .date), ("server", .server),
            ("ratelimit", .rateLimit), ("retry-after", .retryAfter), ("www-authenticate", .wwwAuthenticate),
            ("via", .via),
        ]
        var entries: [Entry] = []
        var starts: [Int] = []
        for length in 0...Self.maximumLength {
            starts.append(entries.count)
            for (name, kind) in names where name.utf8CodeUnitCount == length {
                entries.append(Entry(words: Self.words(of: name), kind: kind))
            }
        }
        starts.append(entries.count)
        self.entries = entries
        self.starts = starts
    }

    /// What a name is.
    ///
    /// - Parameter hasUnderscore: whether the name holds `_`, which costs a second look for look-alikes.
    @inline(__always)
    func kind(of name: ByteRange, in bytes: RawSpan, hasUnderscore: Bool) -> FieldKind {
        if hasUnderscore { return aliasKind(of: name, in: bytes) }
        let lower = name.range.lowerBound
        let count = name.count
        return kind(
            (
                bytes.foldedWord(lower, count: count),
                count > 8 ? bytes.foldedWord(lower + 8, count: count - 8) : 0
            ), count: count
        ) { index in
            count > 8 * index ? bytes.foldedWord(lower + 8 * index, count: count - 8 * index) : 0
        }
    }

    @inline(__always)
    private func kind(_ words: (UInt64, UInt64), count: Int, tail: (Int) -> UInt64) -> FieldKind {
        if count <= Self.maximumLength {
            for index in starts[count]..<starts[count + 1] where entries[index].words.0 == words.0 {
                let entry = entries[index]
                if entry.words.1 == words.1 && entry.words.2 == tail(2) && entry.words.3 == tail(3) {
                    return entry.kind
                }
            }
        }
        return prefixKind(words, count: count)
    }

    /// Families of names that are known by their beginning.
    @inline(__always)
    private func prefixKind(_ words: (UInt64, UInt64), count: Int) -> FieldKind {
        switch words.0 {
        case Self.xForwarded.0 where count >= 12 && words.1 & 0xFFFF_FFFF == Self.xForwarded.1: .xForwardedOther
        case Self.xTollgate.0 where count >= 11 && words.1 & 0x00FF_FFFF == Self.xTollgate.1: .identity
        case Self.xRateLimit.0 where count >= 12 && words.1 & 0xFFFF_FFFF == Self.xRateLimit.1: .rateLimit
        case Self.rateLimit.0 where count >= 10 && words.1 & 0xFFFF == Self.rateLimit.1: .rateLimit
        default: .other
        }
    }

    private static let xForwarded = pair("x-forwarded-")
    private static let xTollgate = pair("x-tollgate-")
    private static let xRateLimit = pair("x-ratelimit-")
    private static let rateLimit = pair("ratelimit-")

    /// `.alias` when the name is one to be wary of once `_` is read as `-`, else `.other`.
    ///
    /// Out of line: names with `_` are rare, and a client that sends many of them pays no more than its own bytes.
    @inline(never)
    private func aliasKind(of name: ByteRange, in bytes: RawSpan) -> FieldKind {
        let lower = name.range.lowerBound
        var words: [4 of UInt64] = [0, 0, 0, 0]
        for index in 0..<min(name.count, Self.maximumLength) {
            let byte = bytes.byte(lower + index)
            let dashed = byte == ASCII.underscore ? ASCII.hyphen : byte | 0x20
            words[index &>> 3] |= UInt64(dashed) &<< UInt64(8 * (index & 7))
        }
        let kind = kind((words[0], words[1]), count: name.count) { words[$0] }
        return kind.hasDangerousAlias ? .alias : .other
    }

    private static func words(of name: StaticString) -> (UInt64, UInt64, UInt64, UInt64) {
        var words: [4 of UInt64] = [0, 0, 0, 0]
        // The pointer is read only below `utf8CodeUnitCount`, which is the length of the literal it points at.
        let text = unsafe UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        for index in 0..<min(name.utf8CodeUnitCount, maximumLength) {
            words[index &>> 3] |= unsafe UInt64(text[index]) &<< UInt64(8 * (index & 7))
        }
        return (words[0], words[1], words[2], words[3])
    }

    private static func pair(_ name: StaticString) -> (UInt64, UInt64) {
        let words = words(of: name)
        return (words.0, words.1)
    }
}
