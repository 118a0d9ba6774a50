package import Authentication
import Glibc
import RateLimit
import Wire

/// Where a connection comes from: the key of buckets for callers without a credential, and a member of the audit record.
package struct PeerAddress: Sendable, Hashable {
    /// The 128 bits of an IPv6 address; IPv4 as IPv4-mapped IPv6 (RFC 4291 §2.5.5.2), so that both spellings of one address
    /// share one bucket.
    let bits: UInt128

    /// What an IPv4 address begins with as IPv6.
    private static let mapped: UInt128 = 0xffff << 32
    /// Characters of the longest literal, and the NUL behind it.
    private static let literalRoom = Int(INET6_ADDRSTRLEN)

    /// The unspecified address, for sockets that tell nothing.
    package static let unknown = PeerAddress(bits: 0)

    private init(bits: UInt128) {
        self.bits = bits
    }

    /// An address of 4 or 16 octets; `nil` for any other number. An IPv4-mapped one is the IPv4 address.
    package init?(octets: [UInt8]) {
        guard octets.count == 4 || octets.count == 16 else { return nil }
        let number = octets.reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
        self.init(bits: octets.count == 4 ? Self.mapped | number : number)
    }

    /// Reads an address literal, with brackets and a port allowed as X-Forwarded-For has them. `nil` when it is none.
    package init?(text: [UInt8]) {
        self.init(text: text.span)
    }

    /// The same for bytes that lie elsewhere. Allocates nothing.
    init?(text: Span<UInt8>) {
        let colon = UInt8(ascii: ":")
        var literal = text
        if !text.isEmpty, text[0] == UInt8(ascii: "["), let end = text.first(where: { $0 == UInt8(ascii: "]") }) {
            literal = text.extracting(1..<end)
        } else if let only = text.first(where: { $0 == colon }),
            text.extracting((only + 1)...).first(where: { $0 == colon }) == nil,
            text.first(where: { $0 == UInt8(ascii: ".") }) != nil
        {
            literal = text.extracting(first: only)
        }
        guard let bits = Self.bits(of: literal) else { return nil }
        self.init(bits: bits)
    }

    private static func bits(of literal: Span<UInt8>) -> UInt128? {
        guard literal.count < literalRoom, literal.first(where: { $0 == 0 }) == nil else { return nil }
        // Unsafe: the literal and its NUL fit; inet_pton(3) writes 4 or 16 bytes as the family says, and the numbers hold as many.
        return unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: literalRoom) { room in
            for index in literal.indices { unsafe room[index] = CChar(bitPattern: literal[index]) }
            unsafe room[literal.count] = 0
            guard let start = room.baseAddress else { return nil }
            var v4: UInt32 = 0
            if unsafe inet_pton(AF_INET, start, &v4) == 1 { return mapped | UInt128(UInt32(bigEndian: v4)) }
            var v6: UInt128 = 0
            return unsafe inet_pton(AF_INET6, start, &v6) == 1 ? UInt128(bigEndian: v6) : nil
        }
    }

    /// What limits go by: an IPv4 address, or the 64 bits of an IPv6 address that belong to one site (RFC 6177), within which
    /// a client is free to choose.
    var site: PeerAddress { isV4 ? self : PeerAddress(bits: bits & ~UInt128(UInt64.max)) }

    /// Its 16 octets.
    package var bytes: [UInt8] { (0..<16).map { UInt8(truncatingIfNeeded: bits >> (120 - 8 * $0)) } }

    /// A stable hash of it.
    var affinity: UInt64 {
        var hash = StableHash()
        hash.combine(bytes)
        return hash.value
    }

    /// Whether it is an IPv4 address.
    package var isV4: Bool { bits >> 32 == Self.mapped >> 32 }

    /// The address without a port, as RFC 5952 writes it: `192.0.2.1` or `2001:db8::1`; `unknown` where it is not known.
    package var text: [UInt8] { withText { text in text.indices.map { text[$0] } } }

    /// Lends the same text. Allocates nothing.
    package func withText<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        guard bits != 0 else { return body("unknown".utf8.span) }
        // Unsafe: inet_ntop(3) reads as many octets as the family has, and writes a literal and its NUL, for which there is room.
        return unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: Self.literalRoom) { room in
            var (v4, v6) = (UInt32(truncatingIfNeeded: bits).bigEndian, bits.bigEndian)
            unsafe room.withMemoryRebound(to: CChar.self) { room in
                let size = socklen_t(Self.literalRoom)
                if isV4 {
                    unsafe _ = inet_ntop(AF_INET, &v4, room.baseAddress, size)
                } else {
                    unsafe _ = inet_ntop(AF_INET6, &v6, room.baseAddress, size)
                }
            }
            let length = unsafe room.firstIndex(of: 0) ?? 0
            return unsafe body(room.span.extracting(first: length))
        }
    }
}

extension Span<UInt8> {
    /// The place of the first byte of which `isSought` is true.
    fileprivate func first(where isSought: (UInt8) -> Bool) -> Int? {
        for index in indices where isSought(self[index]) { return index }
        return nil
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
