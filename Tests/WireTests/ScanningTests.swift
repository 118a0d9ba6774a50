import NIOCore
import TestKit
import Testing
import Wire

/// The scanners look at eight bytes at a time; these tests put every byte at every place of a word.
@Suite struct ScanningTests {
    private static let length = 19

    private func verdict(_ before: String, _ after: String, byte: UInt8, at place: Int) -> RequestProgress {
        var bytes = latin1(before) + [UInt8](repeating: UInt8(ascii: "a"), count: Self.length) + latin1(after)
        bytes[before.utf8.count + place] = byte
        var parser = RequestParser()
        return parser.parse(ByteBuffer(bytes: bytes))
    }

    @Test func everyByteInAValue() {
        for byte in UInt8.min...UInt8.max {
            let isAllowed = byte == 9 || byte >= 0x20 && byte != 0x7F
            for place in 0..<Self.length {
                let got = verdict("GET / HTTP/1.1\r\nHost: h\r\nX:", "\r\n\r\n", byte: byte, at: place)
                #expect((got == .complete) == isAllowed, "\(byte) at \(place): \(got)")
            }
        }
    }

    @Test func everyByteInATarget() {
        let forbidden: Set<UInt8> = [UInt8(ascii: "\""), UInt8(ascii: "#"), UInt8(ascii: "<"), UInt8(ascii: ">")]
        for byte in UInt8.min...UInt8.max {
            let isAllowed = byte > 0x20 && byte < 0x7F && !forbidden.contains(byte)
            for place in 0..<Self.length {
                let got = verdict("GET /", " HTTP/1.1\r\nHost: h\r\n\r\n", byte: byte, at: place)
                #expect((got == .complete) == isAllowed, "\(byte) at \(place): \(got)")
            }
        }
    }

    @Test func everyByteInAName() {
        let token = Set("!#$%&'*+-.^_`|~0123456789".utf8)
        for byte in UInt8.min...UInt8.max {
            let isLetter = byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A && byte < 0x80
            let isAllowed = isLetter || token.contains(byte)
            for place in 0..<Self.length {
                let got = verdict("GET / HTTP/1.1\r\nHost: h\r\n", ":\r\n\r\n", byte: byte, at: place)
                // A colon ends the name, and what follows it is its value.
                let isName = isAllowed || byte == UInt8(ascii: ":") && place > 0
                #expect((got == .complete) == isName, "\(byte) at \(place): \(got)")
            }
        }
    }

    /// Hits next to each other must not hide each other: a borrow in the word test runs upwards only.
    @Test func neighbouringHits() {
        var random = SeededGenerator(seed: 5)
        let palette: [UInt8] = [0x00, 0x09, 0x0D, 0x1F, 0x20, 0x21, 0x7E, 0x7F, 0x80, 0xFF]
        for _ in 0..<2000 {
            let value = (0..<Int.random(in: 0...24, using: &random)).map { _ in
                palette[Int.random(in: 0..<palette.count, using: &random)]
            }
            var parser = RequestParser()
            let got = parser.parse(ByteBuffer(bytes: latin1("GET / HTTP/1.0\r\nX:") + value + latin1("\r\n\r\n")))
            let isAllowed = value.allSatisfy { $0 == 9 || $0 >= 0x20 && $0 != 0x7F }
            #expect((got == .complete) == isAllowed, "\(value): \(got)")
        }
    }
}
