import NIOCore
import Routing
import TestKit
import Wire

/// HTTP/1.1, what may stand before it, and what may follow it.
extension FuzzTarget {
    private static let httpWords = [
        "\r\n", "\n", "\r", "\r\n\r\n", " ", "\t", ":", ";", ",", "\"", "\0", "%2e", "%00", "%", "../", "//", "\\",
        "HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "GET ", "POST ", "HEAD ", "CONNECT ", "PRI * HTTP/2.0\r\n\r\n", "http://a/",
        "Host: a\r\n", "Content-Length: 5\r\n", "Content-Length: 05, 5\r\n", "content-length: +5\r\n",
        "Content-Length: 18446744073709551621\r\n", "Content-Length: 9223372036854775807\r\n",
        "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip, chunked\r\n", "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding:\u{B}chunked\r\n", "Connection: close\r\n", "Connection: keep-alive, x-a\r\n", "X-A: b\r\n",
        "Expect: 100-continue\r\n", "Upgrade: websocket\r\n", "Authorization: Bearer a\r\n", " folded\r\n",
        "TE: trailers\r\n", "0\r\n\r\n", "5\r\nhello\r\n", "5;a=\"\r\n\"\r\n", "ffffffffffffffff\r\n", "0x5\r\n",
        "\u{80}", "\u{FF}", "[::1]:80", "a@b", "100", "101", "204", "304", "99999999999999999999",
    ].map { latin1($0) }

    private static let requestTexts = [
        "GET /a/b?c=d HTTP/1.1\r\nHost: h:80\r\nAuthorization: Bearer abc.def\r\nConnection: x, keep-alive\r\nX: 1\r\n\r\n",
        "POST http://[::1]:1/p HTTP/1.1\r\nHost: [::1]:1\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n"
            + "5;a=\"b\"\r\nhello\r\n0\r\nT: 1\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n",
        "PUT /x HTTP/1.0\r\nContent-Length: 5\r\nConnection: keep-alive\r\nX_Forwarded_For: a\r\n\r\nhello",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\nX-CR-Api-Token: t\r\nUpgrade: w\r\nConnection: upgrade\r\n\r\n",
    ]

    static let requests = FuzzTarget("requests", corpus: requestTexts.map { latin1($0) }, words: httpWords) { bytes in
        let traces = cuts(of: bytes).map { trace($0, maximumBody: 1 << 16) }
        guard let first = traces.first else { return .refused }
        guard traces.allSatisfy({ $0 == first }) else { return .wrong("how the bytes are cut makes a difference") }
        let content = first.bodies.reduce(0) { $0 + $1.count }
        guard content <= bytes.count else { return .wrong("there is more content than was sent") }
        if let wrong = headEnds(bytes) { return .wrong(wrong) }
        switch first.end {
        case .idle, .unfinished: return .taken
        case .badHead, .badBody: return .refused
        }
    }

    /// What is wrong with where a head ends, and with what is said of one that was refused.
    private static func headEnds(_ bytes: [UInt8]) -> String? {
        let limits = HeadLimits()
        var parser = RequestParser(limits: limits)
        let source = ByteBuffer(bytes: bytes)
        switch parser.parse(source) {
        case .incomplete:
            return bytes.count > limits.maximumHeadBytes + 4 ? "a head beyond its bound is waited for" : nil
        case .malformed(let reason):
            guard parser.parse(source) == .malformed(reason) else { return "a refused head is not refused again" }
            var parser = RequestParser(limits: limits)
            let longer = ByteBuffer(bytes: bytes + latin1(requestTexts[0]))
            return parser.parse(longer) == .malformed(reason) ? nil : "what follows a refused head changes the reason"
        case .complete:
            guard parser.head.length <= min(bytes.count, limits.maximumHeadBytes) else {
                return "a head is beyond its bound"
            }
            guard parser.head.fields.count <= limits.maximumFields else { return "there are too many fields" }
            let exact = ByteBuffer(bytes: bytes.prefix(parser.head.length))
            var again = RequestParser(limits: limits)
            guard again.parse(exact) == .complete, summary(again.head, exact) == summary(parser.head, source) else {
                return "a head says something else without what follows it"
            }
            var short = RequestParser(limits: limits)
            guard short.parse(ByteBuffer(bytes: bytes.prefix(parser.head.length - 1))) == .incomplete else {
                return "a head is whole before its end"
            }
            return nil
        }
    }

