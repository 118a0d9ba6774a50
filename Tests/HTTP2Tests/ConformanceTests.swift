import HTTP2
import NIOCore
import TestKit
import Testing

/// What a server must say to a client that breaks a rule, section by section.
@Suite("RFC 9113, a server's duties") struct ConformanceTests {
    enum Expectation: Sendable {
        /// GOAWAY with one of these codes.
        case goAway([HTTP2ErrorCode])
        /// RST_STREAM on this stream with one of these codes, and no GOAWAY.
        case reset(UInt32, [HTTP2ErrorCode])
        /// So many requests are taken, and nothing is wrong.
        case serves(Int)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let bytes: [UInt8]
        let expected: Expectation
        /// Streams that are answered before the last frame comes.
        var answers: [UInt32] = []
        var last: [UInt8] = []
        var testDescription: String { name }

        init(_ name: String, _ bytes: [UInt8], _ expected: Expectation) {
            (self.name, self.bytes, self.expected) = (name, bytes, expected)
        }

        func answering(_ streams: UInt32..., then last: [UInt8]) -> Case {
            var copy = self
            (copy.answers, copy.last) = (streams, last)
            return copy
        }
    }

    static let post = Bytes.headers(1, Bytes.post, flags: 0x4)
    static let protocolError = [HTTP2ErrorCode.protocolError]

    static func bad(_ name: String, _ fields: [(String, String)]) -> Case {
        Case("8: " + name, Bytes.headers(1, fields), .reset(1, protocolError))
    }

    static func priority(_ stream: UInt32, on dependency: UInt32) -> [UInt8] {
        Bytes.frame(2, 0, stream, Bytes.word(dependency) + [255])
    }

