/// What the gateway knows a field by: recognised once, while the head is parsed, and compared as one byte from then on.
///
/// Everything the gateway has no interest in is `.other`. Recognition ignores the case of ASCII letters (RFC 9110 §5.1).
package enum FieldKind: UInt8, Sendable, CaseIterable {
    /// A field the gateway passes along without looking.
    case other = 0
    /// `Host`.
    case host
    /// `Content-Length`.
    case contentLength
    /// `Transfer-Encoding`.
    case transferEncoding
    /// `Connection`.
    case connection
    /// `Keep-Alive`.
    case keepAlive
    /// `Proxy-Connection`.
    case proxyConnection
    /// `TE`.
    case te
    /// `Trailer`.
    case trailer
    /// `Upgrade`.
    case upgrade
    /// `Expect`.
    case expect
    /// `Authorization`.
    case authorization
    /// `Proxy-Authorization`.
    case proxyAuthorization
    /// `Proxy-Authenticate`.
    case proxyAuthenticate
    /// `X-CR-Api-Token`.
    case apiToken
    /// `Cookie`.
    case cookie
    /// `Forwarded` (RFC 7239).
    case forwarded
    /// `X-Forwarded-For`.
    case xForwardedFor
    /// `X-Forwarded-Host`.
    case xForwardedHost
    /// `X-Forwarded-Proto`.
    case xForwardedProto
    /// `X-Forwarded-Port`.
    case xForwardedPort
    /// Any other `X-Forwarded-*`.
    case xForwardedOther
    /// `X-Real-IP`.
    case xRealIP
    /// `X-Request-Id`.
    case requestID
    /// `traceparent` (W3C Trace Context).
    case traceparent
    /// `tracestate` (W3C Trace Context).
    case tracestate
    /// A name only the gateway may set: `X-Tollgate-*` and `X-Ditto-Pre-Authenticated`.
    case identity
    /// `X-Original-URL` and `X-Rewrite-URL`, which some upstreams route by.
    case rewriteURL
    /// A name with `_` that is one of the request-side names above once `_` is read as `-`, as CGI-style upstreams do.
    case alias
    /// `Set-Cookie`.
    case setCookie
    /// `Date`.
    case date
    /// `Server`.
    case server
    /// `RateLimit`, `RateLimit-*` and `X-RateLimit-*`.
    case rateLimit
    /// `Retry-After`.
    case retryAfter
    /// `WWW-Authenticate`.
    case wwwAuthenticate
    /// `Via`.
    case via

    /// Whether an upstream that reads `_` as `-` would be deceived by a look-alike of this field.
    ///
    /// True for every kind the gateway acts on, sets or strips in a request. Response-side kinds have no such reader.
    var hasDangerousAlias: Bool {
        switch self {
        case .host, .contentLength, .transferEncoding, .connection, .keepAlive, .proxyConnection, .te, .trailer,
            .upgrade, .expect, .authorization, .proxyAuthorization, .apiToken, .cookie, .forwarded, .xForwardedFor,
            .xForwardedHost, .xForwardedProto, .xForwardedPort, .xForwardedOther, .xRealIP, .requestID, .traceparent,
            .tracestate, .identity, .rewriteURL:
            true
        case .other, .proxyAuthenticate, .alias, .setCookie, .date, .server, .rateLimit, .retryAfter,
            .wwwAuthenticate, .via:
            false
        }
    }

    /// Whether `Connection` may name this field, so that it is removed with the connection (RFC 9110 §7.6.1).
    ///
    /// Naming a framing field, a credential or a field the gateway answers for would be a way to have it removed.
    var mayBeNominated: Bool {
        switch self {
        case .other, .connection, .keepAlive, .proxyConnection, .te, .trailer, .upgrade, .alias:
            true
        case .host, .contentLength, .transferEncoding, .expect, .authorization, .proxyAuthorization,
            .proxyAuthenticate, .apiToken, .cookie, .forwarded, .xForwardedFor, .xForwardedHost, .xForwardedProto,
            .xForwardedPort, .xForwardedOther, .xRealIP, .requestID, .traceparent, .tracestate, .identity,
            .rewriteURL, .setCookie, .date, .server, .rateLimit, .retryAfter, .wwwAuthenticate, .via:
            false
        }
    }
}

/// One field line of a head.
package struct Field: Sendable, Equatable {
    /// The field name, as sent. Its lower bound is where the line begins.
    package var name: ByteRange
    /// The field value without the optional white space around it; may be empty.
    package var value: ByteRange
    /// Offset after the line's CRLF, which is where the next line begins.
    package var end: UInt32
    /// What the name is.
    package var kind: FieldKind
    /// Whether `Connection` names this field: such a field goes no further than this connection (RFC 9110 §7.6.1).
    package var isNominated: Bool
}
