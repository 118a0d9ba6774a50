import NIOCore

/// Trailer fields of an answer, as lines of an HTTP/1.1 trailer section (RFC 9110 §6.5, RFC 9112 §7.1.2).
enum Trailers {
    /// The lines that may be passed on, of lines that were checked for their syntax. Linear.
    static func passed(_ lines: [UInt8]) -> [UInt8] {
        // Unsafe: only because the property is marked so for elements with padding, which octets do not have.
        let bytes = unsafe lines.span.bytes
        var passed: [UInt8] = []
        var start = 0
        while start < lines.count {
            var end = start
            while end < lines.count, lines[end] != ASCII.lineFeed { end += 1 }
            end = min(end + 1, lines.count)
            let colon = lines[start..<end].firstIndex(of: ASCII.colon) ?? start
            if mayPass(ByteRange(start, colon), in: bytes) { passed += lines[start..<end] }
            start = end
        }
        return passed
    }

    /// Whether a field may stand in a trailer section that the gateway passes on: not if it is about framing, the
    /// connection, who asks or what the gateway itself says (RFC 9110 §6.5.1).
    private static func mayPass(_ name: ByteRange, in bytes: RawSpan) -> Bool {
        let hasUnderscore = name.range.contains { bytes.byte($0) == ASCII.underscore }
        return switch FoldedName.kind(of: name, in: bytes, hasUnderscore: hasUnderscore) {
        case .other: true
        case .host, .contentLength, .transferEncoding, .connection, .keepAlive, .proxyConnection, .te, .trailer,
            .upgrade, .expect, .authorization, .proxyAuthorization, .proxyAuthenticate, .apiToken, .cookie,
            .forwarded, .xForwardedFor, .xForwardedHost, .xForwardedProto, .xForwardedPort, .xForwardedOther,
            .xRealIP, .requestID, .traceparent, .tracestate, .identity, .rewriteURL, .alias, .setCookie, .date,
            .server, .rateLimit, .retryAfter, .wwwAuthenticate, .via:
            false
        }
    }
}
