package import Gate
package import Identity
package import NIOCore
package import Upstream
package import Wire

/// The head with which an admitted request would be forwarded, for `explain`: made by the code that forwards.
package enum UpstreamPreview {
    /// - Parameters:
    ///   - head: the request's head, at the reader index of `bytes`.
    ///   - gatekeeper: the one that admitted it, right after it did.
    ///   - upstream: the route's; its first endpoint stands in for the one the balancer would pick.
    package static func head(
        _ admitted: Admitted, head: borrowing RequestHead, in bytes: ByteBuffer, gatekeeper: Gatekeeper,
        peer: PeerAddress,
        upstream: UpstreamSettings, decision: DecisionID
    ) -> ByteBuffer {
        var rendered = UpstreamHead()
        rendered.render(
            admitted, decision: decision, hostField: upstream.hostField, spanID: 1, head: head, in: bytes,
            gatekeeper: gatekeeper, client: UpstreamHead.ClientFacts(peer: peer),
            upgrade: admitted.route.upgrade(head, in: bytes))
        guard let endpoint = upstream.endpoints.first else { return rendered.bytes }
        return rendered.bytes(for: endpoint)
    }
}
