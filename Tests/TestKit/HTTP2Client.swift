package import HTTP2
import NIOCore
import Wire

/// A client that speaks HTTP/2 with prior knowledge over a socket, one thread's. It reads when it is asked to.
package final class HTTP2Client {
    /// What has come of one stream.
    package struct Answer: Sendable {
        /// The heads in HTTP/1.1, interim ones first.
        package var heads: [String] = []
        package var body: [UInt8] = []
        package var trailers: String?
        package var isWhole = false
        package var reset: HTTP2ErrorCode?

        /// The status of the last head; 0 without.
        package var status: Int {
            guard let head = heads.last, head.utf8.count > 12 else { return 0 }
            return Int(head.dropFirst(9).prefix(3)) ?? 0
        }

        /// Whether the last head has a field line.
        package func has(_ line: String) -> Bool { heads.last?.contains("\r\n\(line)\r\n") ?? false }
    }

    package let socket: Socket
    private var machine: HTTP2ConnectionMachine
    private var answers: [UInt32: Answer] = [:]
    /// GOAWAYs that came.
    package private(set) var goAways: [(lastStream: UInt32, code: HTTP2ErrorCode)] = []
    /// Whether the connection has ended, or cannot be understood any more.
    package private(set) var isOver = false
    /// Whether the scheme of requests is https, whatever the connection.
    package var isSecure = false
    /// Whether content is given back to the windows as it comes.
    package var consumes = true

    package init(
        port: Int, limits: HTTP2Limits = HTTP2Limits(), receiveBuffer: Int32? = nil, preamble: [UInt8] = []
    ) throws {
        socket = try Socket.connect(port: port, receiveBuffer: receiveBuffer)
        if !preamble.isEmpty { _ = socket.send(preamble) }
        machine = HTTP2ConnectionMachine(role: .client, limits: limits)
        flush()
    }

    deinit { socket.close() }

    /// Sends a request; nil when the machine opens no stream. Without `body` it ends with its head; with `ends` unset the body
    /// is not the last of it. `fields` are HTTP/1.1 field lines.
    package func request(
        _ method: String = "GET", _ path: String, _ fields: String = "", body: [UInt8]? = nil, ends: Bool = true
    ) -> UInt32? {
        let head = ByteBuffer(string: "\(method) \(path) HTTP/1.1\r\nhost: api.example\r\n\(fields)\r\n")
        var parser = RequestParser()
        guard parser.parse(head) == .complete,
            let stream = machine.open(parser.head, of: head, isSecure: isSecure, endsStream: body == nil)
        else { return nil }
        if let body { send(body, on: stream, ends: ends) }
        flush()
        return stream
    }

    /// Sends content, waiting for windows.
    package func send(_ body: [UInt8], on stream: UInt32, ends: Bool, within limit: Duration = .seconds(20)) {
        var content = ByteBuffer(bytes: body)
        let deadline = ContinuousClock.now + limit
        while !machine.send(&content, on: stream, isLast: ends), !isOver, ContinuousClock.now < deadline {
            flush()
            read(by: deadline)
        }
        flush()
    }

    package func sendTrailers(_ lines: String, on stream: UInt32) {
        machine.sendTrailers(ByteBuffer(string: lines), on: stream)
        flush()
    }

    package func reset(_ stream: UInt32, _ code: HTTP2ErrorCode = .cancel) {
        machine.reset(stream, code)
        flush()
    }

    /// Gives so many bytes of a stream's content back.
    package func consume(_ count: Int, of stream: UInt32) {
        machine.consume(count, of: stream)
        flush()
    }

    /// What came of a stream, waiting until it is whole, reset or the connection over.
    package func answer(_ stream: UInt32?, within limit: Duration = .seconds(20)) -> Answer {
        guard let stream else { return Answer() }
        let deadline = ContinuousClock.now + limit
        _ = wait(by: deadline) { answer(of: stream) { $0.isWhole || $0.reset != nil } }
        return answers[stream] ?? Answer()
    }

    private func answer(of stream: UInt32, _ test: (Answer) -> Bool) -> Bool {
        answers[stream].map(test) ?? false
    }

    /// What has come of a stream so far.
    package func soFar(_ stream: UInt32) -> Answer { answers[stream] ?? Answer() }

    /// Reads until a condition holds; false when the deadline or the end came first.
    package func wait(by deadline: ContinuousClock.Instant = .now + .seconds(20), until holds: () -> Bool) -> Bool {
        while !holds() {
            guard !isOver, ContinuousClock.now < deadline else { return holds() }
            read(by: deadline)
        }
        return true
    }

    private func flush() {
        let bytes = Array(machine.output.readableBytesView)
        machine.output.clear()
        if !bytes.isEmpty, !socket.send(bytes) { isOver = true }
    }

    private func read(by deadline: ContinuousClock.Instant) {
        switch socket.receive(by: deadline) {
        case .bytes(let bytes): take(bytes)
        case .end, .reset: isOver = true
        case .timeout: break
        }
    }

    private func take(_ bytes: [UInt8]) {
        machine.receive(ByteBuffer(bytes: bytes), now: 0)
        while true {
            switch machine.next() {
            case .more:
                return flush()
            case .message(let message):
                answers[message.stream, default: Answer()].heads.append(String(buffer: message.head))
            case .data(let stream, let content):
                answers[stream, default: Answer()].body += Array(content.readableBytesView)
                if consumes { machine.consume(content.readableBytes, of: stream) }
            case .end(let stream, let trailers):
                answers[stream, default: Answer()].isWhole = true
                answers[stream]?.trailers = trailers.map { String(buffer: $0) }
            case .reset(let stream, let code, _):
                answers[stream, default: Answer()].reset = code
            case .goAway(let lastStream, let code):
                goAways.append((lastStream, code))
            case .failed:
                isOver = true
                return flush()
            case .oversized, .malformed, .refused, .windowOpened:
                break
            }
        }
    }
}
