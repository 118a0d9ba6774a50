/// A range of IP addresses in CIDR notation (RFC 4632, RFC 4291 §2.3): `10.0.0.0/8`, `fd00::/8`, `::1`.
package struct AddressRange: Sendable, Hashable, CustomStringConvertible {
    /// 4 or 16 bytes; those beyond the prefix are zero.
    package let address: [UInt8]
    /// 0...32 or 0...128.
    package let prefixLength: Int

    /// Why a text is none.
    package enum Defect: Error, Sendable, Equatable {
        case address, prefix
        /// Bits beyond the prefix are set; the range that was probably meant.
        case hostBits(String)
    }

    /// Reads `address` or `address/prefix`; a lone address stands for itself.
    package init(_ text: String) throws(Defect) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = IPAddress.parse(String(first)) else { throw .address }
        var length = address.count * 8
        if parts.count == 2 {
            guard (1...3).contains(parts[1].utf8.count), parts[1].utf8.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }),
                let prefix = Int(parts[1]), prefix <= length
            else { throw .prefix }
            length = prefix
        }
        var masked = address
        for index in masked.indices {
            let kept = min(max(length - index * 8, 0), 8)
            masked[index] &= UInt8(truncatingIfNeeded: 0xff00 >> kept)
        }
        guard masked == address else { throw .hostBits("\(IPAddress.text(masked))/\(length)") }
        self.address = address
        self.prefixLength = length
    }

    package var description: String { "\(IPAddress.text(address))/\(prefixLength)" }
}

/// IP addresses as text and as bytes.
enum IPAddress {
    /// 4 bytes of a dotted quad without leading zeros, 16 bytes of an IPv6 address (RFC 4291 §2.2), or nil.
    static func parse(_ text: String) -> [UInt8]? {
        text.utf8.contains(UInt8(ascii: ":")) ? parseV6(text) : parseV4(Substring(text))
    }

    /// Dotted quad, or IPv6 with the first longest run of zeros shortened (RFC 5952).
    static func text(_ bytes: [UInt8]) -> String {
        guard bytes.count == 16 else { return bytes.map(String.init).joined(separator: ".") }
        let groups = stride(from: 0, to: 16, by: 2).map { UInt16(bytes[$0]) << 8 | UInt16(bytes[$0 + 1]) }
        var best = 0..<0
        var start = 0
        while start < 8 {
            let end = groups[start...].firstIndex { $0 != 0 } ?? 8
            if end - start > max(best.count, 1) { best = start..<end }
            start = max(end, start + 1)
        }
        let hex = groups.map { String($0, radix: 16) }
        if best.isEmpty { return hex.joined(separator: ":") }
        return hex[..<best.lowerBound].joined(separator: ":") + "::" + hex[best.upperBound...].joined(separator: ":")
    }

    private static func parseV4(_ text: Substring) -> [UInt8]? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }),
                part.utf8.count == 1 || part.utf8.first != UInt8(ascii: "0"), let byte = UInt8(part)
            else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    private static func parseV6(_ text: String) -> [UInt8]? {
        guard text.utf8.count <= 45 else { return nil }
        guard let gap = doubleColon(text) else {
            guard let bytes = groups(Substring(text), mayEndInQuad: true), bytes.count == 16 else { return nil }
            return bytes
        }
        guard let left = groups(text[..<gap.lowerBound], mayEndInQuad: false),
            let right = groups(text[gap.upperBound...], mayEndInQuad: true),
            left.count + right.count <= 14
        else { return nil }
        return left + [UInt8](repeating: 0, count: 16 - left.count - right.count) + right
    }

    private static func doubleColon(_ text: String) -> Range<String.Index>? {
        let colons = text.utf8.indices.filter { text.utf8[$0] == UInt8(ascii: ":") }
        for (first, second) in zip(colons, colons.dropFirst()) where text.utf8.index(after: first) == second {
            return first..<text.utf8.index(after: second)
        }
        return nil
    }

    /// Groups of one to four hexadecimal digits, the last two of an address may be a dotted quad.
    private static func groups(_ text: Substring, mayEndInQuad: Bool) -> [UInt8]? {
        if text.isEmpty { return [] }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        var bytes: [UInt8] = []
        for (index, part) in parts.enumerated() {
            if mayEndInQuad, index == parts.count - 1, part.utf8.contains(UInt8(ascii: ".")), let quad = parseV4(part) {
                bytes.append(contentsOf: quad)
                continue
            }
            guard (1...4).contains(part.utf8.count), part.utf8.allSatisfy(isHexadecimal),
                let group = UInt16(part, radix: 16)
            else { return nil }
            bytes.append(UInt8(truncatingIfNeeded: group >> 8))
            bytes.append(UInt8(truncatingIfNeeded: group))
        }
        return bytes
    }
}

/// Whether a byte is one of `0-9 a-f A-F`.
func isHexadecimal(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
        UInt8(ascii: "A")...UInt8(ascii: "F"):
        true
    default: false
    }
}
