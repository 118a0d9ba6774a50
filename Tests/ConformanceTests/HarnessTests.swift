import Crypto
import StrictJSON
import NIOCore
import TestKit
import Testing

/// The two peers themselves: what they claim about a gateway is worth no more than this.
@Suite("The raw peers")
struct HarnessTests {
    @Test("the origin echoes and remembers the bytes")
    func echo() throws {
        let origin = try RawOrigin()
        let client = try RawClient(port: origin.port)
        let raw = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-T: 1\r\n\r\n"
        client.send(raw + "GET /b HTTP/1.1\r\nHost: b\r\n\r\n")
        #expect(client.answer()?.text == "hello")
        #expect(client.answer()?.text == "")
        let requests = origin.takeRequests()
        #expect(requests.map(\.target) == ["/a", "/b"])
        #expect(requests[0].rawHead + requests[0].rawBody == latin1(raw))
        #expect(requests[0].trailers.map { [$0.name, $0.value] } == [["x-t", "1"]])
        #expect(origin.connections == 1)
    }

    @Test(
        "a cut answer is no complete one",
        arguments: [
            "Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        ])
    func cut(_ rest: String) throws {
        let origin = try RawOrigin { _ in .afterBody { _ in [.text("HTTP/1.1 200 OK\r\n" + rest), .close] } }
        let client = try RawClient(port: origin.port)
        client.send("GET / HTTP/1.1\r\n\r\n")
        #expect(client.answer()?.ending == .cut)
    }

    @Test("a request that ends early is remembered as cut")
    func cutRequest() throws {
        let origin = try RawOrigin()
        let client = try RawClient(port: origin.port)
        client.send("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nhello")
        client.finishSending()
        #expect(client.peerCloses())
        #expect(origin.takeRequests().map(\.ending) == [.cut])
    }

    @Test("a latch holds an answer back")
    func latch() throws {
        let latch = Latch()
        let origin = try RawOrigin { _ in .beforeBody([.await(latch), .text("HTTP/1.1 204 No Content\r\n\r\n")]) }
        let client = try RawClient(port: origin.port)
        client.send("GET / HTTP/1.1\r\n\r\n")
        #expect(eventually { origin.connections == 1 })
        #expect(origin.finishedPlans == 0)
        latch.open()
        #expect(client.answer()?.status == 204)
    }

    @Test("feedings are the input, cut", arguments: [0, 1, 2, 300, 5000])
    func cuts(_ count: Int) {
        let bytes = BodyPattern.bytes(count)
        for feeding in feedings(of: bytes) {
            #expect(feeding.pieces.flatMap { Array($0.readableBytesView) } == bytes, "\(feeding)")
            #expect(feeding.pieces.allSatisfy { $0.readableBytes > 0 })
        }
    }

    @Test("base64 and JSON text as the RFCs give them")
    func encodings() throws {
        for (text, wanted) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            #expect(base64(Array(text.utf8)) == wanted)
            #expect(base64url(Array(text.utf8)) == String(wanted.prefix { $0 != "=" }))
        }
        #expect(base64url([0xFB, 0xFF]) == "-_8")
        let literal: Literal = ["a": [1, true, nil, "q\"\\\u{1}"], "b": .raw("1e3")]
        #expect(literal.text == #"{"a":[1,true,null,"q\"\\\u0001"],"b":1e3}"#)
        _ = try JSON.parse(literal.bytes, limits: .configuration)
    }

    @Test(
        "tokens are signed with the key that the key set shows",
        arguments: ["RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "HS256"])
    func tokens(_ algorithm: String) throws {
        let mint = try TokenMint(algorithm, keyID: "k")
        let token = try mint.token(["sub": "alice"])
        #expect(token.split(separator: ".").count == 3)
        let key = try #require(try JSON.parse(try mint.jwk().bytes, limits: .configuration).object)
        #expect(key.contains { $0.name == "kid" && $0.value.string == "k" })
        if case .p256(let key) = mint.key {
            let signature = try P256.Signing.ECDSASignature(rawRepresentation: mint.signature(over: [1, 2]))
            #expect(key.publicKey.isValidSignature(signature, for: [1, 2] as [UInt8]))
        }
    }

    @Test("the same seed gives the same sequence")
    func seeded() {
        var one = SeededGenerator(seed: 42)
        var two = SeededGenerator(seed: 42)
        #expect((0..<8).map { _ in one.next() } == (0..<8).map { _ in two.next() })
        // The first value of the published reference implementation for this seed.
        var reference = SeededGenerator(seed: 1_234_567)
        #expect(reference.next() == 6_457_827_717_110_365_317)
    }
}

/// Bytes in which every place is recognisable.
enum BodyPattern {
    static func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761) >> 13) }
    }
}
