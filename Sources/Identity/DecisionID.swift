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
    }

    /// Sixteen bytes as 32 lower-case hexadecimal digits; also a valid W3C trace id unless both words are 0.
    package init(high: UInt64, low: UInt64) {
        storage = InlineArray(repeating: 0)
        length = 32
        var words = (high, low)
        for index in stride(from: 15, through: 0, by: -1) {
            storage[index] = Self.hexDigit(words.0)
            storage[index + 16] = Self.hexDigit(words.1)
            words.0 >>= 4
            words.1 >>= 4
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

    private static func hexDigit(_ word: UInt64) -> UInt8 {
        let digit = UInt8(truncatingIfNeeded: word & 15)
        return digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
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
