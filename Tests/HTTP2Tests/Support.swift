import HTTP2
import NIOCore
import TestKit
import Wire

/// Frames and blocks by hand, and what a machine says to them.
struct Frame: Equatable, CustomStringConvertible {
    var type: UInt8
    var flags: UInt8
    var stream: UInt32
    var payload: [UInt8]

    var description: String { "type \(type) flags \(flags) stream \(stream) \(payload.prefix(24))" }

    /// The error code of RST_STREAM or GOAWAY.
    var code: UInt32? {
        let tail = type == 3 ? payload[...] : type == 7 ? payload.dropFirst(4).prefix(4) : []
        return tail.count == 4 ? tail.reduce(0) { $0 << 8 | UInt32($1) } : nil
    }

    /// The frames in bytes that a machine has put out; the rest must not be a part of one.
    static func all(in bytes: [UInt8]) -> [Frame] {
        var frames: [Frame] = []
        var rest = bytes[...]
        while rest.count >= 9 {
            let head = Array(rest.prefix(9))
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            let stream = head[5...8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            frames.append(
                Frame(type: head[3], flags: head[4], stream: stream, payload: Array(rest.dropFirst(9).prefix(length))))
            rest = rest.dropFirst(9 + length)
        }
        return frames
    }
}

enum Bytes {
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    static func frame(_ type: UInt8, _ flags: UInt8 = 0, _ stream: UInt32 = 0, _ payload: [UInt8] = []) -> [UInt8] {
        let count = payload.count
        return [UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255), type, flags] + word(stream)
            + payload
    }

    static func word(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 255), UInt8(value >> 8 & 255), UInt8(value & 255)]
    }

    static func settings(_ pairs: [(UInt16, UInt32)] = []) -> [UInt8] {
        frame(4, 0, 0, pairs.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 255)] + word($0.1) })
    }

    /// Literals without indexing, so that a block stands for itself.
    static func block(_ fields: [(String, String)]) -> [UInt8] {
        fields.flatMap { [0x00] + string(latin1($0.0)) + string(latin1($0.1)) }
    }

    static func string(_ octets: [UInt8]) -> [UInt8] { integer(octets.count, prefix: 7, first: 0) + octets }

    static func integer(_ value: Int, prefix: Int, first: UInt8) -> [UInt8] {
        let mask = 1 << prefix - 1
        guard value >= mask else { return [first | UInt8(value)] }
        var bytes = [first | UInt8(mask)]
        var rest = value - mask
        while rest >= 128 {
            bytes.append(UInt8(rest & 127) | 128)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    /// RFC 7541 §5.2, bit by bit.
    static func huffman(_ octets: [UInt8], padding: Bool = true) -> [UInt8] {
        var bits: [Bool] = []
        for octet in octets {
            let (code, length) = (HuffmanCode.codes[Int(octet)], HuffmanCode.lengths[Int(octet)])
            for bit in stride(from: Int(length) - 1, through: 0, by: -1) { bits.append(code >> UInt32(bit) & 1 == 1) }
        }
        while bits.count % 8 != 0 { bits.append(padding) }
        return stride(from: 0, to: bits.count, by: 8).map { start in
            (0..<8).reduce(UInt8(0)) { $0 << 1 | (bits[start + $1] ? 1 : 0) }
        }
    }

    static let get: [(String, String)] = [
        (":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "a.test"),
    ]
    static let post: [(String, String)] = [
        (":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a.test"),
    ]

    static func headers(_ stream: UInt32, _ fields: [(String, String)] = get, flags: UInt8 = 0x5) -> [UInt8] {
        frame(1, flags, stream, block(fields))
    }
}

/// A server's machine with a memory of what it said.
final class Server {
    var machine: HTTP2ConnectionMachine
    var events: [HTTP2ConnectionMachine.Event] = []
    var error: HTTP2Error?
    private(set) var now: Int64 = 0
    var isDone: Bool { machine.isDone }

    /// `greets`: whether preface, SETTINGS and the ack are behind it.
    init(greets: Bool = true, limits: HTTP2Limits = HTTP2Limits()) {
        machine = HTTP2ConnectionMachine(role: .server, limits: limits)
        guard greets else { return }
        feed(Bytes.preface + Bytes.settings() + Bytes.frame(4, 1))
        _ = take()
    }

    /// What is put out since the last call.
    func take() -> [Frame] {
        let bytes = Array(machine.output.readableBytesView)
        machine.output.clear()
        return Frame.all(in: bytes)
    }

    func feed(_ bytes: [UInt8], at time: Int64? = nil) {
        if let time { now = time }
        machine.receive(ByteBuffer(bytes: bytes), now: now)
        while true {
            let event = machine.next()
            switch event {
            case .more: return
            case .failed(let error):
                self.error = error
                return
            case .message, .oversized, .data, .end, .malformed, .refused, .reset, .windowOpened, .goAway:
                events.append(event)
            }
        }
    }

    /// The messages that began, as text.
    var heads: [String] {
        events.compactMap { if case .message(let message) = $0 { String(buffer: message.head) } else { nil } }
    }

    /// Sends the head of an answer whose content follows.
    func begin(_ stream: UInt32) {
        let source = ByteBuffer(string: "HTTP/1.1 200 OK\r\n\r\n")
        var parser = ResponseParser()
        guard parser.parse(source, isAnswerToHEAD: false) == .complete else { return }
        machine.send(parser.head, of: source, on: stream, endsStream: false)
    }

    /// Answers with a status and content.
    func answer(_ stream: UInt32, _ content: String = "", fields: String = "") -> Bool {
        let source = ByteBuffer(string: "HTTP/1.1 200 OK\r\n\(fields)content-length: \(content.utf8.count)\r\n\r\n")
        var parser = ResponseParser()
        guard parser.parse(source, isAnswerToHEAD: false) == .complete else { return false }
        machine.send(parser.head, of: source, on: stream, endsStream: content.isEmpty)
        var body = ByteBuffer(string: content)
        return content.isEmpty || machine.send(&body, on: stream, isLast: true)
    }
}
