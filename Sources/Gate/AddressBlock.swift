/// A block of addresses in CIDR notation (RFC 4632).
package struct AddressBlock: Sendable, Equatable {
    private let prefix: UInt128
    private let mask: UInt128

    /// `192.0.2.0/24`, `2001:db8::/32`, or a single address. `nil` when it is none of these.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = PeerAddress(text: Array(first.utf8)) else { return nil }
        let isV4 = !first.utf8.contains(UInt8(ascii: ":"))
        let width = isV4 ? 32 : 128
        var length = width
        if parts.count == 2 {
            guard let given = Int(parts[1]), (0...width).contains(given) else { return nil }
            length = given
        }
        // Shifting by all 128 bits leaves none, which is the mask of "::/0".
        self.mask = UInt128.max << UInt128(width - length)
        self.prefix = address.bits & mask
    }

    /// Whether the address lies in the block.
    package func contains(_ address: PeerAddress) -> Bool {
        address.bits & mask == prefix
    }
}
