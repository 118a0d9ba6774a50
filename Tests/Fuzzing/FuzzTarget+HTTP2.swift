import HTTP2
import NIOCore
import TestKit
import Wire

/// HTTP/2: connections of either role, and HPACK by itself.
extension FuzzTarget {
    private static let preface = latin1("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

    /// Bytes as they come.
    static let http2Bytes = FuzzTarget(
        "http2-bytes", corpus: scripts.map { preface + Frames.bytes(of: $0) },
        words: scripts.map { Frames.bytes(of: $0) } + [[0, 0, 0], [0x80, 0, 0, 0], [0x7F, 0xFF, 0xFF, 0xFF]]
    ) { compare($0, role: .server) }

    /// Frames of right lengths, so that mutations get behind the framing.
    static let http2Frames = FuzzTarget("http2-frames", corpus: scripts, words: scripts + fields) {
        compare(preface + Frames.bytes(of: [4, 0, 0, 0] + $0), role: .server)
    }

    /// The frames of an upstream.
    static let http2Answers = FuzzTarget("http2-answers", corpus: answers, words: answers + fields) {
        compare(Frames.bytes(of: [4, 0, 0, 0] + $0), role: .client)
    }

    private static func compare(_ bytes: [UInt8], role: HTTP2ConnectionMachine.Role) -> Verdict {
        let plays = cuts(of: bytes).map { pieces in
            let play = HTTP2Play(role)
            for piece in pieces { play.feed(piece) }
            play.finish(bytes.count)
            return play
        }
        guard let first = plays.first else { return .refused }
        if let wrong = plays.compactMap(\.wrong).first { return .wrong(wrong) }
        guard plays.allSatisfy({ $0.log == first.log && $0.output == first.output }) else {
            return .wrong("how the bytes are cut makes a difference")
        }
        return first.hasFailed ? .refused : .taken
    }

    /// Several blocks behind one another: the first byte says how many.
    static let hpack = FuzzTarget(
        "hpack",
        corpus: [
            [1] + request + literal("x-long", String(repeating: "value ", count: 12) + "end"),
            [0] + literal("cookie", String(repeating: "a=b; ", count: 20) + "c")
                + literal("accept", "text/html, application/json, */*"),
            [2] + request + [0x82, 0x84, 0x86, 0xBE, 0x58, 0x08] + latin1("no-cache"),
            [3, 0x3F, 0xE1, 0x1F, 0x20, 0x82] + [0x40, 1, 0x61, 1, 0x62] + [
                0xBE, 0x00, 1, 0x63, 0, 0x10, 1, 0x64, 1, 0x65,
            ],
            [1, 0x82, 0x86, 0x84, 0x41, 0x8C, 0xF1, 0xE3, 0xC2, 0xE5, 0xF2, 0x3A, 0x6B, 0xA0, 0xAB, 0x90, 0xF4, 0xFF],
        ],
        words: fields + [
            [0xBE], [0xBF], [0xFF, 0xFF, 0xFF, 0xFF, 0x0F], [0x7F, 0x80, 0x80], [0x20], [0x3F, 0xE2, 0x1F], [0x85],
        ]
    ) { bytes in
        guard let count = bytes.first.map({ Int($0) % 4 + 1 }) else { return .refused }
        let rest = Array(bytes.dropFirst())
        var (decoder, encoder, mirror) = (HPACKDecoder(), HPACKEncoder(), HPACKDecoder())
        var (list, again) = (HeaderList(), HeaderList())
        for index in 0..<count {
            let block = Array(rest[(rest.count * index / count)..<(rest.count * (index + 1) / count)])
            guard (try? decoder.decode(block.span, into: &list)) != nil else { return .refused }
            guard list.octets.count <= 32768, list.fields.count <= 100, list.size <= 8 * 32768 else {
                return .wrong("the list is beyond its bounds")
            }
            guard list.fields.allSatisfy({ $0.value.range.upperBound <= list.octets.count }) else {
                return .wrong("a field lies outside of the list")
            }
            encoder.begin()
            for field in list.fields {
                encoder.append(
                    name: list.octets.span.extracting(field.name.range),
                    value: list.octets.span.extracting(field.value.range), field.isNeverIndexed ? .never : .index)
            }
            let encoded = encoder.block
            guard (try? mirror.decode(encoded.span, into: &again)) != nil, again.octets == list.octets else {
                return .wrong("what is encoded is decoded as something else")
            }
        }
        return .taken
    }

    // MARK: Inputs

    private static func literal(_ name: String, _ value: String) -> [UInt8] {
        [0x00, UInt8(name.utf8.count)] + latin1(name) + [UInt8(value.utf8.count)] + latin1(value)
    }

    /// GET / over http of a.test, with what the static table has.
    private static let request: [UInt8] = [0x82, 0x86, 0x84, 0x41, 6] + latin1("a.test")

    private static let fields: [[UInt8]] = [
        literal("te", "trailers"), literal("content-length", "5"), literal("connection", "close"), literal("A", "b"),
        literal("host", "b.test"), literal(":path", "/%2e"), literal(":path", "*"), literal(":method", "CONNECT"),
        literal(":authority", "a@b"), literal("transfer-encoding", "chunked"), literal("x", "a\r\nb: c"),
        literal("cookie", "a=b"),
        literal(":status", "204"), literal(":status", "103"), literal("x", " y"), literal("expect", "100-continue"),
        [0x83],
    ]

    /// Frames as `Frames` reads them: type, flags, stream and length, and the payload.
    private static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt8, _ payload: [UInt8]) -> [UInt8] {
        [type, flags, stream, UInt8(payload.count)] + payload
    }

