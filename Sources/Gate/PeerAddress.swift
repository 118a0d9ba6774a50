package import Authentication
import Glibc
import RateLimit
import Wire

/// Where a connection comes from: the key of buckets for callers without a credential, and a member of the audit record.
package struct PeerAddress: Sendable, Equatable {
    /// 16 bytes; IPv4 as IPv4-mapped IPv6, so that both spellings of one address share one bucket.
    package let bytes: [UInt8]
    /// The address without a port, as text: `192.0.2.1` or `2001:db8::1`.
    package let text: [UInt8]

    /// A stable hash of it.
    var affinity: UInt64 {
        var hash = StableHash()
        hash.combine(bytes)
        return hash.value
    }

    /// What an IPv4 address begins with as IPv6 (RFC 4291 §2.5.5.2).
    private static let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]

    /// The unspecified address, for sockets that tell nothing.
    package static let unknown = PeerAddress(bytes: [UInt8](repeating: 0, count: 16), text: Array("unknown".utf8))

    init(bytes: [UInt8], text: [UInt8]) {
        self.bytes = bytes
        self.text = text
    }

    /// An address of 4 or 16 octets; `nil` for any other number. An IPv4-mapped one is the IPv4 address.
    package init?(octets: [UInt8]) {
        if octets.count == 16, octets.starts(with: Self.mapped) {
            self.init(octets: Array(octets[12...]))
            return
        }
        let family = octets.count == 4 ? AF_INET : AF_INET6
        guard octets.count == 4 || octets.count == 16 else { return nil }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        // Unsafe: reads as many octets as the family has, and writes at most as many characters as there is room for.
        let done = unsafe text.withUnsafeMutableBufferPointer { room in
            unsafe inet_ntop(family, octets, room.baseAddress, socklen_t(room.count)) != nil
        }
        guard done else { return nil }
        self.init(
            bytes: octets.count == 4 ? Self.mapped + octets : octets,
            text: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) })
    }

    /// Reads an address literal, with brackets and a port allowed as X-Forwarded-For has them. `nil` when it is none.
    package init?(text: [UInt8]) {
        var literal = text[...]
        if literal.first == UInt8(ascii: "["), let end = literal.firstIndex(of: UInt8(ascii: "]")) {
            literal = literal[(literal.startIndex + 1)..<end]
        } else if literal.count(where: { $0 == UInt8(ascii: ":") }) == 1, literal.contains(UInt8(ascii: ".")) {
            literal = literal.prefix { $0 != UInt8(ascii: ":") }
        }
        guard literal.count <= 45, !literal.contains(0) else { return nil }
        let string = String(decoding: literal, as: UTF8.self)
        if let octets = Self.octets(of: string, family: AF_INET, count: 4) {
            self.init(bytes: Self.mapped + octets, text: Array(literal))
        } else if let octets = Self.octets(of: string, family: AF_INET6, count: 16) {
            self.init(bytes: octets, text: Array(literal))
        } else {
            return nil
        }
    }

    private static func octets(of literal: String, family: Int32, count: Int) -> [UInt8]? {
        var octets = [UInt8](repeating: 0, count: count)
        // Unsafe: inet_pton writes 4 or 16 bytes as the family says, and the array holds as many.
        let result = unsafe octets.withUnsafeMutableBytes { unsafe inet_pton(family, literal, $0.baseAddress) }
        return result == 1 ? octets : nil
    }
}

/// A block of addresses in CIDR notation (RFC 4632).
package struct AddressBlock: Sendable, Equatable {
    private let bytes: [UInt8]
    private let bits: Int

    /// `192.0.2.0/24`, `2001:db8::/32`, or a single address. `nil` when it is none of these.
    package init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = PeerAddress(text: Array(first.utf8)) else { return nil }
        let isV4 = !first.utf8.contains(UInt8(ascii: ":"))
        let width = isV4 ? 32 : 128
        var bits = width
        if parts.count == 2 {
            guard let given = Int(parts[1]), (0...width).contains(given) else { return nil }
            bits = given
        }
        self.bytes = address.bytes
        self.bits = isV4 ? 96 + bits : bits
    }

    /// Whether the address lies in the block.
    package func contains(_ address: PeerAddress) -> Bool {
        for index in 0..<16 {
            let remaining = bits - index * 8
            guard remaining > 0 else { return true }
            let mask = remaining >= 8 ? 0xff : UInt8(truncatingIfNeeded: 0xff00 >> remaining)
            if bytes[index] & mask != address.bytes[index] & mask { return false }
        }
        return true
    }
}

/// What one connection remembers of its peer: what it showed when it came, and what goes by that, looked up once.
package struct Peer {
    package let address: PeerAddress
    /// Whether the connection is encrypted.
    package let isSecure: Bool
    /// The verified certificate it has shown.
    private let certificate: ClientCertificate?
    /// Whether that would be verified now as well: authorities may have been withdrawn since the handshake.
    private let isVouched: () -> Bool
    private var vouched: (isVouched: Bool, generation: UInt64)?
    /// The name of the listener it came to, by which the snapshot knows whom certificates name.
    let listener: String
    /// What the certificate came to, and under which generation.
    var admission: (value: Admission, generation: UInt64)?
    /// The bucket of requests without a credential.
    var cell: Cell?
    /// The bucket of failed authentications.
    var failures: Cell?

    /// The stable hash of the address.
    let affinity: UInt64
    private let place: AddressPlaces.Place?

    package init(
        address: PeerAddress, isSecure: Bool = false, listener: String = "", certificate: ClientCertificate? = nil,
        isVouched: @escaping () -> Bool = { true }, place: AddressPlaces.Place? = nil
    ) {
        self.isVouched = isVouched
        self.place = place
        self.address = address
        self.affinity = address.affinity
        self.isSecure = isSecure
        self.listener = listener
        self.certificate = certificate
    }

    /// The certificate, as long as the listener's authorities vouch for it, which is asked once for each generation.
    mutating func certificate(under generation: UInt64) -> ClientCertificate? {
        guard let certificate else { return nil }
        if let vouched, vouched.generation == generation { return vouched.isVouched ? certificate : nil }
        let isVouched = isVouched()
        vouched = (isVouched, generation)
        return isVouched ? certificate : nil
    }

    /// The connection has ended: its place among those of its address is free.
    package func leave() {
        place?.release()
    }
}