    static let frames: [Case] = [
        Case("4.1: a type nobody knows is ignored", Bytes.frame(22, 0, 0, [1, 2]) + Bytes.headers(1), .serves(1)),
        Case(
            "4.1: flags nobody knows are ignored",
            Bytes.frame(6, 0x16, 0, [UInt8](repeating: 0, count: 8)) + Bytes.headers(1), .serves(1)),
        Case(
            "4.1: the reserved bit is ignored",
            Bytes.frame(6, 0, 1 << 31, [UInt8](repeating: 0, count: 8)) + Bytes.headers(1), .serves(1)),
        Case(
            "4.2: DATA of the largest size", post + Bytes.frame(0, 1, 1, [UInt8](repeating: 1, count: 16384)),
            .serves(1)),
        Case(
            "4.2: DATA too long", post + Bytes.frame(0, 1, 1, [UInt8](repeating: 1, count: 16385)),
            .goAway([.frameSizeError])),
        Case(
            "4.2: HEADERS too long", Bytes.frame(1, 5, 1, [UInt8](repeating: 0x82, count: 16385)),
            .goAway([.frameSizeError])),
        Case("4.3: a block that cannot be decoded", Bytes.frame(1, 5, 1, [0x40]), .goAway([.compressionError])),
        Case(
            "4.3: another frame within a block", Bytes.headers(1, flags: 0x1) + priority(1, on: 0),
            .goAway(protocolError)),
        Case(
            "4.3: HEADERS of another stream within a block", Bytes.headers(1, flags: 0x1) + Bytes.headers(3),
            .goAway(protocolError)),
        Case(
            "5.5: an unknown frame within a block", Bytes.headers(1, flags: 0x1) + Bytes.frame(22, 0, 1, [0]),
            .goAway(protocolError)),

        Case("5.1: DATA on an idle stream", Bytes.frame(0, 1, 1, [1]), .goAway(protocolError)),
        Case("5.1: RST_STREAM on an idle stream", Bytes.frame(3, 0, 1, Bytes.word(8)), .goAway(protocolError)),
        Case("5.1: WINDOW_UPDATE on an idle stream", Bytes.frame(8, 0, 1, Bytes.word(100)), .goAway(protocolError)),
        Case(
            "5.1: CONTINUATION on an idle stream", Bytes.frame(9, 4, 1, Bytes.block(Bytes.get)), .goAway(protocolError)),
        Case("5.1: PRIORITY on an idle stream", priority(1, on: 0) + Bytes.headers(1), .serves(1)),
        Case("6.3: PRIORITY on a higher idle stream opens nothing", priority(3, on: 0) + Bytes.headers(1), .serves(1)),
        Case("5.1: half-closed, DATA", Bytes.headers(1) + Bytes.frame(0, 1, 1, [1]), .reset(1, [.streamClosed])),
        Case("5.1: half-closed, HEADERS", Bytes.headers(1) + Bytes.headers(1), .reset(1, [.streamClosed])),
        Case(
            "5.1: half-closed, CONTINUATION", Bytes.headers(1) + Bytes.frame(9, 4, 1, Bytes.block(Bytes.get)),
            .goAway([.streamClosed, .protocolError])),
        Case("5.1: half-closed, WINDOW_UPDATE", Bytes.headers(1) + Bytes.frame(8, 0, 1, Bytes.word(1)), .serves(1)),
        Case("5.1: half-closed, PRIORITY", Bytes.headers(1) + priority(1, on: 0), .serves(1)),
        Case(
            "5.1: half-closed, RST_STREAM", Bytes.headers(1) + Bytes.frame(3, 0, 1, Bytes.word(8)) + Bytes.headers(3),
            .serves(2)),
        Case(
            "5.1: reset by the client, then DATA",
            post + Bytes.frame(3, 0, 1, Bytes.word(8)) + Bytes.frame(0, 1, 1, [1]), .goAway([.streamClosed])),
        Case(
            "5.1: reset by the client, then HEADERS", post + Bytes.frame(3, 0, 1, Bytes.word(8)) + Bytes.headers(1),
            .goAway([.streamClosed])),
        Case(
            "5.1: reset by the client, then CONTINUATION",
            post + Bytes.frame(3, 0, 1, Bytes.word(8)) + Bytes.frame(9, 4, 1, [0x82]),
            .goAway([.streamClosed, .protocolError])),
        Case("5.1: closed, DATA", Bytes.headers(1), .goAway([.streamClosed])).answering(
            1, then: Bytes.frame(0, 1, 1, [1])),
        Case("5.1: closed, HEADERS", Bytes.headers(1), .goAway([.streamClosed])).answering(1, then: Bytes.headers(1)),
        Case("5.1: closed, CONTINUATION", Bytes.headers(1), .goAway([.streamClosed, .protocolError])).answering(
            1, then: Bytes.frame(9, 4, 1, [0x82])),
        Case("5.1: closed, PRIORITY", Bytes.headers(1), .serves(2)).answering(
            1, then: priority(1, on: 0) + Bytes.headers(3)),
        Case("5.1: closed, WINDOW_UPDATE and RST_STREAM that crossed", Bytes.headers(1), .serves(2)).answering(
            1, then: Bytes.frame(8, 0, 1, Bytes.word(1)) + Bytes.frame(3, 0, 1, Bytes.word(8)) + Bytes.headers(3)),
        Case("5.1.1: a stream of even number", Bytes.headers(2), .goAway(protocolError)),
        Case("5.1.1: a lower number", Bytes.headers(5) + Bytes.headers(3), .goAway(protocolError)),
        Case(
            "5.3.1: HEADERS that depends on itself",
            Bytes.frame(1, 0x25, 1, Bytes.word(1) + [255] + Bytes.block(Bytes.get)), .reset(1, protocolError)),
        Case("5.3.1: PRIORITY that depends on itself, idle", priority(1, on: 1), .goAway(protocolError)),
        Case("5.3.1: PRIORITY that depends on itself, open", post + priority(1, on: 1), .reset(1, protocolError)),

        Case("6.1: DATA with padding", post + Bytes.frame(0, 9, 1, [3, 1, 2, 0, 0, 0]), .serves(1)),
        Case("6.1: DATA on stream 0", Bytes.frame(0, 1, 0, [1]), .goAway(protocolError)),
        Case(
            "6.1: padding as long as the frame", post + Bytes.frame(0, 9, 1, [6, 1, 2, 0, 0, 0]), .goAway(protocolError)
        ),
        Case("4.2: padded, and empty", post + Bytes.frame(0, 9, 1, []), .goAway([.frameSizeError])),
        Case("4.2: HEADERS, padded and empty", Bytes.frame(1, 0xd, 1, []), .goAway([.frameSizeError])),
        Case("6.2: HEADERS on stream 0", Bytes.headers(0), .goAway(protocolError)),
        Case(
            "6.2: HEADERS with padding and priority",
            Bytes.frame(1, 0x2D, 1, [2] + Bytes.word(0) + [1] + Bytes.block(Bytes.get) + [0, 0]), .serves(1)),
        Case(
            "6.2: padding longer than the block", Bytes.frame(1, 0xD, 1, [200] + Bytes.block(Bytes.get)),
            .goAway(protocolError)),
        Case("4.2: HEADERS too short for its priority", Bytes.frame(1, 0x25, 1, [0, 0]), .goAway([.frameSizeError])),
        Case("6.3: PRIORITY on stream 0", priority(0, on: 1), .goAway(protocolError)),
        Case(
            "6.3: PRIORITY of 4 octets", Bytes.headers(1) + Bytes.frame(2, 0, 1, Bytes.word(1)),
            .reset(1, [.frameSizeError])),
        Case("6.4: RST_STREAM on stream 0", Bytes.frame(3, 0, 0, Bytes.word(8)), .goAway(protocolError)),
        Case("6.4: RST_STREAM of 3 octets", post + Bytes.frame(3, 0, 1, [0, 0, 0]), .goAway([.frameSizeError])),
        Case("6.5: SETTINGS ack with a payload", Bytes.frame(4, 1, 0, [0]), .goAway([.frameSizeError])),
        Case("6.5: SETTINGS on a stream", Bytes.frame(4, 0, 1), .goAway(protocolError)),
        Case("6.5: SETTINGS of 3 octets", Bytes.frame(4, 0, 0, [0, 3, 0]), .goAway([.frameSizeError])),
        Case("6.5.2: ENABLE_PUSH of 2", Bytes.settings([(2, 2)]), .goAway(protocolError)),
        Case(
            "6.5.2: INITIAL_WINDOW_SIZE over the maximum", Bytes.settings([(4, 1 << 31)]), .goAway([.flowControlError])),
        Case("6.5.2: MAX_FRAME_SIZE below the least", Bytes.settings([(5, 16383)]), .goAway(protocolError)),
        Case("6.5.2: MAX_FRAME_SIZE above the most", Bytes.settings([(5, 1 << 24)]), .goAway(protocolError)),
        Case("6.5.2: a parameter nobody knows", Bytes.settings([(0xFF, 1)]) + Bytes.headers(1), .serves(1)),
        Case(
            "6.6: PUSH_PROMISE", post + Bytes.frame(5, 4, 1, Bytes.word(2) + Bytes.block(Bytes.get)),
            .goAway(protocolError)),
        Case("6.7: PING on a stream", Bytes.frame(6, 0, 1, [UInt8](repeating: 0, count: 8)), .goAway(protocolError)),
        Case(
            "6.7: PING of 6 octets", Bytes.frame(6, 0, 0, [UInt8](repeating: 0, count: 6)), .goAway([.frameSizeError])),
        Case("6.8: GOAWAY on a stream", Bytes.frame(7, 0, 1, Bytes.word(0) + Bytes.word(0)), .goAway(protocolError)),
        Case("6.8: GOAWAY of 4 octets", Bytes.frame(7, 0, 0, Bytes.word(0)), .goAway([.frameSizeError])),
        Case(
            "6.8: GOAWAY of the client's, and a stream that goes on",
            Bytes.frame(7, 0, 0, Bytes.word(0) + Bytes.word(0)) + Bytes.headers(1), .serves(1)),
        Case("6.9: WINDOW_UPDATE of 0 on the connection", Bytes.frame(8, 0, 0, Bytes.word(0)), .goAway(protocolError)),
        Case(
            "6.9: WINDOW_UPDATE of 0 on a stream", Bytes.headers(1) + Bytes.frame(8, 0, 1, Bytes.word(0)),
            .reset(1, protocolError)),
        Case("6.9: WINDOW_UPDATE of 3 octets", Bytes.frame(8, 0, 0, [0, 0, 1]), .goAway([.frameSizeError])),
        Case(
            "6.9.1: the connection's window too large",
            Bytes.frame(8, 0, 0, Bytes.word(0x7FFF_FFFF)) + Bytes.frame(8, 0, 0, Bytes.word(0x7FFF_FFFF)),
            .goAway([.flowControlError])),
        Case(
            "6.9.1: a stream's window too large", Bytes.headers(1) + Bytes.frame(8, 0, 1, Bytes.word(0x7FFF_FFFF)),
            .reset(1, [.flowControlError])),
        Case(
            "6.9.2: a window too large by SETTINGS",
            Bytes.headers(1) + Bytes.frame(8, 0, 1, Bytes.word(0x7FFF_0000)) + Bytes.settings([(4, 0x7FFF_FFFF)]),
            .goAway([.flowControlError])),
        Case(
            "6.10: CONTINUATIONs",
            Bytes.frame(1, 1, 1, [0x82]) + Bytes.frame(9, 0, 1, [0x86])
                + Bytes.frame(9, 4, 1, [0x84] + Bytes.block([(":authority", "a")])), .serves(1)),
        Case(
            "6.10: CONTINUATION on stream 0", Bytes.headers(1, flags: 0x1) + Bytes.frame(9, 4, 0, [0x82]),
            .goAway(protocolError)),
        Case("6.10: CONTINUATION behind END_HEADERS", post + Bytes.frame(9, 4, 1, [0x82]), .goAway(protocolError)),
        Case(
            "6.10: CONTINUATION behind CONTINUATION with END_HEADERS",
            Bytes.headers(1, flags: 0x1) + Bytes.frame(9, 4, 1, []) + Bytes.frame(9, 4, 1, []), .goAway(protocolError)),
        Case(
            "6.10: CONTINUATION behind DATA", post + Bytes.frame(0, 0, 1, [1]) + Bytes.frame(9, 4, 1, [0x82]),
            .goAway(protocolError)),
        Case(
            "7: error codes nobody knows",
            Bytes.headers(1) + Bytes.frame(3, 0, 1, Bytes.word(0xFFFF))
                + Bytes.frame(7, 0, 0, Bytes.word(0) + Bytes.word(0xFFFF)) + Bytes.headers(3), .serves(2)),
    ]