    private static let scripts: [[UInt8]] = [
        frame(4, 0, 0, []) + frame(1, 5, 1, request),
        frame(4, 0, 0, [0, 4, 0, 0, 0, 3])
            + frame(1, 4, 1, [0x83] + request.dropFirst() + literal("content-length", "5"))
            + frame(0, 1, 1, latin1("hello")) + frame(8, 0, 0, [0, 0, 1, 0]) + frame(8, 0, 1, [0, 0, 0, 2]),
        frame(4, 1, 0, []) + frame(1, 0, 3, request) + frame(9, 4, 3, literal("te", "trailers"))
            + frame(0, 8, 3, [2, 7, 0, 0])
            + frame(1, 5, 3, literal("x-checksum", "1")),
        frame(6, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8]) + frame(1, 0x25, 5, [0, 0, 0, 0, 9] + request)
            + frame(3, 0, 5, [0, 0, 0, 8]),
        frame(2, 0, 7, [0, 0, 0, 3, 1]) + frame(7, 0, 0, [0, 0, 0, 0, 0, 0, 0, 0]) + frame(10, 0, 0, [1]),
        frame(4, 0, 0, [0, 1, 0, 0, 0, 0, 0, 5, 0, 0, 0x40, 0, 0, 3, 0, 0, 0, 1]) + frame(1, 5, 9, request),
    ]

    private static let answers: [[UInt8]] = [
        frame(4, 1, 0, []) + frame(1, 4, 1, [0x88] + literal("content-length", "5")) + frame(0, 1, 1, latin1("hello"))
            + frame(1, 5, 3, [0x8D]),
        frame(1, 4, 1, literal(":status", "103")) + frame(1, 4, 1, [0x88]) + frame(0, 0, 1, latin1("x"))
            + frame(1, 5, 1, literal("grpc-status", "0")) + frame(3, 0, 3, [0, 0, 0, 0]),
        frame(4, 0, 0, [0, 3, 0, 0, 0, 1, 0, 4, 0, 0, 0, 0]) + frame(7, 0, 0, [0, 0, 0, 1, 0, 0, 0, 0])
            + frame(6, 0, 0, [1, 2, 3, 4, 5, 6, 7, 8]) + frame(8, 0, 0, [0, 1, 0, 0]) + frame(1, 0, 1, [0x88])
            + frame(9, 4, 1, []),
    ]
}

/// Frames made of any bytes.
private enum Frames {
    static func bytes(of script: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = script[...]
        while rest.count >= 4 {
            let head = Array(rest.prefix(4))
            let payload = rest.dropFirst(4).prefix(Int(head[3]))
            bytes += [0, 0, UInt8(payload.count), head[0] % 12, head[1], 0, 0, 0, head[2] % 32] + payload
            rest = rest.dropFirst(4 + payload.count)
        }
        return bytes
    }
}

/// A connection that answers what is asked, and what is wrong with it.
private final class HTTP2Play {
    private static let head = ByteBuffer(
        string: "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 20\r\n\r\n")
    private static let asked = ByteBuffer(string: "GET /a HTTP/1.1\r\nHost: a.test\r\nTE: trailers\r\n\r\n")

