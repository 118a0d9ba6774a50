package import NIOCore
package import Wire

/// Who the client is behind our own proxies: X-Forwarded-For walked from the right through trusted addresses.
package enum ForwardedWalk {
    /// The hops looked at; a longer list is not ours.
    private static let maximumHops = 32

    /// The first address from the right that is no trusted peer, or the leftmost one. `nil` when the field is absent
    /// or its rightmost entry is no address. Call it only when the connection itself comes from a trusted peer.
    package static func client(_ head: RequestHead, in bytes: ByteBuffer, rules: ForwardingRules) -> PeerAddress? {
        let span = bytes.readableBytesUInt8Span
        var found: PeerAddress?
        var hops = 0
        for field in head.fields.reversed() where field.kind == .xForwardedFor {
            let value = span.copy(field.value)
            for entry in value.split(separator: UInt8(ascii: ",")).reversed() {
                hops += 1
                guard hops <= maximumHops, let address = PeerAddress(text: entry.trimmed) else { return found }
                found = address
                guard rules.trusts(address) else { return found }
            }
        }
        return found
    }
}

extension ArraySlice<UInt8> {
    /// Without the optional white space of RFC 9110 §5.6.3.
    fileprivate var trimmed: [UInt8] {
        let isSpace = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        guard let first = firstIndex(where: { !isSpace($0) }), let last = lastIndex(where: { !isSpace($0) }) else {
            return []
        }
        return Array(self[first...last])
    }
}
