import NIOCore
import TestKit
import Testing
import Wire

@Suite("The PROXY protocol") struct ProxyHeaderTests {
    /// The answer to the bytes, which must be the same however they arrive and whatever follows them.
    private func parse(_ bytes: [UInt8], followedBy trailing: [UInt8] = []) -> ProxyHeader.Progress {
        var answers: [ProxyHeader.Progress] = []
        for feeding in feedings(of: bytes + trailing) {
            var buffer = ByteBuffer()
            var answer = ProxyHeader.Progress.incomplete
            for piece in feeding.pieces {
                buffer.writeImmutableBuffer(piece)
                answer = ProxyHeader.parse(buffer)
                guard answer == .incomplete else { break }
            }
            answers.append(answer)
        }
        #expect(answers.allSatisfy { $0 == answers.first })
        return answers.first ?? .incomplete
    }

    private func line(_ text: String) -> ProxyHeader.Progress { parse(latin1(text)) }

    private static let signature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]

    private func binary(_ command: UInt8, _ family: UInt8, _ body: [UInt8]) -> [UInt8] {
        Self.signature + [command, family, UInt8(body.count >> 8), UInt8(body.count & 255)] + body
    }

    private func isMalformed(_ progress: ProxyHeader.Progress) -> Bool {
        if case .malformed = progress { true } else { false }
    }

    @Test(
        arguments: [
            ("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n", [192, 0, 2, 1], 56324),
            ("PROXY TCP4 255.255.255.255 0.0.0.0 0 65535\r\n", [255, 255, 255, 255], 0),
            (
                "PROXY TCP6 2001:db8::1 2001:db8::2 1 2\r\n",
                [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 1
            ),
            ("PROXY TCP6 :: ::1 1 2\r\n", [UInt8](repeating: 0, count: 16), 1),
            (
                "PROXY TCP6 ::ffff:192.0.2.1 1:2:3:4:5:6:7:8 9 2\r\n",
                [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1], 9
            ),
        ] as [(String, [UInt8], UInt16)])
    func aLineNamesTheClient(_ text: String, _ octets: [UInt8], _ port: UInt16) {
        let expected = ProxyHeader.Progress.complete(
            length: text.utf8.count, source: ProxyHeader.Source(octets: octets, port: port))
        #expect(line(text) == expected)
        #expect(parse(latin1(text), followedBy: latin1("GET / HTTP/1.1\r\n")) == expected)
    }

    @Test(arguments: ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n"])
    func anUnknownClientIsThePeerItself(_ text: String) {
        #expect(line(text) == .complete(length: text.utf8.count, source: nil))
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n", "PROXY TCP4 192.0.2.1 198.51.100.7 56324\r\n", "proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
        "PROXY TCP4 192.0.2.256 198.51.100.7 1 2\r\n", "PROXY TCP4 192.0.02.1 198.51.100.7 1 2\r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 65536 2\r\n", "PROXY TCP4 192.0.2.1 198.51.100.7 01 2\r\n",
        "PROXY TCP4  192.0.2.1 198.51.100.7 1 2\r\n", "PROXY TCP4 192.0.2.1 198.51.100.7 1 2 \r\n",
        "PROXY TCP4 192.0.2.1 198.51.100.7 1 2\n", "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        "PROXY TCP6 192.0.2.1 198.51.100.7 1 2\r\n", "PROXY TCP6 1::2::3 ::1 1 2\r\n",
        "PROXY TCP6 1:2:3:4:5:6:7 ::1 1 2\r\n", "PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n",
        "PROXY TCP6 12345::1 ::1 1 2\r\n", "PROXY TCP6 g::1 ::1 1 2\r\n", "PROXY TCP6 1:2:3:4:5:6:7::8 ::1 1 2\r\n",
        "PROXY UDP4 192.0.2.1 198.51.100.7 1 2\r\n", "PROXY \r\n", "PROXY TCP4\u{0}192.0.2.1 198.51.100.7 1 2\r\n",
    ])
    func aLineOfAnotherFormIsRefused(_ text: String) {
        #expect(isMalformed(line(text)))
    }

    @Test func aLineEndsWithinItsBound() {
        let long = latin1("PROXY UNKNOWN ") + [UInt8](repeating: UInt8(ascii: "x"), count: 200)
        #expect(isMalformed(parse(long)))
        #expect(parse(Array(long.prefix(106))) == .incomplete)
        let longest = latin1("PROXY UNKNOWN ") + [UInt8](repeating: UInt8(ascii: "x"), count: 91) + latin1("\r\n")
        #expect(parse(longest) == .complete(length: 107, source: nil))
    }

    @Test func theBinaryFormNamesTheClient() {
        let v4 = binary(0x21, 0x11, [192, 0, 2, 1, 198, 51, 100, 7, 0xDC, 0x04, 0x01, 0xBB])
        let expected = ProxyHeader.Progress.complete(
            length: 28, source: ProxyHeader.Source(octets: [192, 0, 2, 1], port: 56324))
        #expect(parse(v4) == expected)
        #expect(parse(v4, followedBy: latin1("GET")) == expected)
        let source: [UInt8] = [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
        let additions: [UInt8] = [0x03, 0x00, 0x04, 1, 2, 3, 4]
        let v6 = binary(0x21, 0x21, source + source + [0, 7, 0, 8] + additions)
        #expect(parse(v6) == .complete(length: 59, source: ProxyHeader.Source(octets: source, port: 7)))
    }

    @Test func theBalancerSpeaksForItself() {
        #expect(parse(binary(0x20, 0x00, [])) == .complete(length: 16, source: nil))
        #expect(parse(binary(0x20, 0x11, [1, 2, 3])) == .complete(length: 19, source: nil))
        #expect(parse(binary(0x21, 0x00, [1, 2])) == .complete(length: 18, source: nil))
        #expect(
            parse(binary(0x21, 0x31, [UInt8](repeating: 0, count: 216))) == .complete(length: 232, source: nil))
    }

    @Test func aBinaryFormThatIsNoneIsRefused() {
        let addresses = [UInt8](repeating: 1, count: 12)
        #expect(isMalformed(parse(binary(0x11, 0x11, addresses))))
        #expect(isMalformed(parse(binary(0x22, 0x11, addresses))))
        #expect(isMalformed(parse(binary(0x21, 0x41, addresses))))
        #expect(isMalformed(parse(binary(0x21, 0x11, Array(addresses.dropLast())))))
        #expect(isMalformed(parse(binary(0x21, 0x21, addresses))))
        #expect(isMalformed(parse(binary(0x21, 0x11, [UInt8](repeating: 0, count: 2033)))))
        var broken = Self.signature
        broken[11] ^= 1
        #expect(isMalformed(parse(broken)))
        #expect(isMalformed(parse(latin1("\r\nGET / HTTP/1.1"))))
    }
}