    private let role: HTTP2ConnectionMachine.Role
    private var machine: HTTP2ConnectionMachine
    private var unsent: [UInt32: ByteBuffer] = [:]
    private var messages = 0
    private(set) var log: [String] = []
    private(set) var output: [UInt8] = []
    private(set) var hasFailed = false
    private(set) var wrong: String?

    init(_ role: HTTP2ConnectionMachine.Role) {
        self.role = role
        machine = HTTP2ConnectionMachine(role: role, limits: HTTP2Limits())
        guard role == .client else { return }
        var parser = RequestParser()
        guard parser.parse(Self.asked) == .complete else { return }
        for isLast in [true, false] { _ = machine.open(parser.head, of: Self.asked, endsStream: isLast) }
    }

    func feed(_ bytes: ByteBuffer) {
        machine.receive(bytes, now: 0)
        while true {
            let event = machine.next()
            switch event {
            case .more:
                return settle()
            case .failed(let error):
                hasFailed = true
                note("failed \(error.code) \(error.detail)")
                return settle()
            case .message(let message):
                note("message \(message.stream) \(message.endsStream) \(String(buffer: message.head))")
                take(message)
            case .oversized(let stream, let isHEAD, let octets):
                note("oversized \(stream) \(isHEAD) \(octets)")
                machine.reset(stream, .enhanceYourCalm)
            case .data(let stream, let bytes):
                note("data \(stream) \(bytes.readableBytes)")
                machine.consume(bytes.readableBytes, of: stream)
            case .end(let stream, let trailers):
                note("end \(stream) \(trailers.map { String(buffer: $0) } ?? "-")")
            case .malformed(let stream, let octets):
                note("malformed \(stream) \(octets)")
            case .refused(let stream):
                note("refused \(stream)")
            case .reset(let stream, let code, let isByPeer):
                note("reset \(stream) \(code) \(isByPeer)")
                unsent[stream] = nil
            case .windowOpened:
                for stream in unsent.keys.sorted() { send(stream) }
            case .goAway(let stream, let code):
                note("goAway \(stream) \(code)")
            }
        }
    }

    private func note(_ line: String) {
        if log.last?.hasPrefix("failed") == true { wrong = "something happens after the end" }
        log.append(line)
    }

    /// The head is one of HTTP/1.1, or will be refused as one; never a part of one, nor one and more.
    private func take(_ message: HTTP2ConnectionMachine.Message) {
        messages += 1
        let limits = HeadLimits(
            maximumHeadBytes: 1 << 20, maximumTargetBytes: 1 << 16, maximumFields: 1000, maximumFieldBytes: 1 << 16)
        switch role {
        case .server:
            var parser = RequestParser(limits: limits)
            let progress = parser.parse(message.head)
            if progress == .incomplete || progress == .complete && parser.head.length != message.head.readableBytes {
                wrong = "the head of a request is not exactly one"
            }
            var answer = ResponseParser()
            guard answer.parse(Self.head, isAnswerToHEAD: false) == .complete else { return }
            machine.send(answer.head, of: Self.head, on: message.stream, endsStream: false)
            unsent[message.stream] = ByteBuffer(repeating: 65, count: 20)
            send(message.stream)
        case .client:
            var parser = ResponseParser(limits: limits)
            let progress = parser.parse(message.head, isAnswerToHEAD: message.isHEAD)
            if progress == .incomplete || progress == .complete && parser.head.length != message.head.readableBytes {
                wrong = "the head of an answer is not exactly one"
            }
        }
    }

    private func send(_ stream: UInt32) {
        guard var content = unsent[stream] else { return }
        let isDone = machine.send(&content, on: stream, isLast: true)
        unsent[stream] = isDone ? nil : content
    }

    private func settle() {
        output += Array(machine.output.readableBytesView)
        machine.output.clear()
        if machine.openStreams > HTTP2Limits().maximumConcurrentStreams { wrong = "there are too many streams" }
    }

    /// All has been fed: so many bytes.
    func finish(_ count: Int) {
        if output.count > 4096 + 4 * count + 300 * messages { wrong = "there is more to say than was asked" }
        guard hasFailed else { return }
        let (before, lines) = (output.count, log.count)
        feed(ByteBuffer(bytes: [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8]))
        if output.count != before || log.count != lines { wrong = "a connection that has failed goes on" }
    }
}
