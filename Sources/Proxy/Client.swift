import Audit
import Gate

/// What a connection knows of its client, as requests need it.
struct Client: ~Copyable {
    var peer: Peer
    /// The address as it stands in records.
    let text: AuditText
    /// And as upstreams are told of it.
    let facts: UpstreamHead.ClientFacts

    init(_ peer: Peer, isHTTP2: Bool = false) {
        self.peer = peer
        self.text = AuditText(utf8: peer.address.text)
        self.facts = UpstreamHead.ClientFacts(peer: peer.address, isSecure: peer.isSecure, isHTTP2: isHTTP2)
    }
}
