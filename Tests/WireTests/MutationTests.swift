import NIOCore
import TestKit
import Testing
import Wire

/// Bytes changed at random: nothing may trap, read past the end of a message, or depend on how the bytes were cut.
@Suite struct MutationTests {
    private static let corpus = [
        "GET /a/b?c=d HTTP/1.1\r\nHost: h:80\r\nAuthorization: Bearer abc.def\r\nConnection: x, keep-alive\r\nX: 1\r\n\r\n",
        "POST http://[::1]:1/p HTTP/1.1\r\nHost: [::1]:1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
            + "5;a=\"b\"\r\nhello\r\n0\r\nT: 1\r\n\r\n",
        "PUT /x HTTP/1.0\r\nContent-Length: 5\r\nConnection: keep-alive\r\nX_Forwarded_For: a\r\n\r\nhello",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\nX-CR-Api-Token: t\r\nUpgrade: w\r\nConnection: upgrade\r\n\r\n",
    ]
    private static let responses = [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: x\r\nX: 1\r\n\r\nhello",
        "HTTP/1.1 103 E\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.0 404\r\nServer: x\r\n\r\nbody",
    ]
    private static let palette =
        Array("\r\n\t :;,\"\\/?#%*-_.0159afAFGZ[]()\u{0}\u{1}\u{7F}".utf8) + [0x80, 0xA0, 0xFF]

    private func mutated(_ text: String, _ random: inout SeededGenerator) -> [UInt8] {
        var bytes = latin1(text)
        for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            let byte = Self.palette[Int.random(in: 0..<Self.palette.count, using: &random)]
            switch Int.random(in: 0..<5, using: &random) {
            case 0: bytes[place] = byte
            case 1: bytes.insert(byte, at: place)
            case 2: bytes.remove(at: place)
            case 3: bytes.insert(contentsOf: bytes[place...].prefix(Int.random(in: 1...20, using: &random)), at: place)
            default: bytes.removeSubrange(place..<min(bytes.count, place + Int.random(in: 1...20, using: &random)))
            }
        }
        return bytes
    }

    @Test func requests() {
        var random = SeededGenerator(seed: 2026)
        var complete = 0
        var refused = 0
        for round in 0..<1500 {
            let bytes = mutated(Self.corpus[round % Self.corpus.count], &random)
            let cuts = feedings(of: bytes, randomCuts: 1, seed: UInt64(round))
            let results = cuts.map { trace($0.pieces, maximumBody: 1 << 16) }
            #expect(results.allSatisfy { $0 == results[0] }, "\(text(bytes))")
            complete += results.first.map(\.bodies.count) ?? 0
            if case .badHead? = results.first?.end { refused += 1 }
        }
        // The mutations reach both sides of the line.
        #expect(complete > 100 && refused > 300)
    }

    @Test func responses() {
        var random = SeededGenerator(seed: 2027)
        for round in 0..<800 {
            let bytes = mutated(Self.responses[round % Self.responses.count], &random)
            let cuts = feedings(of: bytes, randomCuts: 1, seed: UInt64(round))
            let results = cuts.map { traceResponse($0.pieces, toHEAD: round % 7 == 0, closes: round % 2 == 0) }
            #expect(results.allSatisfy { $0 == results[0] }, "\(text(bytes))")
        }
    }

    /// A complete head read again from exactly its own bytes says the same: nothing beyond its length mattered.
    @Test func headsEndWhereTheySay() {
        var random = SeededGenerator(seed: 2028)
        for round in 0..<1000 {
            let bytes = mutated(Self.corpus[round % Self.corpus.count], &random)
            var parser = RequestParser()
            let source = ByteBuffer(bytes: bytes)
            guard parser.parse(source) == .complete else { continue }
            let length = parser.head.length
            #expect(length <= bytes.count)
            var again = RequestParser()
            let exact = ByteBuffer(bytes: bytes.prefix(length))
            #expect(again.parse(exact) == .complete)
            #expect(summary(again.head, exact) == summary(parser.head, source))
            var short = RequestParser()
            #expect(short.parse(ByteBuffer(bytes: bytes.prefix(length - 1))) == .incomplete)
        }
    }
}
