package import NIOCore
package import Wire

/// Who the client is behind our own proxies: X-Forwarded-For walked from the right through trusted addresses.
package enum ForwardedWalk {
    /// The hops looked at; a longer list is not ours.
    private static let maximumHops = 32

    /// The first address from the right that is no trusted peer, or the leftmost one. `nil` when the field is absent
    /// or its rightmost entry is no address, and when the connection itself comes from no trusted peer. Allocates nothing.
    package static func client(
        _ head: borrowing RequestHead, in bytes: borrowing ByteBuffer, behind peer: PeerAddress, rules: ForwardingRules
    ) -> PeerAddress? {
        guard rules.trusts(peer) else { return nil }
        let span = bytes.readableBytesUInt8Span
        var found: PeerAddress?
        var hops = 0
        for field in head.fields.reversed() where field.kind == .xForwardedFor {
            var rest = span.extracting(field.value.range)
            while !rest.isEmpty {
                let start = rest.indices.last { rest[$0] == UInt8(ascii: ",") }.map { $0 + 1 } ?? 0
                hops += 1
                let entry = rest.extracting(droppingFirst: start)
                guard hops <= maximumHops, let address = PeerAddress(text: entry.extracting(entry.trimmed)) else {
                    return found
                }
                found = address
                guard rules.trusts(address) else { return found }
                rest = rest.extracting(first: max(0, start - 1))
            }
        }
        return found
    }
}

extension Span<UInt8> {
    /// Without the optional white space of RFC 9110 §5.6.3.
    fileprivate var trimmed: Range<Int> {
        var (lower, upper) = (0, count)
        while lower < upper, Self.isSpace(self[lower]) { lower += 1 }
        while lower < upper, Self.isSpace(self[upper - 1]) { upper -= 1 }
        return lower..<upper
    }

    private static func isSpace(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
    }
}
