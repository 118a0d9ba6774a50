import Testing
import Wire

@Suite struct FieldKindTests {
    private static let names: [(String, FieldKind)] = [
        ("Host", .host), ("Content-Length", .contentLength), ("Transfer-Encoding", .transferEncoding),
        ("Connection", .connection), ("Keep-Alive", .keepAlive), ("Proxy-Connection", .proxyConnection),
        ("TE", .te), ("Trailer", .trailer), ("Upgrade", .upgrade), ("Expect", .expect),
        ("Authorization", .authorization), ("Proxy-Authorization", .proxyAuthorization),
        ("Proxy-Authenticate", .proxyAuthenticate), ("X-CR-Api-Token", .apiToken), ("Cookie", .cookie),
        ("Forwarded", .forwarded), ("X-Forwarded-For", .xForwardedFor), ("X-Forwarded-Host", .xForwardedHost),
        ("X-Forwarded-Proto", .xForwardedProto), ("X-Forwarded-Port", .xForwardedPort),
        ("X-Forwarded-Prefix", .xForwardedOther), ("X-Forwarded-", .xForwardedOther),
        ("X-Forwarded-Client-Certificate-Of-A-Name-Beyond-Thirty-Two", .xForwardedOther),
        ("X-Real-IP", .xRealIP), ("X-Request-Id", .requestID), ("traceparent", .traceparent),
        ("tracestate", .tracestate), ("X-Tollgate-Subject", .identity), ("X-Tollgate-", .identity),
        ("X-Ditto-Pre-Authenticated", .identity), ("X-Original-URL", .rewriteURL), ("X-Rewrite-URL", .rewriteURL),
        ("Set-Cookie", .setCookie), ("Date", .date), ("Server", .server), ("RateLimit", .rateLimit),
        ("RateLimit-Policy", .rateLimit), ("X-RateLimit-Remaining", .rateLimit), ("Retry-After", .retryAfter),
        ("WWW-Authenticate", .wwwAuthenticate), ("Via", .via),
    ]

    /// The kind a field line of a request is given; the value is one that every kind takes.
    private func kind(_ name: String) -> FieldKind? {
        let value =
            switch name.lowercased() {
            case "expect": "100-continue"
            case "transfer-encoding": "chunked"
            default: "1"
            }
        let host = name.lowercased() == "host" ? "" : "Host: h\r\n"
        let (progress, head) = parse("GET / HTTP/1.1\r\n\(name): \(value)\r\n\(host)\r\n")
        return progress == .complete ? head.fields.first?.kind : nil
    }

    @Test func knownNamesInAnyCase() {
        for (name, expected) in Self.names {
            #expect(kind(name) == expected, "\(name)")
            #expect(kind(name.lowercased()) == expected, "\(name)")
            #expect(kind(name.uppercased()) == expected, "\(name)")
        }
    }

    @Test func neighboursOfKnownNamesAreOther() {
        for (name, expected) in Self.names where expected != .xForwardedOther && !name.hasSuffix("-") {
            for neighbour in ["\(name)x", "x\(name)", String(name.dropLast()), "!\(name.dropFirst())"] {
                let got = kind(neighbour)
                // A longer name of a family is still of the family.
                let isFamily =
                    got == expected && neighbour.lowercased().hasPrefix("x-tollgate-")
                    || got == .rateLimit && expected == .rateLimit || got == .xForwardedOther
                #expect(got == .other || isFamily, "\(neighbour) is \(String(describing: got))")
            }
        }
    }

    @Test func lookAlikesOfRequestNamesAreAliases() {
        let aliases = [
            "Content_Length", "transfer_encoding", "X_Tollgate_Subject", "X-Tollgate_Subject",
            "x_ditto_pre-authenticated",
            "X_Forwarded_For", "x_forwarded_anything", "X_CR_API_TOKEN", "X_Real_IP", "x_request_id",
            "Proxy_Connection",
            "X_Original_URL",
        ]
        for name in aliases { #expect(kind(name) == .alias, "\(name)") }
        for name in ["my_field", "_", "x_tollgat_", "set_cookie", "Host_", "_host"] {
            #expect(kind(name) == .other, "\(name)")
        }
    }

    @Test func setsHoldWhatTheyAreMadeOf() {
        let set = FieldSet(.host, .via)
        for kind in FieldKind.allCases {
            #expect(set.contains(kind) == (kind == .host || kind == .via))
            #expect(!FieldSet().contains(kind))
        }
        for kind in [FieldKind.connection, .te, .upgrade, .transferEncoding, .contentLength, .identity, .alias, .host] {
            #expect(FieldSet.inboundStripped.contains(kind))
        }
        for kind in [FieldKind.other, .cookie, .authorization, .apiToken, .traceparent, .xForwardedFor] {
            #expect(!FieldSet.inboundStripped.contains(kind))
        }
    }
}
