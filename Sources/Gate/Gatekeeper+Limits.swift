import Identity
package import NIOCore
import RateLimit
package import Wire

/// How often a caller may, and whose bucket that is.
extension Gatekeeper {
    private enum Namespace {
        static let client: UInt8 = 0
        static let solution: UInt8 = 1
        static let subject: UInt8 = 2
        static let peer: UInt8 = 3
        static let failures: UInt8 = 4
    }

    func clientCell(_ principal: Principal, now: Now) -> Cell {
        let limits = snapshot.limits
        let quota = principal.solution.flatMap { limits.overrides[$0] } ?? limits.quota
        // Two issuers may name their clients alike: the issuer is part of the key. A solution is one, whoever names it.
        let issuer = principal.issuer ?? ""
        let key =
            switch limits.owner(of: principal) {
            case .client(let name): LimiterKey(namespace: Namespace.client, qualifier: issuer, name)
            case .solution(let name): LimiterKey(namespace: Namespace.solution, name)
            case .subject(let name): LimiterKey(namespace: Namespace.subject, qualifier: issuer, name)
            }
        return shared.limiter.cell(for: key, quota: quota, now: now.monotonic)
    }

    func take(_ cell: Cell, now: Now) -> LimitVerdict {
        spends ? cell.take(now: now.monotonic) : cell.peek(now: now.monotonic)
    }

    /// What the bucket of the address says, and the hash of the address.
    func takeFromPeer(
        _ peer: inout Peer, _ head: borrowing RequestHead, in bytes: borrowing ByteBuffer, now: Now
    ) -> (LimitVerdict, affinity: UInt64) {
        let quota = snapshot.limits.quota
        if let client = clientBehind(peer.address, head, in: bytes) {
            return (take(cell(of: client, in: Namespace.peer, quota, now), now: now), client.affinity)
        }
        if let cell = peer.cell, cell.quota == quota { return (take(cell, now: now), peer.affinity) }
        let cell = cell(of: peer.address, in: Namespace.peer, quota, now)
        peer.cell = cell
        return (take(cell, now: now), peer.affinity)
    }

    private func cell(of address: PeerAddress, in namespace: UInt8, _ quota: Quota, _ now: Now) -> Cell {
        let key = LimiterKey(namespace: namespace, address.site.bytes)
        return shared.limiter.cell(for: key, quota: quota, now: now.monotonic)
    }

    /// The client that a trusted proxy speaks for, by X-Forwarded-For; nil where the peer speaks for itself.
    package func clientBehind(
        _ peer: PeerAddress, _ head: borrowing RequestHead, in bytes: borrowing ByteBuffer
    ) -> PeerAddress? {
        snapshot.forwarding.trustedPeers.isEmpty
            ? nil : ForwardedWalk.client(head, in: bytes, behind: peer, rules: snapshot.forwarding)
    }

    /// Whether the peer is one of our own proxies. Usually there are none, and then nothing is looked at.
    package func trusts(_ peer: PeerAddress) -> Bool {
        !snapshot.forwarding.trustedPeers.isEmpty && snapshot.forwarding.trusts(peer)
    }

    /// The bucket of failures of the client: one that guesses must not shut out all who come by the same proxy.
    func failureCell(
        _ peer: inout Peer, _ head: borrowing RequestHead, in bytes: borrowing ByteBuffer, now: Now
    ) -> Cell {
        let quota = snapshot.limits.failures
        if let client = clientBehind(peer.address, head, in: bytes) {
            return cell(of: client, in: Namespace.failures, quota, now)
        }
        if let cell = peer.failures, cell.quota == quota { return cell }
        let cell = cell(of: peer.address, in: Namespace.failures, quota, now)
        peer.failures = cell
        return cell
    }
}
