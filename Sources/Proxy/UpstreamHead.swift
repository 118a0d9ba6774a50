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
struct UpstreamHead: ~Copyable {
    /// The rendered head, without the Host line while `needsHost`.
    private(set) var bytes = ByteBuffer()
    /// Where a Host line goes whose value is known only when the endpoint is.
    private var hostOffset = 0
    private(set) var needsHost = false

    /// What one connection contributes to every request on it.
    struct ClientFacts: ~Copyable {
        let address: PeerAddress
        let isSecure: Bool
        let isHTTP2: Bool
        private let text: [UInt8]

        init(peer: PeerAddress, isSecure: Bool = false, isHTTP2: Bool = false) {
            address = peer
            self.isSecure = isSecure
            self.isHTTP2 = isHTTP2
            text = peer.text
        }

        /// The last element of `x-forwarded-for`, its line end, and `x-forwarded-proto`.
        fileprivate func appendHop(to out: inout ByteWriter) {
            out.append(text)
            out.append(isSecure ? "\r\nx-forwarded-proto: https\r\n" : "\r\nx-forwarded-proto: http\r\n")
        }

        /// `forwarded: for=192.0.2.1;proto=http`, without a line end; before it the client for whom a trusted proxy speaks.
        fileprivate func appendElement(behind: PeerAddress?, to out: inout ByteWriter) {
            out.append("forwarded: ")
            if let behind {
                behind.withText { Self.append(node: $0, of: behind, to: &out) }
                out.append(", ")
            }
            Self.append(node: text.span, of: address, to: &out)
            out.append(isSecure ? ";proto=https" : ";proto=http")
        }

        /// RFC 7239 §6: an IPv6 address stands in brackets and quotes, and `unknown` is a word.
        private static func append(node: Span<UInt8>, of address: PeerAddress, to out: inout ByteWriter) {
            let isBare = address.isV4 || address == .unknown
            out.append(isBare ? "for=" : "for=\"[")
            out.append(node)
            if !isBare { out.append("]\"") }
        }

        /// The last field and the end of the head: `via` with the protocol that the client speaks.
        fileprivate func appendVia(to out: inout ByteWriter) {
            out.append(isHTTP2 ? "via: 2 tollgate\r\n\r\n" : "via: 1.1 tollgate\r\n\r\n")
        }
    }

    /// What never travels from an untrusted peer, whatever the route: with and without the trace of its own.
    private static let dropped = FieldSet.inboundStripped.union(FieldSet(.requestID)).union(.forwarding)
    private static let droppedOfTrusted = FieldSet.inboundStripped.union(FieldSet(.requestID, .xForwardedOther))
    private static let rebuilt = FieldSet(
        .forwarded, .xForwardedFor, .xForwardedHost, .xForwardedProto, .xForwardedPort)
    private static let trace = FieldSet(.traceparent, .tracestate)