    static let responses = FuzzTarget(
        "responses",
        corpus: [
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: x\r\nX: 1\r\n\r\nhello",
            "HTTP/1.1 103 E\r\nLink: a\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "HTTP/1.0 404\r\nServer: x\r\n\r\nbody", "HTTP/1.1 101 S\r\nUpgrade: w\r\nConnection: upgrade\r\n\r\n",
        ].map { latin1($0) }, words: httpWords
    ) { bytes in
        let isHEAD = bytes.count % 7 == 0
        let traces = cuts(of: bytes).map { traceResponse($0, toHEAD: isHEAD, closes: bytes.count % 2 == 0) }
        guard let first = traces.first else { return .refused }
        guard traces.allSatisfy({ $0 == first }) else { return .wrong("how the bytes are cut makes a difference") }
        guard first.body.count + first.surplus <= bytes.count else { return .wrong("there is more than was sent") }
        guard !isHEAD || first.body.isEmpty else { return .wrong("an answer to HEAD has content") }
        switch first.end {
        case .complete, .unfinished: return .taken
        case .noHead, .badHead, .badBody: return .refused
        }
    }

    /// The first byte says how the body is framed and how it goes out.
    static let bodies = FuzzTarget(
        "bodies",
        corpus: [
            "\u{0}5\r\nhello\r\n0\r\n\r\n", "\u{1}5;a=b\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\nGET /", "\u{2}hello",
            "\u{3}hello and more", "\u{4}hello", "\u{5}" + String(repeating: "x", count: 3000), "\u{6}hello",
        ].map { latin1($0) }, words: httpWords
    ) { bytes in
        guard let mode = bytes.first else { return .refused }
        let body = Array(bytes.dropFirst())
        let results = cuts(of: body).map { BodyResult(mode, $0) }
        guard let first = results.first else { return .refused }
        guard results.allSatisfy({ $0.content == first.content && $0.progress == first.progress }) else {
            return .wrong("how the bytes are cut makes a difference")
        }
        if let wrong = results.compactMap(\.wrong).first { return .wrong(wrong) }
        return first.progress == .end ? .taken : .refused
    }

    static let webSocket = FuzzTarget(
        "websocket",
        corpus: [
            [0x81, 0x85, 1, 2, 3, 4, 0x69, 0x67, 0x6F, 0x68, 0x6E, 0x88, 0x80, 0, 0, 0, 0],
            [0x02, 0xFE, 0, 3, 1, 2, 3, 4, 7, 7, 7, 0x80, 0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 9],
        ], words: [[0x88, 0x80], [0xFF, 0x7F, 0xFF], [0x89, 0x80, 0, 0, 0, 0], [0xFE, 0, 0], [0]]
    ) { bytes in
        let results = cuts(of: bytes).map { pieces in
            var scanner = WebSocketScanner(.client)
            var isGood = true
            for piece in pieces { isGood = scanner.scan(piece.readableBytesSpan) && isGood }
            // Broken once is broken for good.
            let still = scanner.scan(ByteBuffer(bytes: [0x81, 0x80]).readableBytesSpan)
            return [isGood, scanner.hasClosed, isGood || !still]
        }
        guard results.allSatisfy({ $0 == results[0] }) else {
            return .wrong("how the bytes are cut makes a difference")
        }
        guard results[0][2] else { return .wrong("a broken stream of frames is whole again") }
        return results[0][0] ? .taken : .refused
    }

    static let proxyHeader = FuzzTarget(
        "proxy-header",
        corpus: [
            latin1("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\nGET /"),
            latin1("PROXY TCP6 2001:db8::1 ::ffff:192.0.2.1 1 65535\r\n"), latin1("PROXY UNKNOWN a b c\r\n"),
            binaryHeader + [0x21, 0x11, 0, 12, 192, 0, 2, 1, 198, 51, 100, 7, 0xDC, 4, 1, 0xBB, 22, 3],
            binaryHeader + [0x21, 0x21, 0, 43] + [UInt8](repeating: 1, count: 36) + [3, 0, 4, 1, 2, 3, 4],
            binaryHeader + [0x20, 0, 0, 0],
        ],
        words: ["PROXY ", "TCP4", "TCP6 ", "UNKNOWN", "\r\n", " ", "::", "255", "65536", "0"].map { latin1($0) }
            + [binaryHeader, [0x21, 0x31], [0xFF, 0xFF], [0x07, 0xF0], [0, 0]]
    ) { bytes in
        var answer = ProxyHeader.Progress.incomplete
        for count in 0...bytes.count {
            let next = ProxyHeader.parse(ByteBuffer(bytes: bytes.prefix(count)))
            guard answer == .incomplete || next == answer else { return .wrong("what follows changes the answer") }
            if case .complete(let length, _) = next, length > count || length == 0 || length > ProxyHeader.maximumBytes
            {
                return .wrong("the header is longer than what is there")
            }
            answer = next
            if count > ProxyHeader.maximumBytes + 1 { break }
        }
        guard answer != .incomplete || bytes.count < ProxyHeader.maximumBytes else {
            return .wrong("a header beyond its bound is waited for")
        }
        if case .complete = answer { return .taken } else { return .refused }
    }

