/// A hash that is the same in every process and every run, for choices that several gateways should make alike.
///
/// FNV-1a with a finalizer. It is no secret and stands against nobody: tables of what peers send use a keyed hash.
package struct StableHash: Sendable {
    private var state: UInt64 = 0xcbf2_9ce4_8422_2325

    package init() {}

    /// Takes bytes in; linear in their number.
    package mutating func combine(_ bytes: some Sequence<UInt8>) {
        for byte in bytes { combine(byte) }
    }

    /// Takes bytes in; linear in their number. Concrete, because a generic one is not specialised for other rooms.
    package mutating func combine(_ bytes: Span<UInt8>) {
        for index in bytes.indices { combine(bytes[index]) }
    }

    /// Takes one byte in.
    package mutating func combine(_ byte: UInt8) {
        state = (state ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
    }

    /// The hash of everything taken in.
    package var value: UInt64 { Self.mix(state) }

    /// Spreads a number over all 64 bits (the finalizer of SplitMix64); a bijection.
    package static func mix(_ number: UInt64) -> UInt64 {
        var bits = number &+ 0x9e37_79b9_7f4a_7c15
        bits = (bits ^ bits >> 30) &* 0xbf58_476d_1ce4_e5b9
        bits = (bits ^ bits >> 27) &* 0x94d0_49bb_1331_11eb
        return bits ^ bits >> 31
    }
}
