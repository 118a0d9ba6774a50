import HTTP2
import NIOCore
import TestKit
import Testing
import Wire

@Suite("HPACK (RFC 7541)") struct HPACKTests {
    private static func decode(
        _ block: [UInt8], with decoder: inout HPACKDecoder, limits: HTTP2Limits = HTTP2Limits()
    ) throws -> [String] {
        var list = HeaderList(maximumSize: limits.maximumHeaderListSize, maximumFields: limits.maximumFields)
        try decoder.decode(block.span, into: &list)
        return list.fields.map { field in
            String(decoding: list.octets[field.name.range], as: UTF8.self) + ": "
                + String(decoding: list.octets[field.value.range], as: UTF8.self)
        }
    }

    private static func failure(_ block: [UInt8]) -> HTTP2ErrorCode? {
        var decoder = HPACKDecoder()
        do {
            _ = try decode(block, with: &decoder)
            return nil
        } catch let error as HTTP2Error {
            return error.code
        } catch {
            return nil
        }
    }

    @Test("RFC 7541 C.4: requests with Huffman coding, and the table between them") func requests() throws {
        var decoder = HPACKDecoder()
        let first: [UInt8] = [
            0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
        ]
        let common = [":method: GET", ":scheme: http", ":path: /", ":authority: www.example.com"]
        #expect(try Self.decode(first, with: &decoder) == common)
        let second: [UInt8] = [0x82, 0x86, 0x84, 0xbe, 0x58, 0x86, 0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]
        #expect(try Self.decode(second, with: &decoder) == common + ["cache-control: no-cache"])
        let third: [UInt8] = [
            0x82, 0x87, 0x85, 0xbf, 0x40, 0x88, 0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f, 0x89, 0x25, 0xa8, 0x49,
            0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf,
        ]
        #expect(
            try Self.decode(third, with: &decoder) == [
                ":method: GET", ":scheme: https", ":path: /index.html", ":authority: www.example.com",
                "custom-key: custom-value",
            ])
    }

    @Test("RFC 7541 C.6: answers whose entries push one another out of a table of 256") func evictions() throws {
        var decoder = HPACKDecoder(maximumTableSize: 256)
        let first: [UInt8] = [
            0x48, 0x82, 0x64, 0x02, 0x58, 0x85, 0xae, 0xc3, 0x77, 0x1a, 0x4b, 0x61, 0x96, 0xd0, 0x7a, 0xbe, 0x94, 0x10,
            0x54, 0xd4, 0x44, 0xa8, 0x20, 0x05, 0x95, 0x04, 0x0b, 0x81, 0x66, 0xe0, 0x82, 0xa6, 0x2d, 0x1b, 0xff, 0x6e,
            0x91, 0x9d, 0x29, 0xad, 0x17, 0x18, 0x63, 0xc7, 0x8f, 0x0b, 0x97, 0xc8, 0xe9, 0xae, 0x82, 0xae, 0x43, 0xd3,
        ]
        let date = "date: Mon, 21 Oct 2013 20:13:21 GMT"
        #expect(
            try Self.decode(first, with: &decoder) == [
                ":status: 302", "cache-control: private", date, "location: https://www.example.com",
            ])
        #expect(
            try Self.decode([0x48, 0x83, 0x64, 0x0e, 0xff, 0xc1, 0xc0, 0xbf], with: &decoder) == [
                ":status: 307", "cache-control: private", date, "location: https://www.example.com",
            ])
        // `:status: 302` was the oldest and is gone: three entries are left.
        #expect(throws: HTTP2Error.self) { try Self.decode([0x80 | 62 + 4], with: &decoder) }
    }

    @Test("Every octet survives the Huffman code, alone and in random strings") func huffman() throws {
        var random = SeededGenerator(seed: 7)
        var strings = (0...255).map { [UInt8($0)] }
        for count in [0, 1, 2, 3, 17, 256, 1000] {
            strings.append((0..<count).map { _ in UInt8.random(in: 0...255, using: &random) })
        }
        for octets in strings {
            var decoder = HPACKDecoder()
            var list = HeaderList()
            let coded = Bytes.huffman(octets)
            let block =
                [0x00] + Bytes.string(Array("n".utf8)) + Bytes.integer(coded.count, prefix: 7, first: 0x80) + coded
            try decoder.decode(block.span, into: &list)
            let field = try #require(list.fields.first)
            #expect(Array(list.octets[field.value.range]) == octets)
        }
    }

    @Test(
        "What no decoder may accept",
        arguments: [
            ("index 0", [0x80]),
            ("an index behind the tables", [0xbe]),
            ("a literal's name index behind the tables", [0x7f, 0x00]),
            ("a block that ends in an integer", [0xff]),
            ("a block that ends before a string", [0x00]),
            ("a block that ends in a string", [0x00, 0x05, 0x61]),
            ("an integer that is too large", [0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]),
            ("an update over the limit", [0x3f, 0xe2, 0x1f]),
            ("an update behind a field", [0x82, 0x20]),
            ("three updates", [0x20, 0x20, 0x20]),
            ("padding of eight bits", [0x00, 0x01, 0x61, 0x82, 0x1f, 0xff]),
            ("padding with zeros", [0x00, 0x01, 0x61, 0x81, 0x18]),
            ("EOS in a string", [0x00, 0x01, 0x61, 0x84, 0xff, 0xff, 0xff, 0xff]),
        ] as [(String, [UInt8])])
    func wrong(_ sample: (name: String, block: [UInt8])) {
        #expect(Self.failure(sample.block) == .compressionError, "\(sample.name)")
    }

    @Test("Prefixes of a block are errors or shorter lists, never a crash") func prefixes() throws {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<2000 {
            let block = (0..<Int.random(in: 0...40, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            for count in 0...block.count { _ = Self.failure(Array(block.prefix(count))) }
        }
    }

    @Test("A list over its bound is cut, and the table goes on all the same") func bound() throws {
        var limits = HTTP2Limits()
        limits.maximumHeaderListSize = 200
        var decoder = HPACKDecoder()
        var list = HeaderList(maximumSize: 200, maximumFields: 100)
        let long = [0x40] + Bytes.string(Array("x-a".utf8)) + Bytes.string([UInt8](repeating: 0x61, count: 300))
        let block = [0x82] + long + [0x40] + Bytes.string(Array("x-b".utf8)) + Bytes.string(Array("b".utf8))
        try decoder.decode(block.span, into: &list)
        #expect(list.isTooLarge)
        #expect(list.fields.count == 1)
        #expect(try Self.decode([0xbe], with: &decoder) == ["x-b: b"])
    }

    @Test("An entry that is named over and over is an attack") func bomb() {
        var limits = HTTP2Limits()
        limits.maximumHeaderListSize = 32768
        let entry = [0x40] + Bytes.string(Array("x".utf8)) + Bytes.string([UInt8](repeating: 0x61, count: 3900))
        #expect(Self.failure(entry + [UInt8](repeating: 0xbe, count: 16000)) == .enhanceYourCalm)
    }

    @Test("What the encoder makes, the decoder reads, whatever becomes of the table") func roundTrip() throws {
        var random = SeededGenerator(seed: 3)
        var encoder = HPACKEncoder()
        var decoder = HPACKDecoder()
        let names = [
            "content-type", "server", "x-a", "x-request-id", "cache-control", ":path", "x-long-name-of-no-use",
        ]
        for round in 0..<3000 {
            if round % 97 == 0 { encoder.setMaximumTableSize(Int.random(in: 0...6000, using: &random)) }
            if round % 301 == 0 { encoder.setMaximumTableSize(0) }
            encoder.begin()
            var expected: [String] = []
            let status = Int.random(in: 100...599, using: &random)
            encoder.append(status: status)
            expected.append(":status: \(status)")
            for _ in 0..<Int.random(in: 0...12, using: &random) {
                let name = names.randomElement(using: &random) ?? "x"
                let isLong = Int.random(in: 0...20, using: &random) == 0
                let value = String(repeating: "v\(Int.random(in: 0...5, using: &random))", count: isLong ? 900 : 2)
                let indexing: HPACKEncoder.Indexing =
                    switch Int.random(in: 0...3, using: &random) {
                    case 0: .never
                    case 1: .pass
                    case _: .index
                    }
                encoder.append(name: Array(name.utf8).span, value: Array(value.utf8).span, indexing)
                expected.append("\(name): \(value)")
            }
            #expect(try Self.decode(encoder.block, with: &decoder) == expected)
        }
    }

    @Test("A field that came twice is one octet the third time") func indexing() {
        var encoder = HPACKEncoder()
        var counts: [Int] = []
        for _ in 0..<3 {
            encoder.begin()
            encoder.append(name: Array("server".utf8).span, value: Array("origin/1.0".utf8).span, .index)
            counts.append(encoder.block.count)
        }
        #expect(counts == [13, 12, 1])
    }
}
