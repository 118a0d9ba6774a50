import Gate
import Testing

@Suite struct PeerAddressTests {
    private func address(_ text: String) -> PeerAddress? { PeerAddress(text: Array(text.utf8)) }

    @Test(arguments: ["192.0.2.1", "192.0.2.1:8080", "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:80"])
    func spellingsOfOneAddressShareItsBytes(_ text: String) throws {
        let bytes = try #require(address(text)).bytes
        #expect(bytes == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1])
    }

    @Test(arguments: [
        "", "unknown", "_hidden", "192.0.2", "192.0.2.256", "1.2.3.4.5", "[::1", "::1::", "a\0", "]", "[", "[]", ":",
        ".:", String(repeating: "1", count: 46),
    ])
    func whatIsNoAddressIsRefused(_ text: String) {
        #expect(address(text) == nil)
    }

    @Test(arguments: [
        ("2001:DB8:0::1", "2001:db8::1"), ("::ffff:192.0.2.1", "192.0.2.1"), ("::", "unknown"), ("::1", "::1"),
        ("255.255.255.255", "255.255.255.255"), ("0.0.0.0", "0.0.0.0"),
        ("1111:2222:3333:4444:5555:6666:7777:8888", "1111:2222:3333:4444:5555:6666:7777:8888"),
        ("1111:2222:3333:4444:5555:6666:255.255.255.255", "1111:2222:3333:4444:5555:6666:ffff:ffff"),
    ])
    func theTextIsTheUsualSpelling(_ literal: String, _ text: String) throws {
        #expect(String(decoding: try #require(address(literal)).text, as: UTF8.self) == text)
    }

    @Test func octetsAndLiteralsMeanTheSameAddress() throws {
        #expect(PeerAddress(octets: [192, 0, 2, 1]) == address("192.0.2.1"))
        let v6 = try #require(address("2001:db8::1"))
        #expect(PeerAddress(octets: v6.bytes) == v6)
        #expect(
            PeerAddress(octets: [UInt8](repeating: 0, count: 10) + [0xff, 0xff, 192, 0, 2, 1]) == address("192.0.2.1"))
        #expect(PeerAddress(octets: [1, 2, 3]) == nil)
    }

    @Test func theTextIsTheLiteralWithoutItsPort() throws {
        #expect(try #require(address("[2001:db8::1]:443")).text == Array("2001:db8::1".utf8))
        #expect(try #require(address("192.0.2.1:9")).text == Array("192.0.2.1".utf8))
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("192.0.2.128/25", "192.0.2.127", false),
        ("192.0.2.128/25", "192.0.2.200", true), ("192.0.2.1", "192.0.2.1", true), ("192.0.2.1", "192.0.2.2", false),
        ("2001:db8::/33", "2001:db8:7fff::1", true), ("2001:db8::/33", "2001:db8:8000::1", false),
        ("0.0.0.0/0", "203.0.113.9", true), ("0.0.0.0/0", "2001:db8::1", false), ("::/0", "10.0.0.1", true),
    ])
    func blocksHoldTheirAddresses(_ block: String, _ member: String, _ isMember: Bool) throws {
        let block = try #require(AddressBlock(block))
        #expect(block.contains(try #require(address(member))) == isMember)
    }

    @Test(arguments: ["10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "x/8", "::/129", "10.0.0.0/8/9"])
    func whatIsNoBlockIsRefused(_ text: String) {
        #expect(AddressBlock(text) == nil)
    }
}
