/// The id under which one request is found again: in `x-request-id`, in a refusal's body and in the audit record.
///
/// Up to 64 bytes of visible ASCII, held inline, so that making and copying one allocates nothing.
@usableFromInline
package struct DecisionID: Sendable, Equatable {
    /// The longest id, in bytes.
    package static let maximumCount = 64

    @usableFromInline
    var storage: InlineArray<64, UInt8>
    @usableFromInline
    var length: UInt8
    /// Whether the id has the form of a W3C trace id: 32 lower-case hexadecimal digits, not all of them 0. Found out once,
    /// because every request asks.
    package let isTraceID: Bool

    /// The number of bytes, 1...64.
    @inlinable
    package var count: Int { Int(length) }

    /// Takes over a client's id, or nil when it is empty, longer than 64 bytes, or holds anything but letters,
    /// digits and `-._~:/+=@`.
    ///
    /// Quotes, commas, spaces and backslashes stay out, so that the id needs no escaping in a header, in JSON or in
    /// a log line.
    package init?(adopting bytes: Span<UInt8>) {
        guard !bytes.isEmpty, bytes.count <= Self.maximumCount else { return nil }
        storage = InlineArray(repeating: 0)
        length = UInt8(truncatingIfNeeded: bytes.count)
        for index in bytes.indices {
            guard Self.isAllowed(bytes[index]) else { return nil }
            storage[index] = bytes[index]
        }
        isTraceID = Self.isTraceID(bytes)
    }

    /// Sixteen bytes as 32 lower-case hexadecimal digits; also a valid W3C trace id unless both words are 0.
    package init(high: UInt64, low: UInt64) {
        storage = InlineArray(repeating: 0)
        length = 32
        isTraceID = high | low != 0
        let digits = (
            Self.hexDigits(high >> 32), Self.hexDigits(high), Self.hexDigits(low >> 32), Self.hexDigits(low)
        )
        var span = storage.mutableSpan
        // Unsafe: bytes have no padding; each store is checked against the 64 bytes there are.
        unsafe span.withUnsafeMutableBytes { bytes in
            unsafe bytes.storeBytes(of: digits.0, toByteOffset: 0, as: UInt64.self)
            unsafe bytes.storeBytes(of: digits.1, toByteOffset: 8, as: UInt64.self)
            unsafe bytes.storeBytes(of: digits.2, toByteOffset: 16, as: UInt64.self)
            unsafe bytes.storeBytes(of: digits.3, toByteOffset: 24, as: UInt64.self)
        }
    }

    /// The byte at `index`, 0..<count.
    @inlinable
    package subscript(index: Int) -> UInt8 { storage[index] }

    /// Lends the bytes without copying them.
    @inlinable
    package func withSpan<Result: ~Copyable, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(storage.span.extracting(first: count))
    }

    /// The id as text; allocates, so not for the fast path.
    package var text: String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        for index in 0..<count { bytes.append(storage[index]) }
        return String(decoding: bytes, as: UTF8.self)
    }

    @usableFromInline
    package static func == (left: DecisionID, right: DecisionID) -> Bool {
        guard left.length == right.length else { return false }
        for index in 0..<left.count where left.storage[index] != right.storage[index] { return false }
        return true
    }

    /// The low 32 bits as eight lower-case hexadecimal digits, the first in the byte that is stored first.
    ///
    /// All eight at once: each nibble is brought into a byte of its own, and those above 9 get the distance from `:` to
    /// `a` added.
    private static func hexDigits(_ word: UInt64) -> UInt64 {
        var spread = word & 0xffff_ffff
        spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff
        spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff
        spread = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f
        let letters = (spread &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        return (spread &+ 0x3030_3030_3030_3030 &+ letters &* 0x27).bigEndian
    }

    private static func isTraceID(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count == 32 else { return false }
        var isZero = true
        for index in bytes.indices {
            switch bytes[index] {
            case UInt8(ascii: "0"): break
            case UInt8(ascii: "1")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"): isZero = false
            case _: return false
            }
        }
        return !isZero
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"), UInt8(ascii: ":"),
            UInt8(ascii: "/"), UInt8(ascii: "+"), UInt8(ascii: "="), UInt8(ascii: "@"):
            true
        default: false
        }
    }
}

/// Makes decision ids: one generator per event loop, no allocation, no lock.
///
/// An id is the loop's random prefix and a counter sent through a keyed bijection. Within one generator no id
/// repeats before 2^64 of them; a client that sees two ids cannot tell how many requests lay between.
package struct DecisionIDGenerator: Sendable {
    private let prefix: UInt64
    private let key: UInt64
    private var counter: UInt64 = 0

    /// `prefix` and `key` come from a random source; generators that run side by side need different prefixes.
    package init(prefix: UInt64, key: UInt64) {
        self.prefix = prefix
        self.key = key
    }

    /// Draws prefix and key.
    package init(random: inout some RandomNumberGenerator) {
        self.init(prefix: random.next(), key: random.next())
    }

    /// The next id: 32 lower-case hexadecimal digits.
    package mutating func next() -> DecisionID {
        counter &+= 1
        // The finalizer of SplitMix64: multiplications by odd numbers and xor-shifts, each of them invertible.
        var word = counter &+ key
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return DecisionID(high: prefix, low: word ^ (word >> 31))
    }
}
