import Gate
import Identity
import NIOCore
import Upstream
import Wire

/// Renders the head of an admitted request for its upstream.
///
/// What the client sent is kept byte for byte, except: hop-by-hop fields and what `Connection` names, every identity
/// field and its `_` aliases, forwarding fields of untrusted peers, URL overrides, and the credentials that were
/// looked at. Identity is added after that, so that no client field can take it away again.
struct UpstreamHead {
    /// The rendered head, without the Host line while `needsHost`.
    private(set) var bytes = ByteBuffer()
    /// Where a Host line goes whose value is known only when the endpoint is.
    private var hostOffset = 0
    private(set) var needsHost = false

    /// What one connection contributes to every request on it.
    struct ClientFacts {
        /// `x-forwarded-for: 192.0.2.1` with its line end.
        let forwardedFor: [UInt8]
        /// `forwarded: for=192.0.2.1;proto=http` without a line end: the host follows.
        let forwarded: [UInt8]

        init(peer: PeerAddress) {
            forwardedFor = Array("x-forwarded-for: ".utf8) + peer.text + Array("\r\n".utf8)
            let isV6 = peer.text.contains(UInt8(ascii: ":"))
            let node = isV6 ? Array("\"[".utf8) + peer.text + Array("]\"".utf8) : peer.text
            forwarded = Array("forwarded: for=".utf8) + node + Array(";proto=http".utf8)
        }
    }

    /// Everything the head is made of.
    struct Source {
        let admitted: Admitted
        let decision: DecisionID
        let hostField: UpstreamSettings.HostField
        let forwarding: ForwardingRules
        let isPeerTrusted: Bool
        let spanID: UInt64
    }

    mutating func render(
        _ source: borrowing Source, head: RequestHead, in buffer: ByteBuffer, gatekeeper: borrowing Gatekeeper,
        client: ClientFacts
    ) {
        bytes.clear()
        let raw = buffer.readableBytesSpan
        bytes.writeBytes(raw.extracting(head.methodRange.range))
        bytes.writeStaticString(" ")
        gatekeeper.appendTarget(source.admitted, head: head, in: buffer, to: &bytes)
        bytes.writeStaticString(" HTTP/1.1\r\n")
        hostOffset = bytes.writerIndex
        needsHost = source.hostField == .endpoint || head.authority.isEmpty
        if !needsHost {
            bytes.writeStaticString("host: ")
            bytes.writeBytes(raw.extracting(head.authority.range))
            bytes.writeStaticString("\r\n")
        }

        let passesTrace = head.traceparent != nil
        head.appendFields(of: buffer, dropping: dropped(source, passesTrace: passesTrace), to: &bytes)
        appendFraming(head.framing)
        if head.expectsContinue { bytes.writeStaticString("expect: 100-continue\r\n") }
        appendIdentity(source)
        if !passesTrace { appendTraceparent(source) }
        if source.forwarding.setsForwarded { appendForwarded(source, head: head, raw: raw, client: client) }
        bytes.writeStaticString("via: 1.1 tollgate\r\n\r\n")
    }

    /// The head for one endpoint.
    func bytes(for endpoint: Endpoint) -> ByteBuffer {
        guard needsHost else { return bytes }
        var whole = bytes
        whole.clear(minimumCapacity: bytes.readableBytes + endpoint.authority.count + 8)
        whole.writeBytes(bytes.readableBytesSpan.extracting(first: hostOffset))
        whole.writeStaticString("host: ")
        whole.writeBytes(endpoint.authority)
        whole.writeStaticString("\r\n")
        whole.writeBytes(bytes.readableBytesSpan.extracting(droppingFirst: hostOffset))
        return whole
    }

