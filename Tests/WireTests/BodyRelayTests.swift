import NIOCore
import TestKit
import Testing
import Wire

@Suite struct BodyRelayTests {
    private struct Result: Equatable {
        var progress = BodyRelay.Progress.more
        var output: [UInt8] = []
        var received: Int64 = 0
        var rest = 0
    }

    private func relay(_ relay: BodyRelay, _ pieces: [ByteBuffer], eof: Bool = false) -> Result {
        var relay = relay
        var input = ByteBuffer()
        var output = ByteBuffer()
        var result = Result()
        for piece in pieces {
            input.writeImmutableBuffer(piece)
            result.progress = relay.relay(&input, into: &output)
        }
        if pieces.isEmpty { result.progress = relay.relay(&input, into: &output) }
        if eof { result.progress = relay.finishAtEOF(into: &output) }
        result.output = Array(output.readableBytesView)
        result.received = relay.received
        result.rest = input.readableBytes
        return result
    }

    /// The content of chunked output, by a decoder of its own; nil when it is not chunked coding.
    private func content(_ chunked: [UInt8]) -> [UInt8]? {
        var rest = chunked[...]
        var content: [UInt8] = []
        while let line = rest.firstRange(of: Array("\r\n".utf8)) {
            let digits = text(rest[..<line.lowerBound])
            guard let size = Int(digits, radix: 16), digits == String(size, radix: 16) else { return nil }
            rest = rest[line.upperBound...]
            if size == 0 { return Array(rest) == Array("\r\n".utf8) ? content : nil }
            content += rest.prefix(size)
            rest = rest.dropFirst(size)
            guard rest.starts(with: "\r\n".utf8) else { return nil }
            rest = rest.dropFirst(2)
        }
        return nil
    }

    private let chunks =
        "5\r\nhello\r\n1;a=\"b;\\\"c\"\r\n \r\n00A \t; x = y ;z\r\n0123456789\r\n000\r\nX-T: 1\r\nY:\r\n\r\n"

    @Test("Trailers pass when they are asked for, but for those that say something about the message or the caller")
    func trailers() {
        let kept = "X-T: 1\r\nY:\r\ngrpc-status: 0\r\n"
        let dropped =
            "Content-Length: 3\r\nx-tollgate-client: a\r\nX_Tollgate_Client: b\r\nSet-Cookie: c\r\nHost: d\r\n"
        let body = "2\r\nab\r\n0\r\n" + dropped + kept + "\r\n"
        for feeding in feedings(ofLatin1: body + "HTTP", randomCuts: 6, seed: 5) {
            let passed = relay(
                BodyRelay(ResponseFraming.chunked, output: .chunked, passesTrailers: true), feeding.pieces)
            #expect(text(passed.output[...]).hasSuffix("0\r\n" + kept + "\r\n"), "\(feeding)")
            #expect(passed.progress == .end && passed.received == 2 && passed.rest == 4)
            let unasked = relay(BodyRelay(ResponseFraming.chunked, output: .chunked), feeding.pieces)
            #expect(content(unasked.output) == latin1("ab"))
        }
        var raw = BodyRelay(ResponseFraming.chunked, output: .raw, passesTrailers: true)
        var input = ByteBuffer(string: body)
        var output = ByteBuffer()
        #expect(raw.trailers == nil)
        #expect(raw.relay(&input, into: &output) == .end)
        #expect(raw.trailers == latin1(kept) && output.readableBytes == 2)
    }