    private static let binaryHeader: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]

    /// One path for everybody: what was read is read again as the same.
    static let path = FuzzTarget(
        "path",
        corpus: ["/a/b/c", "/a//b/./c/../d/", "/%41%2e%2e/%c3%a9;x=1/%25zz", "/", "", "/a%20b/~x/!$&'()*+,=:@"].map {
            latin1($0)
        },
        words: [
            "/", "//", ".", "..", "/../", "%2e", "%2E%2e", "%2f", "%5c", "%25", "%252e", "%00", "%c0%ae", ";", "\\",
            "%",
            "%e0%80%af", "%f0%80%80%af", "\u{0}", "\u{7F}", "\u{E9}", "%3b",
        ].map { latin1($0) }
    ) { bytes in
        var path = NormalPath()
        guard path.assign(bytes.span) == nil else { return .refused }
        var encoded = ByteBuffer()
        path.appendEncoded(to: &encoded)
        // Escapes may make it longer than what is read.
        guard encoded.readableBytes <= NormalPath.maximumBytes else { return .taken }
        var again = NormalPath()
        let raw = Array(encoded.readableBytesView)
        guard again.assign(raw.span) == nil, again.bytes == path.bytes, again.segments == path.segments else {
            return .wrong("the path that goes upstream is read as another one")
        }
        let segments = path.segments.map { Array(path.bytes[$0.range]) }
        guard !segments.contains(where: { $0.isEmpty || $0 == [46] || $0 == [46, 46] || $0.contains(47) }) else {
            return .wrong("a segment is none")
        }
        guard !path.bytes.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == 0x5C }) else {
            return .wrong("the path holds what it may not")
        }
        return .taken
    }

    /// Whole, byte by byte and at random.
    static func cuts(of bytes: [UInt8]) -> [[ByteBuffer]] {
        feedings(of: bytes, randomCuts: 1, seed: UInt64(bytes.count)).map(\.pieces)
    }
}

/// What a relay makes of a body, and what is wrong with that.
private struct BodyResult {
    private static let maximumBytes: Int64 = 2000

    let content: [UInt8]
    let progress: BodyRelay.Progress
    private(set) var wrong: String?

    init(_ mode: UInt8, _ pieces: [ByteBuffer]) {
        let output: BodyRelay.Output = mode % 2 == 0 ? .raw : .chunked
        var relay =
            switch mode / 2 % 4 {
            case 0: BodyRelay(RequestFraming.chunked, output: output, maximumBytes: Self.maximumBytes)
            case 1: BodyRelay(RequestFraming.length(5), output: output, maximumBytes: Self.maximumBytes)
            case 2: BodyRelay(ResponseFraming.untilClose, output: output, maximumBytes: Self.maximumBytes)
            case _: BodyRelay(ResponseFraming.chunked, output: output, passesTrailers: true)
            }
        var pending = ByteBuffer()
        var out = ByteBuffer()
        var progress = BodyRelay.Progress.more
        for piece in pieces {
            pending.writeImmutableBuffer(piece)
            progress = relay.relay(&pending, into: &out)
        }
        if progress == .more { progress = relay.finishAtEOF(into: &out) }
        let (left, sent) = (pending.readableBytes, out.readableBytes)
        let isSettled = relay.relay(&pending, into: &out) == progress
        if !isSettled || pending.readableBytes != left || out.readableBytes != sent {
            wrong = "a body that is over goes on"
        }
        self.progress = progress
        guard progress == .end else {
            content = []
            return
        }
        guard output == .chunked else {
            content = Array(out.readableBytesView)
            return
        }
        // What goes out in chunks is what a strict reader takes for the same content and nothing more.
        var reader = BodyRelay(RequestFraming.chunked, output: .raw)
        var read = ByteBuffer()
        if reader.relay(&out, into: &read) != .end || out.readableBytes > 0 { wrong = "the chunks are none" }
        content = Array(read.readableBytesView)
        if Int64(content.count) != relay.received { wrong = "the content is not what was counted" }
    }
}
