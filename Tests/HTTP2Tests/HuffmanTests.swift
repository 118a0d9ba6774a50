import HTTP2
import TestKit
import Testing
import Wire

/// The decoder looks at eight bits at a time; these tests compare it with one that looks at each.
@Suite("The Huffman code (RFC 7541 §5.2)") struct HuffmanTests {
    /// One decoder for all: literals that are not indexed leave nothing behind.
    private final class Decoder {
        private var decoder = HPACKDecoder()
        private var list = HeaderList(maximumSize: 1 << 20, maximumFields: 1)

        /// What a coded string stands for; nil when it is wrong.
        func decode(_ coded: [UInt8]) -> [UInt8]? {
            let block = [0x00, 0x01, 0x6E] + Bytes.integer(coded.count, prefix: 7, first: 0x80) + coded
            guard (try? decoder.decode(block.span, into: &list)) != nil, let field = list.fields.first else {
                return nil
            }
            return Array(list.octets[field.value.range])
        }
    }

    private struct Code: Hashable {
        var length: UInt8 = 0
        var bits: UInt32 = 0
    }

    private static let symbols: [Code: Int] = Dictionary(
        uniqueKeysWithValues: HuffmanCode.lengths.indices.map {
            (Code(length: HuffmanCode.lengths[$0], bits: HuffmanCode.codes[$0]), $0)
        })

    /// Bit by bit.
    private static func naive(_ coded: [UInt8]) -> [UInt8]? {
        var octets: [UInt8] = []
        var code = Code()
        for octet in coded {
            for bit in stride(from: 7, through: 0, by: -1) {
                code = Code(length: code.length + 1, bits: code.bits << 1 | UInt32(octet >> UInt8(bit) & 1))
                guard let symbol = symbols[code] else { continue }
                guard symbol < 256 else { return nil }
                octets.append(UInt8(symbol))
                code = Code()
            }
        }
        return code.length <= 7 && code.bits == 1 << UInt32(code.length) - 1 ? octets : nil
    }

    private static func bits(_ symbols: [Int]) -> [Bool] {
        symbols.flatMap { symbol in
            (0..<HuffmanCode.lengths[symbol]).reversed().map { HuffmanCode.codes[symbol] >> UInt32($0) & 1 == 1 }
        }
    }

    /// Whole octets, the last filled up from the highest bits of `padding`.
    private static func octets(_ bits: [Bool], padding: UInt8) -> [UInt8] {
        var octets = [UInt8](repeating: 0, count: (bits.count + 7) / 8)
        for index in 0..<octets.count * 8 {
            let fill = padding >> UInt8(7 - (index - bits.count) & 7) & 1 == 1
            if index < bits.count ? bits[index] : fill { octets[index / 8] |= 0x80 >> UInt8(index % 8) }
        }
        return octets
    }

    /// A random string: of those that are common, of all, or of the longest codes.
    private static func symbols(_ count: Int, using random: inout SeededGenerator) -> [Int] {
        let kind = Int.random(in: 0..<3, using: &random)
        let long = HuffmanCode.lengths.indices.filter { HuffmanCode.lengths[$0] > 24 && $0 < 256 }
        return (0..<count).map { _ in
            switch kind {
            case 0: Int.random(in: 0x2B...0x7A, using: &random)
            case 1: Int.random(in: 0...255, using: &random)
            case _: long[Int.random(in: 0..<long.count, using: &random)]
            }
        }
    }

    @Test("Every octet, and every two of them") func pairs() {
        let decoder = Decoder()
        for first in UInt8.min...UInt8.max {
            #expect(decoder.decode(Bytes.huffman([first])) == [first])
            let wrong = (UInt8.min...UInt8.max).first { second in
                decoder.decode(Bytes.huffman([first, second])) != [first, second]
            }
            #expect(wrong == nil, "\(first)")
        }
    }

    @Test("Whatever octets come") func random() {
        var random = SeededGenerator(seed: 21)
        let decoder = Decoder()
        for _ in 0..<20000 {
            let coded = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                // Ones lead to the long codes.
                UInt8.random(in: 0...255, using: &random) | UInt8.random(in: 0...255, using: &random)
            }
            let expected = Self.naive(coded)
            guard decoder.decode(coded) == expected else {
                Issue.record("\(coded) is \(expected.map { "\($0)" } ?? "wrong")")
                return
            }
        }
    }

    @Test("Every padding, every truncation, and octets behind the end") func ends() {
        var random = SeededGenerator(seed: 22)
        let decoder = Decoder()
        for count in 0..<60 {
            let bits = Self.bits(Self.symbols(count, using: &random))
            var strings = (UInt8.min...UInt8.max).map { Self.octets(bits, padding: $0) }
            let whole = Self.octets(bits, padding: 0xFF)
            #expect(decoder.decode(whole) != nil)
            strings += (0..<whole.count).map { Array(whole.prefix($0)) }
            for octet in [0x00, 0x07, 0x7F, 0xF8, 0xFE, 0xFF] as [UInt8] {
                for more in 1...9 { strings.append(whole + [UInt8](repeating: octet, count: more)) }
            }
            for coded in strings {
                let expected = Self.naive(coded)
                guard decoder.decode(coded) == expected else {
                    Issue.record("\(coded) is \(expected.map { "\($0)" } ?? "wrong")")
                    return
                }
            }
        }
    }

    @Test("EOS is an error wherever it stands") func endOfString() {
        var random = SeededGenerator(seed: 23)
        let decoder = Decoder()
        for count in 0..<40 {
            let symbols = Self.symbols(count, using: &random)
            for place in 0...count {
                let with = symbols.prefix(place) + [256] + symbols.dropFirst(place)
                #expect(decoder.decode(Self.octets(Self.bits(Array(with)), padding: 0xFF)) == nil)
            }
        }
    }

    @Test("A long string is what it was") func long() {
        var random = SeededGenerator(seed: 24)
        let decoder = Decoder()
        for count in [100, 699, 700, 701, 5000] {
            let symbols = Self.symbols(count, using: &random)
            #expect(decoder.decode(Self.octets(Self.bits(symbols), padding: 0xFF)) == symbols.map { UInt8($0) })
        }
    }
}