    @Test func chunkedToRawAndToChunked() {
        for feeding in feedings(ofLatin1: chunks + "GET", randomCuts: 6, seed: 2) {
            let raw = relay(BodyRelay(RequestFraming.chunked, output: .raw), feeding.pieces)
            #expect(
                raw == Result(progress: .end, output: latin1("hello 0123456789"), received: 16, rest: 3), "\(feeding)")
            let chunked = relay(BodyRelay(RequestFraming.chunked, output: .chunked), feeding.pieces)
            #expect(content(chunked.output) == latin1("hello 0123456789"), "\(feeding)")
            #expect(chunked.progress == .end && chunked.received == 16 && chunked.rest == 3)
        }
    }

    @Test func chunksOfOneReadBecomeOne() {
        let result = relay(BodyRelay(ResponseFraming.chunked, output: .chunked), [buffer(chunks)])
        #expect(text(result.output) == "10\r\nhello 0123456789\r\n0\r\n\r\n")
    }

    @Test func lengthToRawAndToChunked() {
        for feeding in feedings(ofLatin1: "hello worldGET", randomCuts: 4, seed: 2) {
            let raw = relay(BodyRelay(RequestFraming.length(11), output: .raw), feeding.pieces)
            #expect(raw == Result(progress: .end, output: latin1("hello world"), received: 11, rest: 3), "\(feeding)")
            let chunked = relay(BodyRelay(ResponseFraming.length(11), output: .chunked), feeding.pieces)
            #expect(content(chunked.output) == latin1("hello world"), "\(feeding)")
            #expect(chunked.rest == 3)
        }
    }

    @Test func untilCloseEndsWithTheConnection() {
        for feeding in feedings(ofLatin1: "hello world", randomCuts: 4, seed: 2) {
            let raw = relay(BodyRelay(ResponseFraming.untilClose, output: .raw), feeding.pieces, eof: true)
            #expect(raw == Result(progress: .end, output: latin1("hello world"), received: 11, rest: 0))
            let chunked = relay(BodyRelay(ResponseFraming.untilClose, output: .chunked), feeding.pieces, eof: true)
            #expect(content(chunked.output) == latin1("hello world"), "\(feeding)")
            #expect(relay(BodyRelay(ResponseFraming.untilClose, output: .raw), feeding.pieces).progress == .more)
        }
    }

    @Test func emptyBodies() {
        #expect(BodyRelay(RequestFraming.none, output: .raw).isFinished)
        #expect(BodyRelay(ResponseFraming.none, output: .chunked).isFinished)
        #expect(BodyRelay(RequestFraming.length(0), output: .raw).isFinished)
        let relayed = relay(BodyRelay(RequestFraming.length(0), output: .chunked), [])
        #expect(text(relayed.output) == "0\r\n\r\n" && relayed.progress == .end)
        let untouched = relay(BodyRelay(RequestFraming.none, output: .raw), [buffer("GET")])
        #expect(untouched == Result(progress: .end, output: [], received: 0, rest: 3))
    }

    @Test func truncationNeverLooksWhole() {
        let whole = latin1(chunks)
        for end in 0..<whole.count {
            let result = relay(
                BodyRelay(ResponseFraming.chunked, output: .chunked), [ByteBuffer(bytes: whole[..<end])], eof: true)
            #expect(result.progress == .malformed(.truncated), "\(end)")
            #expect(content(result.output) == nil, "\(end)")
        }
        let short = relay(BodyRelay(RequestFraming.length(5), output: .chunked), [buffer("hell")], eof: true)
        #expect(short.progress == .malformed(.truncated) && content(short.output) == nil)
    }

    @Test(arguments: [
        ("x", MalformedBody.badChunkSize), ("\r", .badChunkSize), (" ", .badChunkSize), ("-", .badChunkSize),
        ("0x", .badChunkSize),
        ("5\n", .badLineEnd), ("5\rX", .badLineEnd), ("5 \r", .badChunkSize), ("5,", .badChunkSize),
        ("10000000000000005", .chunkTooLong), ("8000000000000000", .chunkTooLong),
        (String(repeating: "0", count: 64) + "1", .chunkTooLong),
        ("7fffffffffffffff\r\n", .bodyTooLarge), ("5;\r", .badExtension), ("5;;", .badExtension),
        ("5;a\n", .badLineEnd),
        ("5;a=\r", .badExtension), ("5;a=\"\r", .badExtension), ("5;a=\"\n", .badLineEnd), ("5;a=\"\0", .badExtension),
        ("5;a b", .badExtension),
        ("5;a=\"b\"c", .badExtension), ("5;a=b \r", .badExtension), ("1\r\naX", .badChunkEnd),
        ("1\r\na\n", .badChunkEnd), ("1\r\na\rX", .badChunkEnd),
        ("0\r\n ", .badTrailer), ("0\r\nX\r", .badTrailer), ("0\r\nX ", .badTrailer), ("0\r\n:", .badTrailer),
        ("0\r\nX: a\n", .badTrailer),
        ("0\r\nX: a\rb", .badTrailer), ("0\r\n\n", .badTrailer), ("0\r\n\rX", .badLineEnd), ("0\r\nX: \0", .badTrailer),
        ("0\r\nX: a\r\n ", .badTrailer),
    ])
    func refusesOnSight(_ bytes: String, _ reason: MalformedBody) {
        var body = BodyRelay(RequestFraming.chunked, output: .chunked, maximumBytes: 1 << 40)
        var output = ByteBuffer()
        var progress = BodyRelay.Progress.more
        for byte in latin1(bytes) {
            #expect(progress == .more)
            var input = ByteBuffer(integer: byte)
            progress = body.relay(&input, into: &output)
        }
        #expect(progress == .malformed(reason))
        #expect(
            relay(BodyRelay(RequestFraming.chunked, output: .raw, maximumBytes: 1 << 40), [buffer(bytes)]).progress
                == .malformed(reason))
        var more = buffer("0\r\n\r\n")
        #expect(body.relay(&more, into: &output) == .malformed(reason) && more.readableBytes == 5)
        #expect(content(Array(output.readableBytesView)) == nil)
    }

    @Test func extensionsAreBounded() {
        func verdict(_ text: String) -> BodyRelay.Progress {
            relay(BodyRelay(RequestFraming.chunked, output: .raw), [buffer(text)]).progress
        }
        let name = String(repeating: "e", count: 256)
        #expect(verdict("1;\(name)\r\na\r\n") == .more)
        #expect(verdict("1;\(name)e\r\na\r\n") == .malformed(.extensionTooLong))
        // Far more extension than content, in small portions.
        #expect(verdict(String(repeating: "1;\(name)\r\na\r\n", count: 15)) == .more)
        #expect(verdict(String(repeating: "1;\(name)\r\na\r\n", count: 20)) == .malformed(.extensionTooLong))
    }

    @Test func trailersAreBounded() {
        func verdict(_ count: Int) -> BodyRelay.Progress {
            let line = "X: " + String(repeating: "t", count: count) + "\r\n"
            return relay(BodyRelay(RequestFraming.chunked, output: .raw), [buffer("0\r\n\(line)\r\n")]).progress
        }
        #expect(verdict(8000) == .end)
        #expect(verdict(8192) == .malformed(.trailersTooLarge))
    }

    @Test func contentIsBoundedAsSoonAsAnnounced() {
        func verdict(_ framing: ResponseFraming, _ text: String) -> BodyRelay.Progress {
            relay(BodyRelay(framing, output: .chunked, maximumBytes: 5), [buffer(text)]).progress
        }
        #expect(verdict(.chunked, "5\r\nhello\r\n0\r\n\r\n") == .end)
        #expect(verdict(.chunked, "3\r\nabc\r\n3\r\n") == .malformed(.bodyTooLarge))
        #expect(verdict(.length(5), "hello") == .end)
        #expect(verdict(.length(6), "") == .malformed(.bodyTooLarge))
        #expect(verdict(.untilClose, "hello") == .more)
        #expect(verdict(.untilClose, "hello!") == .malformed(.bodyTooLarge))
    }

    @Test func sliceSharesStorage() {
        var body = BodyRelay(RequestFraming.length(5), output: .raw)
        var input = buffer("helloGET")
        #expect(body.slice(&input).map { String(buffer: $0) } == "hello")
        #expect(body.isFinished && body.received == 5 && input.readableBytes == 3)
        #expect(body.slice(&input) == nil)

        var partial = BodyRelay(RequestFraming.length(5), output: .raw)
        var first = buffer("he")
        #expect(partial.slice(&first)?.readableBytes == 2)
        #expect(!partial.isFinished && partial.slice(&first) == nil)
        var output = ByteBuffer()
        #expect(partial.finishAtEOF(into: &output) == .malformed(.truncated))

        var open = BodyRelay(ResponseFraming.untilClose, output: .raw, maximumBytes: 4)
        var enough = buffer("abcd")
        #expect(open.slice(&enough)?.readableBytes == 4)
        var surplus = buffer("e")
        #expect(open.slice(&surplus) == nil && surplus.readableBytes == 1)
        #expect(open.relay(&surplus, into: &output) == .malformed(.bodyTooLarge))

        var framed = BodyRelay(RequestFraming.chunked, output: .raw)
        var chunk = buffer("1\r\na\r\n")
        #expect(framed.slice(&chunk) == nil && chunk.readableBytes == 6)
        var rechunked = BodyRelay(RequestFraming.length(1), output: .chunked)
        #expect(rechunked.slice(&chunk) == nil)
    }

    /// Random bodies, chunked at random and cut at random, come out as they were.
    @Test func randomBodies() {
        var random = SeededGenerator(seed: 42)
        for round in 0..<60 {
            let body = (0..<Int.random(in: 0...700, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            var wire: [UInt8] = []
            var rest = body[...]
            while !rest.isEmpty {
                let size = Int.random(in: 1...min(rest.count, 100), using: &random)
                wire += latin1(String(size, radix: 16, uppercase: Bool.random(using: &random)) + "\r\n")
                wire += rest.prefix(size) + latin1("\r\n")
                rest = rest.dropFirst(size)
            }
            wire += latin1("0\r\n\r\n")
            for feeding in feedings(of: wire, randomCuts: 3, seed: UInt64(round)) {
                let result = relay(BodyRelay(RequestFraming.chunked, output: .chunked), feeding.pieces)
                #expect(content(result.output) == body && result.rest == 0, "round \(round), \(feeding)")
            }
        }
    }
}
