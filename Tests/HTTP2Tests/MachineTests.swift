import HTTP2
import NIOCore
import TestKit
import Testing
import Wire

@Suite("A connection of HTTP/2") struct MachineTests {
    // MARK: Translation

    @Test("A request is HTTP/1.1 as its parser takes it") func request() throws {
        let server = Server()
        server.feed(
            Bytes.headers(
                1,
                Bytes.get + [
                    ("cookie", "a=1"), ("x-b", "\u{e9}\t2"), ("cookie", "b=2"), ("host", "A.test"), ("x-e", ""),
                ]))
        #expect(
            server.heads == [
                "GET / HTTP/1.1\r\nhost: a.test\r\nx-b: \u{fffd}\t2\r\nx-e: \r\ncookie: a=1; b=2\r\n\r\n"
            ])
        guard case .message(let message)? = server.events.first else { return }
        var parser = RequestParser()
        #expect(parser.parse(message.head) == .complete)
        #expect(message.endsStream && !message.isChunked)
    }

    @Test("Content with a length, and without") func framing() {
        let server = Server()
        server.feed(
            Bytes.headers(1, Bytes.post, flags: 4) + Bytes.headers(3, Bytes.post + [("content-length", "7")], flags: 4))
        #expect(server.heads.map { $0.contains("transfer-encoding: chunked\r\n") } == [true, false])
        #expect(server.heads[1].contains("content-length: 7\r\n"))
    }

    @Test("Trailers come as lines, without those that come too late") func trailers() {
        let server = Server()
        server.feed(
            Bytes.headers(1, Bytes.post, flags: 4) + Bytes.headers(1, [("x-sum", "1"), ("content-length", "2")]))
        guard case .end(1, let lines)? = server.events.last else { return #expect(Bool(false)) }
        #expect(lines.map { String(buffer: $0) } == "x-sum: 1\r\n")
    }

    @Test("An answer loses what belongs to HTTP/1.1 connections") func answer() throws {
        let server = Server()
        server.feed(Bytes.headers(1))
        _ = server.take()
        #expect(
            server.answer(
                1, "hello", fields: "Content-Type: text/plain\r\nConnection: x-hop\r\nX-Hop: 1\r\nkeep-alive: 5\r\n"))
        let said = server.take()
        #expect(said.map(\.type) == [1, 0])
        var decoder = HPACKDecoder()
        var list = HeaderList()
        let block = said[0].payload
        try decoder.decode(block.span, into: &list)
        let names = list.fields.map { String(decoding: list.octets[$0.name.range], as: UTF8.self) }
        #expect(names == [":status", "content-type", "content-length"])
        #expect(said[1].flags == 1 && said[1].payload == Array("hello".utf8))
        #expect(server.machine.openStreams == 0)
    }

    @Test("A block that is longer than a frame is continued") func continuation() {
        let server = Server()
        server.feed(Bytes.headers(1))
        _ = server.take()
        #expect(
            server.answer(
                1,
                fields: "x: \(String(repeating: "a", count: 15000))\r\ny: \(String(repeating: "b", count: 15000))\r\n"))
        let said = server.take()
        #expect(said.map(\.type) == [1, 9])
        #expect(said.map(\.flags) == [1, 4])
        #expect(said.allSatisfy { $0.payload.count <= 16384 })
    }

    // MARK: Flow control (§6.9)

    @Test("No more is sent than the windows say, and the rest when they open") func windows() {
        let server = Server()
        server.feed(Bytes.settings([(4, 3)]) + Bytes.headers(1))
        _ = server.take()
        var body = ByteBuffer(string: "hello")
        let isSent1 = server.machine.send(&body, on: 1, isLast: true)
        #expect(!isSent1)
        #expect(server.take().map(\.payload) == [Array("hel".utf8)])
        // The window is -1 now, and 1 after the update: one more octet.
        server.feed(Bytes.settings([(4, 2)]) + Bytes.frame(8, 0, 1, Bytes.word(2)))
        guard case .windowOpened(stream: 1)? = server.events.last else {
            return #expect(Bool(false), "\(server.events)")
        }
        _ = server.take()
        let isSent2 = server.machine.send(&body, on: 1, isLast: true)
        #expect(!isSent2)
        #expect(server.take().map(\.payload) == [Array("l".utf8)])
        // A larger initial size opens all streams.
        server.feed(Bytes.settings([(4, 100)]))
        guard case .windowOpened(stream: 0)? = server.events.last else { return #expect(Bool(false)) }
        _ = server.take()
        let isSent3 = server.machine.send(&body, on: 1, isLast: true)
        #expect(isSent3)
        #expect(server.take().map(\.flags) == [1])
    }

    @Test("6.5.3: values are taken in their order") func settingsInOrder() {
        let server = Server()
        server.feed(Bytes.settings([(4, 100), (4, 1)]) + Bytes.headers(1))
        _ = server.take()
        var body = ByteBuffer(string: "hello")
        _ = server.machine.send(&body, on: 1, isLast: true)
        #expect(server.take().map(\.payload.count) == [1])
    }

    @Test("The connection's window holds all streams") func connectionWindow() {
        let server = Server()
        server.feed(Bytes.settings([(4, 1 << 20)]) + Bytes.headers(1) + Bytes.headers(3))
        _ = server.take()
        var body = ByteBuffer(repeating: 1, count: 70000)
        let isSent4 = server.machine.send(&body, on: 1, isLast: true)
        #expect(!isSent4)
        #expect(server.take().reduce(0) { $0 + $1.payload.count } == 65535)
        #expect(server.machine.room(on: 3) == 0)
        server.feed(Bytes.frame(8, 0, 0, Bytes.word(10)))
        #expect(server.machine.room(on: 3) == 10)
    }

    @Test("A peer that sends more than its windows say is stopped") func exceeded() {
        var limits = HTTP2Limits()
        (limits.streamWindow, limits.connectionWindow) = (20000, 70000)
        let server = Server(limits: limits)
        let full = [UInt8](repeating: 1, count: 10000)
        for stream: UInt32 in [1, 3, 5] {
            server.feed(Bytes.headers(stream, Bytes.post, flags: 4))
            for _ in 0..<2 { server.feed(Bytes.frame(0, 0, stream, full)) }
        }
        _ = server.take()
        server.feed(Bytes.frame(0, 0, 1, [1]))
        #expect(server.take().map(\.code) == [HTTP2ErrorCode.flowControlError.rawValue])
        server.feed(Bytes.headers(7, Bytes.post, flags: 4) + Bytes.frame(0, 0, 7, full) + Bytes.frame(0, 0, 7, [1]))
        #expect(server.error?.code == .flowControlError)
    }

    @Test("WINDOW_UPDATE tells what the consumer took, padding at once, in portions") func updates() {
        var limits = HTTP2Limits()
        (limits.streamWindow, limits.connectionWindow) = (20000, 40000)
        let server = Server(limits: limits)
        server.feed(Bytes.headers(1, Bytes.post, flags: 4) + Bytes.frame(0, 0, 1, [UInt8](repeating: 1, count: 15000)))
        #expect(server.take().isEmpty)
        server.machine.consume(9999, of: 1)
        #expect(server.take().isEmpty)
        server.machine.consume(1, of: 1)
        let said = server.take()
        #expect(said.map(\.type) == [8] && said.map(\.stream) == [1])
        #expect(said.first?.payload == Bytes.word(10000))
    }

    @Test("DATA on a stream that we have reset gives its room back and is no error") func crossed() {
        var limits = HTTP2Limits()
        limits.connectionWindow = 70000
        let server = Server(limits: limits)
        server.feed(Bytes.headers(1, Bytes.post, flags: 4))
        server.machine.reset(1, .cancel)
        for _ in 0..<20 { server.feed(Bytes.frame(0, 0, 1, [UInt8](repeating: 1, count: 10000))) }
        server.feed(Bytes.headers(1, [("x", "y")]) + Bytes.headers(3))
        #expect(server.error == nil)
        #expect(server.heads.count == 2)
    }

    // MARK: Going away (§6.8)

    @Test("Draining says so first, serves what was under way, and names the last stream") func drain() {
        let server = Server()
        server.feed(Bytes.headers(1))
        server.machine.drain()
        let said = server.take()
        #expect(said.map(\.type) == [7, 6])
        #expect(said[0].payload == Bytes.word(0x7FFF_FFFF) + Bytes.word(0))
        server.feed(Bytes.headers(3))
        #expect(server.heads.count == 2)
        server.feed(Bytes.frame(6, 1, 0, said[1].payload))
        #expect(server.take().map(\.payload) == [Bytes.word(3) + Bytes.word(0)])
        server.feed(Bytes.headers(5))
        #expect(server.heads.count == 2)
        #expect(server.take().map(\.code) == [HTTP2ErrorCode.refusedStream.rawValue])
        #expect(!server.isDone)
        #expect(server.answer(1) && server.answer(3))
        #expect(server.isDone)
    }

    // MARK: Floods

    private static func flood(_ server: Server, with bytes: (UInt32) -> [UInt8]) -> Int {
        for round in 0..<5000 {
            server.feed(bytes(UInt32(round)))
            if server.error != nil { return round }
        }
        return .max
    }

    @Test("Rapid reset: CVE-2023-44487") func rapidReset() {
        let server = Server()
        let rounds = Self.flood(server) { Bytes.headers($0 * 2 + 1) + Bytes.frame(3, 0, $0 * 2 + 1, Bytes.word(8)) }
        #expect(server.error?.code == .enhanceYourCalm)
        #expect(rounds <= 200)
    }

    @Test("Broken streams that make the server reset: CVE-2025-8671") func provokedReset() {
        let server = Server()
        let rounds = Self.flood(server) { Bytes.headers($0 * 2 + 1) + Bytes.frame(8, 0, $0 * 2 + 1, Bytes.word(0)) }
        #expect(server.error?.code == .enhanceYourCalm)
        #expect(rounds <= 200)
        let malformed = Server()
        let others = Self.flood(malformed) { Bytes.headers($0 * 2 + 1, Bytes.get + [("X", "y")]) }
        #expect(malformed.error?.code == .enhanceYourCalm)
        #expect(others <= 200)
        // Each was told, the last one too.
        #expect(malformed.events.count { if case .malformed = $0 { true } else { false } } == others + 1)
        #expect(server.events.count { if case .reset = $0 { true } else { false } } == rounds + 1)
    }

    @Test(
        "Frames that bring nothing",
        arguments: [
            ("PING", Bytes.frame(6, 0, 0, [UInt8](repeating: 0, count: 8))), ("SETTINGS", Bytes.settings()),
            ("SETTINGS ack", Bytes.frame(4, 1)), ("empty DATA", Bytes.frame(0, 0, 1)),
            ("padding", Bytes.frame(0, 8, 1, [9] + [UInt8](repeating: 0, count: 9))),
            ("WINDOW_UPDATE", Bytes.frame(8, 0, 0, Bytes.word(1))),
            ("PRIORITY", Bytes.frame(2, 0, 1, Bytes.word(0) + [1])), ("unknown", Bytes.frame(99, 0, 0)),
            ("GOAWAY", Bytes.frame(7, 0, 0, Bytes.word(0) + Bytes.word(0))),
        ])
    func flood(_ sample: (name: String, bytes: [UInt8])) {
        let server = Server()
        server.feed(Bytes.headers(1, Bytes.post, flags: 4))
        let rounds = Self.flood(server) { _ in sample.bytes }
        #expect(server.error?.code == .enhanceYourCalm, "\(sample.name)")
        #expect(rounds <= 1000)
    }

    @Test("CONTINUATION without end, large ones and empty ones") func continuations() {
        for fragment in [[UInt8](repeating: 0x82, count: 8000), []] {
            let server = Server()
            server.feed(Bytes.frame(1, 1, 1, [0x82]))
            let rounds = Self.flood(server) { _ in Bytes.frame(9, 0, 1, fragment) }
            #expect(server.error?.code == .enhanceYourCalm)
            #expect(rounds <= 1000)
        }
    }

    @Test("Frames of ours that the peer does not read are bounded") func unread() {
        var limits = HTTP2Limits()
        limits.maximumControlBytes = 500
        let server = Server(limits: limits)
        server.machine.isBlocked = true
        _ = Self.flood(server) { _ in Bytes.frame(6, 0, 0, [UInt8](repeating: 0, count: 8)) }
        #expect(server.error?.code == .enhanceYourCalm)
        #expect(server.machine.output.readableBytes < 1000)
    }

    @Test("Both windows are opened for every KiB that is read, however late; what is beyond that is a flood")
    func smallReads() {
        let server = Server()
        server.feed(Bytes.settings([(4, 1 << 30)]) + Bytes.frame(8, 0, 0, Bytes.word(1 << 30)) + Bytes.headers(1))
        var content = ByteBuffer(repeating: 1, count: 1 << 20)
        server.begin(1)
        #expect(server.machine.send(&content, on: 1, isLast: false))
        for _ in 0..<1024 {
            server.feed(Bytes.frame(8, 0, 1, Bytes.word(1024)) + Bytes.frame(8, 0, 0, Bytes.word(1024)))
        }
        #expect(server.error == nil)
        let rounds = Self.flood(server) { _ in Bytes.frame(8, 0, 0, Bytes.word(1)) }
        #expect(server.error?.code == .enhanceYourCalm)
        #expect(rounds < 4000)
    }

    @Test("A list that is too large is the request's fault alone, even in a block as long as twice the bound")
    func oversized() {
        let server = Server()
        let value = String(repeating: "~", count: 8000)
        let block = Bytes.block(Bytes.get + (0..<5).map { ("x-\($0)", value) })
        let pieces = stride(from: 0, to: block.count, by: 16000).map {
            Array(block[$0..<min($0 + 16000, block.count)])
        }
        server.feed(Bytes.frame(1, 1, 1, pieces[0]))
        for piece in pieces.dropFirst() { server.feed(Bytes.frame(9, piece == pieces.last ? 4 : 0, 1, piece)) }
        server.feed(Bytes.headers(3))
        #expect(server.error == nil && server.heads.count == 1)
        let oversized = server.events.contains {
            if case .oversized(1, false, block.count) = $0 { true } else { false }
        }
        #expect(oversized)
    }

    @Test("Who has been answered gets no more credit on the stream, and keeps that of the connection")
    func creditAfterTheAnswer() {
        let server = Server()
        server.feed(Bytes.headers(1, Bytes.post, flags: 4))
        #expect(server.answer(1))
        _ = server.take()
        for _ in 0..<16 {
            server.feed(Bytes.frame(0, 0, 1, [UInt8](repeating: 1, count: 16000)))
            server.machine.consume(16000, of: 1)
        }
        #expect(server.error == nil)
        #expect(server.take().isEmpty)
        server.feed(Bytes.frame(0, 0, 1, [UInt8](repeating: 1, count: 16000)))
        #expect(server.take().map(\.type) == [3])
    }

    @Test("An https URI is named as a whole where that is asked for")
    func scheme() {
        func fields(_ scheme: String, _ method: String = "GET", _ path: String = "/a?b") -> [(String, String)] {
            [(":method", method), (":scheme", scheme), (":path", path), (":authority", "a.test:1")]
        }
        for (names, sent, line) in [
            (true, fields("https"), "GET https://a.test:1/a?b HTTP/1.1"), (true, fields("http"), "GET /a?b HTTP/1.1"),
            (false, fields("https"), "GET /a?b HTTP/1.1"),
            (true, fields("https", "OPTIONS", "*"), "OPTIONS https://a.test:1 HTTP/1.1"),
        ] {
            var limits = HTTP2Limits()
            limits.namesHTTPS = names
            let server = Server(limits: limits)
            server.feed(Bytes.headers(1, sent))
            #expect(server.heads.first?.hasPrefix(line + "\r\nhost: a.test:1\r\n") == true, "\(server.heads)")
        }
    }

    @Test("Useful work and time give back") func budget() {
        let server = Server()
        for round in 0..<2000 {
            let stream = UInt32(round * 4 + 1)
            server.feed(Bytes.headers(stream) + Bytes.frame(6, 0, 0, [UInt8](repeating: 0, count: 8)))
            #expect(server.answer(stream, "x"))
            // Every second request is taken back.
            server.feed(Bytes.headers(stream + 2) + Bytes.frame(3, 0, stream + 2, Bytes.word(8)))
            server.feed(Bytes.frame(8, 0, 0, Bytes.word(1)))
            _ = server.take()
        }
        #expect(server.error == nil)
        let patient = Server()
        for second in 0..<3000 {
            patient.feed(Bytes.frame(6, 0, 0, [UInt8](repeating: 0, count: 8)), at: Int64(second) * 1_000_000_000)
        }
        #expect(patient.error == nil)
    }

    @Test("Random frames never trap") func noise() {
        var random = SeededGenerator(seed: 5)
        for _ in 0..<3000 {
            let server = Server()
            for _ in 0..<12 {
                let payload = (0..<Int.random(in: 0...24, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                let stream = UInt32.random(in: 0...5, using: &random)
                let flags = UInt8.random(in: 0...63, using: &random)
                switch Int.random(in: 0...3, using: &random) {
                case 0: server.feed(Bytes.headers(stream, Bytes.get, flags: flags & 5))
                case 1: server.feed(payload)
                case _: server.feed(Bytes.frame(UInt8.random(in: 0...10, using: &random), flags, stream, payload))
                }
                if server.error != nil { break }
            }
        }
    }
}
