/// The Huffman code of RFC 7541, appendix B.
///
/// The code is canonical: the lengths alone define it. Decoding walks the tree four bits at a time through a table that is
/// computed once.
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

    private static let emits: UInt32 = 1 << 8
    private static let fails: UInt32 = 1 << 9
    private static let mayEnd: UInt32 = 1 << 10

    /// For each inner node and four bits: the next node, whether an octet ends here and which (from bit 16).
    private let steps: [UInt32]

    private init() {
        // A tree of 256 inner nodes; a child is a node, or ~symbol.
        var children: [(zero: Int, one: Int)] = [(0, 0)]
        var depth: [(ones: Bool, count: Int)] = [(true, 0)]
        for (symbol, length) in Self.lengths.enumerated() {
            var node = 0
            for bit in stride(from: Int(length) - 1, through: 0, by: -1) {
                let isOne = Self.codes[symbol] >> UInt32(bit) & 1 == 1
                let child = isOne ? children[node].one : children[node].zero
                if bit == 0 {
                    if isOne { children[node].one = ~symbol } else { children[node].zero = ~symbol }
                } else if child > 0 {
                    node = child
                } else {
                    if isOne { children[node].one = children.count } else { children[node].zero = children.count }
                    depth.append((depth[node].ones && isOne, depth[node].count + 1))
                    node = children.count
                    children.append((0, 0))
                }
            }
        }
        var steps = [UInt32](repeating: Self.fails, count: children.count * 16)
        for start in children.indices {
            for nibble in 0..<16 {
                var node = start
                var step: UInt32 = 0
                for bit in stride(from: 3, through: 0, by: -1) where step & Self.fails == 0 {
                    let child = nibble >> bit & 1 == 1 ? children[node].one : children[node].zero
                    if child >= 0 {
                        node = child
                    } else if ~child < 256 {
                        step |= Self.emits | UInt32(~child) << 16
                        node = 0
                    } else {
                        // EOS in a string is an error (RFC 7541 §5.2).
                        step = Self.fails
                    }
                }
                // Padding is at most seven bits, all of them ones.
                if depth[node].ones, depth[node].count <= 7 { step |= Self.mayEnd }
                steps[start << 4 | nibble] = step | UInt32(node)
            }
        }
        self.steps = steps
    }

    /// Appends the octets that a Huffman-coded string stands for (RFC 7541 §5.2).
    ///
    /// At most 8/5 of the octets given are appended. False when the string holds EOS or its padding is wrong. O(octets).
    func decode(_ coded: Span<UInt8>, to octets: inout [UInt8]) -> Bool {
        var isValid = true
        octets.append(addingCapacity: coded.count * 8 / 5 + 1) { output in
            var state: UInt32 = Self.mayEnd
            for index in coded.indices {
                let octet = Int(coded[index])
                state = steps[Int(state & 0xFF) << 4 | octet >> 4]
                if state & Self.emits != 0 { output.append(UInt8(truncatingIfNeeded: state >> 16)) }
                if state & Self.fails != 0 { break }
                state = steps[Int(state & 0xFF) << 4 | octet & 15]
                if state & Self.emits != 0 { output.append(UInt8(truncatingIfNeeded: state >> 16)) }
                if state & Self.fails != 0 { break }
            }
            isValid = state & Self.mayEnd != 0 && state & Self.fails == 0
        }
        return isValid
    }
}