    mutating func render(
        _ admitted: borrowing Admitted, decision: DecisionID, hostField: UpstreamSettings.HostField, spanID: UInt64,
        head: borrowing RequestHead, in buffer: borrowing ByteBuffer, gatekeeper: Gatekeeper,
        client: borrowing ClientFacts,
        upgrade: UpgradeProtocol? = nil, asksForTrailers: Bool = false
    ) {
        bytes.clear()
        let raw = buffer.readableBytesSpan
        bytes.writeBytes(raw.extracting(head.methodRange.range))
        bytes.writeStaticString(" ")
        gatekeeper.appendTarget(admitted, head: head, in: buffer, to: &bytes)
        bytes.writeStaticString(" HTTP/1.1\r\n")
        hostOffset = bytes.writerIndex
        needsHost = if case .endpoint = hostField { true } else { head.authority.isEmpty }

        let setsForwarded = gatekeeper.snapshot.forwarding.setsForwarded
        let isTrusted = gatekeeper.trusts(client.address)
        let passesTrace = Traceparent.isValid(head, in: buffer)
        let route = admitted.route
        var dropped = (isTrusted ? Self.droppedOfTrusted : Self.dropped).union(route.consumedFields)
        if isTrusted, setsForwarded { dropped.formUnion(Self.rebuilt) }
        if !passesTrace { dropped.formUnion(Self.trace) }
        let needsHost = self.needsHost
        let identity = admitted.admission?.identityCount ?? 0

        bytes.append(reserving: head.length + identity + 768) { out in
            if !needsHost {
                out.append("host: ")
                out.append(raw.extracting(head.authority.range))
                out.append("\r\n")
            }
            head.appendFields(of: raw, dropping: dropped, to: &out)
            switch head.framing {
            case .none:
                break
            case .length(let length):
                out.append("content-length: ")
                out.append(decimal: Int(length))
                out.append("\r\n")
            case .chunked:
                out.append("transfer-encoding: chunked\r\n")
            }
            if head.expectsContinue { out.append("expect: 100-continue\r\n") }
            if let upgrade {
                out.append("connection: upgrade\r\nupgrade: ")
                out.append(upgrade.name)
                out.append("\r\n")
            }
            if asksForTrailers { out.append("te: trailers\r\n") }
            if let admission = admitted.admission {
                admission.appendIdentityFields(to: &out)
                if route.preAuthenticates {
                    out.append("x-ditto-pre-authenticated: ")
                    admission.appendPreAuthenticated(to: &out)
                    out.append("\r\n")
                }
            }
            out.append("x-request-id: ")
            out.append(decision)
            if !passesTrace { Traceparent.append(decision, spanID: spanID, to: &out) }
            out.append("\r\n")
            if setsForwarded {
                let behind = isTrusted ? gatekeeper.clientBehind(client.address, head, in: buffer) : nil
                Self.appendForwarded(head, raw, isTrusted: isTrusted, behind: behind, client, to: &out)
            }
            client.appendVia(to: &out)
        }
    }

    /// Forwarded and X-Forwarded-*: for a trusted peer its own list with one more hop, for others anew.
    private static func appendForwarded(
        _ head: borrowing RequestHead, _ raw: RawSpan, isTrusted: Bool, behind: PeerAddress?,
        _ client: borrowing ClientFacts,
        to out: inout ByteWriter
    ) {
        out.append("x-forwarded-for: ")
        if isTrusted {
            // Several lines are one list (RFC 9110 §5.3): all of it is kept, in order.
            for field in head.fields where field.kind == .xForwardedFor && !field.value.isEmpty {
                out.append(raw.extracting(field.value.range))
                out.append(", ")
            }
        }
        client.appendHop(to: &out)
        if !head.authority.isEmpty {
            out.append("x-forwarded-host: ")
            out.append(raw.extracting(head.authority.range))
            out.append("\r\n")
        }
        client.appendElement(behind: behind, to: &out)
        if !head.authority.isEmpty {
            out.append(";host=\"")
            out.append(raw.extracting(head.authority.range))
            out.append("\"")
        }
        out.append("\r\n")
    }

    /// Sends the head, and bytes of the body behind it. Lends them as they stand here, so that nobody counts them. The endpoint
    /// is told where `needsHost` is set.
    func send(on connection: UpstreamConnection, to endpoint: Endpoint?, _ body: ByteBuffer?) {
        if let endpoint { connection.send(bytes(for: endpoint), body) } else { connection.send(bytes, body) }
    }

    /// The head for one endpoint; a mirrored one says so. While `needsHost` is not set, `bytes` is the same for all.
    func bytes(for endpoint: Endpoint, isMirrored: Bool = false) -> ByteBuffer {
        var whole = withHost(endpoint)
        guard isMirrored else { return whole }
        whole.moveWriterIndex(to: whole.writerIndex - 2)
        whole.writeStaticString("x-tollgate-mirrored: 1\r\n\r\n")
        return whole
    }

    private func withHost(_ endpoint: Endpoint) -> ByteBuffer {
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
}