    private func dropped(_ source: borrowing Source, passesTrace: Bool) -> FieldSet {
        var dropped = FieldSet.inboundStripped.union(FieldSet(.requestID))
        if !passesTrace { dropped.formUnion(FieldSet(.traceparent, .tracestate)) }
        if !source.isPeerTrusted || source.forwarding.setsForwarded {
            dropped.formUnion(
                FieldSet(.forwarded, .xForwardedFor, .xForwardedHost, .xForwardedProto, .xForwardedPort))
        }
        if !source.isPeerTrusted { dropped.formUnion(.forwarding) }
        let route = source.admitted.route
        if !route.forwardsCredentials {
            // The credentials this route looks at are used up here; others are the upstream's business.
            if !route.accepts.isDisjoint(with: [.jwt, .basic, .apiToken]) {
                dropped.formUnion(FieldSet(.authorization))
            }
            if route.accepts.contains(.apiToken) { dropped.formUnion(FieldSet(.apiToken)) }
        }
        return dropped
    }

    private mutating func appendFraming(_ framing: RequestFraming) {
        switch framing {
        case .none:
            break
        case .length(let length):
            bytes.writeStaticString("content-length: ")
            bytes.writeDecimal(length)
            bytes.writeStaticString("\r\n")
        case .chunked:
            bytes.writeStaticString("transfer-encoding: chunked\r\n")
        }
    }

    private mutating func appendIdentity(_ source: borrowing Source) {
        if let admission = source.admitted.admission {
            bytes.writeBytes(admission.identityFields)
            if source.admitted.route.preAuthenticates {
                bytes.writeStaticString("x-ditto-pre-authenticated: ")
                bytes.writeBytes(admission.preAuthenticated)
                bytes.writeStaticString("\r\n")
            }
        }
        bytes.writeStaticString("x-request-id: ")
        bytes.write(source.decision)
        bytes.writeStaticString("\r\n")
    }

    /// Starts a trace (W3C Trace Context §3.2) whose id is the decision's when that has its form.
    private mutating func appendTraceparent(_ source: borrowing Source) {
        bytes.writeStaticString("traceparent: 00-")
        let isTraceID = source.decision.isTraceID
        if isTraceID {
            bytes.write(source.decision)
        } else {
            bytes.writeHexadecimalPadded(source.spanID &* 0x9e37_79b9_7f4a_7c15 | 1)
            bytes.writeHexadecimalPadded(source.spanID)
        }
        bytes.writeStaticString("-")
        bytes.writeHexadecimalPadded(source.spanID | 1)
        bytes.writeStaticString("-00\r\n")
    }

    private mutating func appendForwarded(
        _ source: borrowing Source, head: RequestHead, raw: RawSpan, client: ClientFacts
    ) {
        if source.isPeerTrusted, let field = head.fields.last(where: { $0.kind == .xForwardedFor }) {
            bytes.writeStaticString("x-forwarded-for: ")
            bytes.writeBytes(raw.extracting(field.value.range))
            bytes.writeStaticString(", ")
            bytes.writeBytes(client.forwardedFor.dropFirst(17))
        } else {
            bytes.writeBytes(client.forwardedFor)
        }
        bytes.writeStaticString("x-forwarded-proto: http\r\n")
        if !head.authority.isEmpty {
            bytes.writeStaticString("x-forwarded-host: ")
            bytes.writeBytes(raw.extracting(head.authority.range))
            bytes.writeStaticString("\r\n")
        }
        bytes.writeBytes(client.forwarded)
        if !head.authority.isEmpty {
            bytes.writeStaticString(";host=\"")
            bytes.writeBytes(raw.extracting(head.authority.range))
            bytes.writeStaticString("\"")
        }
        bytes.writeStaticString("\r\n")
    }
}

extension DecisionID {
    /// 32 lower-case hexadecimal digits, not all of them 0.
    fileprivate var isTraceID: Bool {
        guard count == 32 else { return false }
        var hasDigit = false
        for index in 0..<32 {
            let byte = self[index]
            let isHex =
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
            guard isHex else { return false }
            if byte != UInt8(ascii: "0") { hasDigit = true }
        }
        return hasDigit
    }
}

extension ByteBuffer {
    /// Sixteen lower-case hexadecimal digits.
    fileprivate mutating func writeHexadecimalPadded(_ word: UInt64) {
        for shift in stride(from: 60, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: (word >> UInt64(shift)) & 15)
            writeInteger(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}
