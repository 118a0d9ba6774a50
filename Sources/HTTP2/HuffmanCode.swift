/// The Huffman code of RFC 7541, appendix B.
///
/// The code is canonical: the lengths alone define it. Decoding looks at the next eight bits, which say what the symbol is
/// when its code is not longer: so are all letters, digits and most of what stands in a URI or a token. Longer codes are
/// found by comparing, for the codes of each length follow one another.
package struct HuffmanCode: Sendable {
    /// Bits of each octet's code; the last is EOS.
    package static let lengths: [UInt8] = [
        13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
        28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
        6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
        5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
        13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
        7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
        15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
        6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
        20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
        24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
        22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
        21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
        26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
        19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
        20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
        26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
        30,
    ]

    /// The codes, in the lowest bits.
    package static let codes: [UInt32] = {
        var codes = [UInt32](repeating: 0, count: lengths.count)
        var code: UInt32 = 0
        for length in UInt8(5)...30 {
            for symbol in lengths.indices where lengths[symbol] == length {
                codes[symbol] = code
                code += 1
            }
            code <<= 1
        }
        return codes
    }()

    static let shared = HuffmanCode()

    private static let endOfString: UInt16 = 256
    /// The longest code, in bits.
    private static let maximumLength: UInt64 = 30

    /// Codes of one length, of more than eight bits.
    private struct Lengths: Sendable {
        var length: UInt64
        /// The last of these codes and ones behind it, in 32 bits: what is greater begins a longer code.
        var last: UInt32
        /// The first of these codes, in the lowest bits, and the place of its symbol in `symbols`.
        var first: UInt32
        var place: Int
    }

    /// For each eight bits the length of the code they begin with, and from bit 8 its symbol; 0 when it is longer.
    private let short: [UInt16]
    private let long: [Lengths]
    /// The symbols in the order of their codes.
    private let symbols: [UInt16]

    private init() {
        var short = [UInt16](repeating: 0, count: 256)
        var long: [Lengths] = []
        var symbols: [UInt16] = []
        for length in 5...Int(Self.maximumLength) {
            let members = Self.lengths.indices.filter { Self.lengths[$0] == length }
            guard let first = members.first, let last = members.last else { continue }
            if length > 8 {
                let shift = UInt32(32 - length)
                long.append(
                    Lengths(
                        length: UInt64(length), last: Self.codes[last] << shift | (1 << shift - 1),
                        first: Self.codes[first], place: symbols.count))
            } else {
                for symbol in members {
                    let start = Int(Self.codes[symbol]) << (8 - length)
                    for bits in start..<start + 1 << (8 - length) {
                        short[bits] = UInt16(symbol) << 8 | UInt16(length)
                    }
                }
            }
            symbols += members.map { UInt16($0) }
        }
        (self.short, self.long, self.symbols) = (short, long, symbols)
    }

    /// The symbol that 32 bits begin with, when its code is longer than eight, and the length of that.
    private func longSymbol(_ bits: UInt32) -> (symbol: UInt16, length: UInt64) {
        for lengths in long where bits <= lengths.last {
            let place = lengths.place + Int(bits >> UInt32(32 - lengths.length) - lengths.first)
            return (symbols[place], lengths.length)
        }
        // Never reached: behind the last code, EOS, there is none.
        return (Self.endOfString, Self.maximumLength)
    }

    /// Appends the octets that a Huffman-coded string stands for (RFC 7541 §5.2).
    ///
    /// At most 8/5 of the octets given are appended. False when the string holds EOS or its padding is wrong. O(octets).
    func decode(_ coded: Span<UInt8>, to octets: inout [UInt8]) -> Bool {
        var isValid = false
        octets.append(addingCapacity: coded.count * 8 / 5 + 1) { output in
            let short = short.span
            // So it is, and with this no look-up below compares its index.
            guard short.count == 256 else { return }
            // Bits that were read and not decoded, the next of them in the highest.
            var bits: UInt64 = 0
            var count: UInt64 = 0
            var cursor = 0
            // Whatever the next symbol is, its code is there.
            while cursor + 4 <= coded.count {
                bits |= UInt64(coded.integer(at: cursor)) &<< (32 &- count)
                count &+= 32
                cursor += 4
                while count >= 32 {
                    let entry = short[Int(truncatingIfNeeded: bits &>> 56)]
                    if entry != 0 {
                        output.append(UInt8(truncatingIfNeeded: entry &>> 8))
                        // A shift takes the lowest six bits, which are the length's.
                        bits &<<= UInt64(entry)
                        count &-= UInt64(entry & 0xFF)
                        continue
                    }
                    let found = longSymbol(UInt32(truncatingIfNeeded: bits &>> 32))
                    guard found.symbol != Self.endOfString else { return }
                    output.append(UInt8(truncatingIfNeeded: found.symbol))
                    bits &<<= found.length
                    count &-= found.length
                }
            }
            while cursor < coded.count {
                bits |= UInt64(coded[cursor]) &<< (56 &- count)
                count &+= 8
                cursor += 1
            }
            isValid = finish(bits, count, to: &output)
        }
        return isValid
    }

    /// Decodes the last bits, of which there are fewer than 56. What is left of them in the end is padding: at most seven
    /// bits, all of them ones.
    private func finish(_ last: UInt64, _ available: UInt64, to output: inout OutputSpan<UInt8>) -> Bool {
        var bits = last
        var count = available
        while true {
            let padded = bits | UInt64.max &>> count
            let entry = short[Int(truncatingIfNeeded: padded >> 56)]
            var symbol = entry &>> 8
            var length = UInt64(entry & 0xFF)
            if length == 0 { (symbol, length) = longSymbol(UInt32(truncatingIfNeeded: padded >> 32)) }
            guard length <= count else { return count <= 7 && padded == .max }
            guard symbol != Self.endOfString else { return false }
            output.append(UInt8(truncatingIfNeeded: symbol))
            bits &<<= length
            count &-= length
        }
    }
}