    static let messages: [Case] = [
        Case(
            "8.1: a second HEADERS without END_STREAM", post + Bytes.headers(1, [("x", "y")], flags: 0x4),
            .reset(1, protocolError)),
        Case("8.1: trailers", post + Bytes.frame(0, 0, 1, [1]) + Bytes.headers(1, [("x-t", "y")]), .serves(1)),
        Case(
            "8.1: trailers with a pseudo-header field", post + Bytes.headers(1, [(":path", "/")]),
            .reset(1, protocolError)),
        bad("upper case in a name", Bytes.get + [("X-Test", "ok")]),
        bad("a pseudo-header field nobody knows", Bytes.get + [(":test", "ok")]),
        bad("the pseudo-header field of answers", Bytes.get + [(":status", "200")]),
        bad("a pseudo-header field behind a field", [(":method", "GET"), ("x-test", "ok")] + Bytes.get.dropFirst()),
        bad("connection", Bytes.get + [("connection", "keep-alive")]),
        bad("keep-alive", Bytes.get + [("keep-alive", "timeout=5")]),
        bad("proxy-connection", Bytes.get + [("proxy-connection", "keep-alive")]),
        bad("transfer-encoding", Bytes.get + [("transfer-encoding", "chunked")]),
        bad("upgrade", Bytes.get + [("upgrade", "h2c")]),
        bad("te other than trailers", Bytes.get + [("te", "trailers, deflate;q=0.5")]),
        bad("an empty path", [(":method", "GET"), (":scheme", "http"), (":path", ""), (":authority", "a.test")]),
        bad("no method", Array(Bytes.get.dropFirst())),
        bad("no scheme", [(":method", "GET"), (":path", "/"), (":authority", "a.test")]),
        bad("no path", [(":method", "GET"), (":scheme", "http"), (":authority", "a.test")]),
        bad("two methods", Bytes.get + [(":method", "GET")]),
        bad("two schemes", Bytes.get + [(":scheme", "http")]),
        bad("two paths", Bytes.get + [(":path", "/")]),
        bad("two authorities", Bytes.get + [(":authority", "a.test")]),
        bad("a path without a slash", [(":method", "GET"), (":scheme", "http"), (":path", "x"), (":authority", "a")]),
        bad("* for GET", [(":method", "GET"), (":scheme", "http"), (":path", "*"), (":authority", "a")]),
        bad(
            "a space in the path",
            [(":method", "GET"), (":scheme", "http"), (":path", "/ HTTP/1.1"), (":authority", "a")]),
        bad(
            "a line end in the path",
            [(":method", "GET"), (":scheme", "http"), (":path", "/\r\nx: y"), (":authority", "a")]),
        bad(
            "a space in the method", [(":method", "GET /x"), (":scheme", "http"), (":path", "/"), (":authority", "a")]),
        bad(
            "a line end in the method",
            [(":method", "GET\n"), (":scheme", "http"), (":path", "/"), (":authority", "a")]),
        bad("another scheme", [(":method", "GET"), (":scheme", "ftp"), (":path", "/"), (":authority", "a")]),
        bad("user information", [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "u@a")]),
        bad(
            "a line end in the authority",
            [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a\r\nx:y")]),
        bad("Host of another server", Bytes.get + [("host", "b.test")]),
        bad("two Hosts", Bytes.get + [("host", "a.test"), ("host", "a.test")]),
        bad("CR in a value", Bytes.get + [("x", "a\rb")]),
        bad("LF in a value", Bytes.get + [("x", "a\nb")]),
        bad("NUL in a value", Bytes.get + [("x", "a\0b")]),
        bad("a space before a value", Bytes.get + [("x", " a")]),
        bad("a tab behind a value", Bytes.get + [("x", "a\t")]),
        bad("an empty name", Bytes.get + [("", "a")]),
        bad("a colon in a name", Bytes.get + [("a:b", "a")]),
        bad("a space in a name", Bytes.get + [("a b", "a")]),
        bad("CR LF in a name", Bytes.get + [("a\r\nb", "a")]),
        bad("octets above ASCII in a name", Bytes.get + [("a\u{80}", "a")]),
        bad("CONNECT with a path", [(":method", "CONNECT"), (":scheme", "http"), (":path", "/"), (":authority", "a")]),
        bad("Content-Length without content", Bytes.post + [("content-length", "1")]),
        bad("two lengths", Bytes.post + [("content-length", "0"), ("content-length", "0")]),
        bad("a length that is no number", Bytes.post + [("content-length", "0x1")]),
        bad("a length that is too large", Bytes.post + [("content-length", "9223372036854775808")]),
        Case(
            "8.1.1: content shorter than its length",
            Bytes.headers(1, Bytes.post + [("content-length", "4")], flags: 4) + Bytes.frame(0, 1, 1, [1, 2, 3]),
            .reset(1, protocolError)),
        Case(
            "8.1.1: content longer than its length",
            Bytes.headers(1, Bytes.post + [("content-length", "1")], flags: 4) + Bytes.frame(0, 0, 1, [1, 2]),
            .reset(1, protocolError)),
        Case(
            "8.1.1: the sum of DATA is not the length",
            Bytes.headers(1, Bytes.post + [("content-length", "1")], flags: 4) + Bytes.frame(0, 0, 1, [1])
                + Bytes.frame(0, 1, 1, [1]), .reset(1, protocolError)),
        Case(
            "8.1.1: trailers before the length is reached",
            Bytes.headers(1, Bytes.post + [("content-length", "2")], flags: 4) + Bytes.frame(0, 0, 1, [1])
                + Bytes.headers(1, [("x", "y")]), .reset(1, protocolError)),
        Case(
            "8.1.1: a length that is right",
            Bytes.headers(1, Bytes.post + [("content-length", "2")], flags: 4) + Bytes.frame(0, 0, 1, [1])
                + Bytes.frame(0, 1, 1, [1]), .serves(1)),
        Case("8.2.2: te: trailers", Bytes.headers(1, Bytes.get + [("te", "trailers")]), .serves(1)),
        Case(
            "8.3.1: OPTIONS *",
            Bytes.headers(1, [(":method", "OPTIONS"), (":scheme", "http"), (":path", "*"), (":authority", "a")]),
            .serves(1)),
        Case(
            "8.4: the client pushes", Bytes.frame(5, 4, 2, Bytes.word(4) + Bytes.block(Bytes.get)),
            .goAway(protocolError)),
        Case(
            "HPACK 2.3.3: an index without an entry", Bytes.frame(1, 5, 1, Bytes.block(Bytes.get) + [0xC6]),
            .goAway([.compressionError])),
        Case(
            "HPACK 2.3.3: a literal whose name has no entry",
            Bytes.frame(1, 5, 1, Bytes.block(Bytes.get) + [0x7F, 0x00, 0x05] + Array("empty".utf8)),
            .goAway([.compressionError])),
        Case(
            "HPACK 4.2: an update at the end of a block", Bytes.frame(1, 5, 1, Bytes.block(Bytes.get) + [0x21]),
            .goAway([.compressionError])),
        Case(
            "HPACK 6.3: an update over the limit", Bytes.frame(1, 5, 1, [0x3F, 0xE2, 0x1F] + Bytes.block(Bytes.get)),
            .goAway([.compressionError])),
        Case(
            "HPACK 4.2: two updates at the beginning",
            Bytes.frame(1, 5, 1, [0x20, 0x3F, 0xE1, 0x1F] + Bytes.block(Bytes.get)), .serves(1)),
        Case("HPACK 6.1: index 0", Bytes.frame(1, 5, 1, Bytes.block(Bytes.get) + [0x80]), .goAway([.compressionError])),
        Case(
            "HPACK 5.2: padding over 7 bits",
            Bytes.frame(
                1, 5, 1,
                Bytes.block(Bytes.get) + [
                    0x00, 0x85, 0xf2, 0xb2, 0x4a, 0x84, 0xff, 0x86, 0x9c, 0x48, 0xac, 0xa4, 0xff, 0xff,
                ]), .goAway([.compressionError])),
    ]

    @Test("Whole and in pieces", arguments: frames + messages) func rule(_ sample: Case) {
        for feeding in feedings(of: sample.bytes, randomCuts: 2) {
            let server = Server()
            for piece in feeding.pieces { server.feed(Array(piece.readableBytesView)) }
            for stream in sample.answers { _ = server.answer(stream) }
            server.feed(sample.last)
            Self.check(server.take(), of: server, sample.expected, "\(sample.name), \(feeding)")
        }
    }

    private static func check(_ said: [Frame], of server: Server, _ expected: Expectation, _ comment: String) {
        let goAway = said.first { $0.type == 7 }
        let resets = said.filter { $0.type == 3 }
        switch expected {
        case .goAway(let codes):
            #expect(codes.map(\.rawValue).contains(goAway?.code ?? .max), "\(comment): \(said)")
            #expect(server.error != nil, "\(comment)")
            #expect(said.last?.type == 7, "\(comment): something follows GOAWAY")
        case .reset(let stream, let codes):
            #expect(goAway == nil, "\(comment): \(said)")
            #expect(resets.map(\.stream) == [stream], "\(comment): \(said)")
            #expect(codes.map(\.rawValue).contains(resets.first?.code ?? .max), "\(comment): \(said)")
        case .serves(let count):
            #expect(goAway == nil && resets.isEmpty, "\(comment): \(said)")
            #expect(server.heads.count == count, "\(comment)")
        }
    }

    // MARK: The preface (§3.4)

    @Test("The server's SETTINGS come first, and the client's are acknowledged") func preface() {
        let server = Server(greets: false)
        server.feed(Bytes.preface + Bytes.settings([(4, 65535)]))
        let said = server.take()
        #expect(said.first?.type == 4 && said.first?.flags == 0)
        #expect(said.contains { $0.type == 4 && $0.flags == 1 && $0.payload.isEmpty })
    }

    @Test("What is no preface, and what is no SETTINGS behind one") func noPreface() {
        for bytes in [
            Array("INVALID CONNECTION PREFACE\r\n\r\n".utf8), Bytes.preface + Bytes.headers(1),
            Bytes.preface + Bytes.frame(4, 1), Bytes.preface + Bytes.frame(6, 0, 0, [UInt8](repeating: 0, count: 8)),
        ] {
            let server = Server(greets: false)
            server.feed(bytes)
            #expect(server.error?.code == .protocolError)
            #expect(server.take().last?.code == HTTP2ErrorCode.protocolError.rawValue)
        }
    }

    @Test("5.1.2: one stream more than is allowed is refused, and the others are not") func concurrency() {
        var limits = HTTP2Limits()
        limits.maximumConcurrentStreams = 3
        let server = Server(limits: limits)
        for stream in stride(from: UInt32(1), through: 7, by: 2) { server.feed(Bytes.headers(stream)) }
        #expect(server.heads.count == 3)
        #expect(server.take().map(\.code) == [HTTP2ErrorCode.refusedStream.rawValue])
        // Whoever finishes makes room, and the refused number is used up.
        #expect(server.answer(1))
        server.feed(Bytes.headers(9))
        #expect(server.heads.count == 4)
    }
}
