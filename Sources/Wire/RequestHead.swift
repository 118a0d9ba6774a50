/// The methods the gateway tells apart (RFC 9110 §9, RFC 5789). Method names are case-sensitive.
package enum Method: UInt8, Sendable, CaseIterable {
    case get, head, post, put, patch, delete, options, trace, connect
    /// Any other token; `RequestHead.methodRange` holds it.
    case other

    init(_ name: ByteRange, in bytes: RawSpan) {
        self = .other
        switch name.count {
        case 3:
            if bytes.equals(name, "GET") { self = .get } else if bytes.equals(name, "PUT") { self = .put }
        case 4:
            if bytes.equals(name, "POST") { self = .post } else if bytes.equals(name, "HEAD") { self = .head }
        case 5:
            if bytes.equals(name, "PATCH") { self = .patch } else if bytes.equals(name, "TRACE") { self = .trace }
        case 6:
            if bytes.equals(name, "DELETE") { self = .delete }
        case 7:
            if bytes.equals(name, "OPTIONS") {
                self = .options
            } else if bytes.equals(name, "CONNECT") {
                self = .connect
            }
        default: break
        }
    }
}

/// The form of a request-target (RFC 9112 §3.2).
package enum TargetForm: Sendable {
    /// `/path?query`.
    case origin
    /// `http://host/path?query`.
    case absolute
    /// `*`, for OPTIONS only.
    case asterisk
    /// `host:port`, for CONNECT only; `path` is empty.
    case authority
}

/// A request head, as ranges of the buffer it was parsed from.
///
/// Offsets count from the buffer's reader index at the time of parsing. The value owns no byte of the request. It does
/// own the storage of `fields`, which the parser reuses; not copyable, so that it is lent and nothing of it is counted.
package struct RequestHead: ~Copyable, Sendable {
    /// The method.
    package var method = Method.other
    /// The method as sent, at most 32 bytes.
    package var methodRange = ByteRange.empty
    /// The request-target as sent.
    package var target = ByteRange.empty
    /// The form of the target.
    package var form = TargetForm.origin
    /// Whether the target is an absolute-form with the scheme `https`.
    package var namesHTTPS = false
    /// The path of the target; begins with `/` unless empty. Empty in absolute-form means `/`.
    package var path = ByteRange.empty
    /// The query without its `?`; nil when there is no `?`.
    package var query: ByteRange?
    /// Host and optional port: of the absolute-form, else the value of `Host`. Valid, and empty only in HTTP/1.0
    /// without `Host`.
    package var authority = ByteRange.empty
    /// 0 or 1: the request is HTTP/1.0 or HTTP/1.1.
    package var minorVersion: UInt8 = 1
    /// The field lines in the order they were sent.
    package var fields: [Field] = []
    /// Where the body ends.
    package var framing = RequestFraming.none
    /// Whether the client means to use the connection again (RFC 9112 §9.3).
    package var keepAlive = false
    /// Whether the client waits for `100 Continue` before it sends the body. False in HTTP/1.0 and without a body.
    package var expectsContinue = false
    /// Bytes of the whole head: skipped empty lines, request-line, fields and the final empty line.
    package var length = 0
    /// Index in `fields` of `Authorization`, of which there is at most one.
    package var authorization: Int?
    /// Index in `fields` of `X-CR-Api-Token`, of which there is at most one.
    package var apiToken: Int?
    /// Index in `fields` of the first `X-Request-Id`.
    package var requestID: Int?
    /// Index in `fields` of the first `traceparent`.
    package var traceparent: Int?
    /// Index in `fields` of `Upgrade`, when the client asks for an upgrade: HTTP/1.1, one `Upgrade` field, and
    /// `Connection` lists `upgrade`. Otherwise an `Upgrade` field is to be ignored (RFC 9110 §7.8).
    package var upgrade: Int?
    /// Whether `TE` says that the client takes trailer fields (RFC 9110 §10.1.4).
    package var acceptsTrailers = false

    /// A head without anything in it.
    package init() {}

    /// Whether the answer will have no body for that. A pattern, because `==` of another room's enumeration is called through a table.
    package var isHEAD: Bool { if case .head = method { true } else { false } }

    /// Whether what follows may be meant for a tunnel: who does not wait for the answer sends it behind the request, and where that is
    /// refused it must not be read as another one.
    package var asksForTunnel: Bool { if case .connect = method { true } else { false } }

    /// Whether the server as a whole is asked, which no path says: `*`, or what proxies are sent for it, a URI without a path
    /// (RFC 9112 §3.2.4).
    package var asksForServer: Bool {
        switch form {
        case .asterisk: true
        case .absolute: method == .options && path.isEmpty && query == nil
        case .origin, .authority: false
        }
    }

    /// Index in `fields` of the first field of a kind; linear in the number of fields.
    package func firstIndex(of kind: FieldKind) -> Int? {
        fields.firstIndex { $0.kind == kind }
    }

    /// Empties the head and keeps the storage of its fields.
    mutating func reset() {
        var fields = fields
        self.fields = []
        fields.removeAll(keepingCapacity: true)
        self = RequestHead()
        self.fields = fields
    }
}
