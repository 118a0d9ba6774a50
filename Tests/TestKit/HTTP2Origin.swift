import Foundation
package import HTTP2
import NIOConcurrencyHelpers
import NIOCore
package import TLS
import Wire

/// A server that speaks HTTP/2 with prior knowledge, or over TLS, on a real socket. Each connection has a thread of its own and
/// answers a request when it is whole, by a script.
package final class HTTP2Origin: Sendable {
    package struct Request: Sendable {
        package var connection = 0
        /// The head in HTTP/1.1.
        package var head = ""
        package var body: [UInt8] = []
        package var trailers: String?

        package func has(_ line: String) -> Bool { head.contains("\r\n\(line)\r\n") }
        package var path: String { String(head.split(separator: " ", maxSplits: 2).dropFirst().first ?? "") }
    }

    /// What is done about one request.
    package enum Step: Sendable {
        /// A head as in HTTP/1.1; whether it is all of the answer.
        case head(String, ends: Bool = false)
        case content([UInt8], ends: Bool = false)
        /// Trailer lines, which end the answer.
        case trailers(String)
        case reset(HTTP2ErrorCode)
        /// Says that the connection will end, and that this was its last request.
        case goAway
        case await(Latch)
        /// Ends the connection.
        case close
    }

    private struct State {
        var requests: [Request] = []
        var connections = 0
        var open: [Int: Socket] = [:]
    }

    private let listener: Socket
    private let tls: TLSServerContext?
    private let limits: HTTP2Limits
    private let script: @Sendable (Request) -> [Step]
    private let state = NIOLockedValueBox(State())
    /// The port of 127.0.0.1 it listens on.
    package let port: Int

    /// Starts listening.
    package init(
        tls: TLSServerContext? = nil, limits: HTTP2Limits = HTTP2Limits(),
        script: @escaping @Sendable (Request) -> [Step]
    ) throws {
        (listener, port) = try Socket.listen(port: 0)
        self.tls = tls
        self.limits = limits
        self.script = script
        Thread.detachNewThread { [listener, weak self] in
            while let connection = listener.accept() {
                guard let self else { return connection.close() }
                self.serve(connection)
            }
        }
    }

    deinit { stop() }

    package func stop() {
        listener.interrupt()
        listener.close()
        for socket in state.withLockedValue({ Array($0.open.values) }) { socket.interrupt() }
    }

    /// The requests so far, in the order in which they were whole.
    package var requests: [Request] { state.withLockedValue { $0.requests } }
    /// How many connections were ever accepted.
    package var connections: Int { state.withLockedValue { $0.connections } }
    /// How many of them are open.
    package var openConnections: Int { state.withLockedValue { $0.open.count } }

    private func serve(_ socket: Socket) {
        let number = state.withLockedValue { state in
            state.connections += 1
            state.open[state.connections] = socket
            return state.connections
        }
        Thread.detachNewThread { [self] in
            if let tls, let session = TLSSession(server: tls) { _ = socket.startTLS(session) }
            var connection = Connection(socket: socket, machine: HTTP2ConnectionMachine(role: .server, limits: limits))
            while connection.flush(), case .bytes(let bytes) = socket.receive(by: .now + .seconds(600)) {
                connection.machine.receive(ByteBuffer(bytes: bytes), now: 0)
                guard
                    connection.process(
                        number,
                        { request in
                            state.withLockedValue { $0.requests.append(request) }
                            return script(request)
                        })
                else { break }
            }
            socket.close()
            state.withLockedValue { $0.open[number] = nil }
        }
    }

    /// What one connection's thread holds.
    private struct Connection: ~Copyable {
        let socket: Socket
        var machine: HTTP2ConnectionMachine
        var open: [UInt32: Request] = [:]
        /// Content that waits for windows.
        var waiting: [(stream: UInt32, content: ByteBuffer, ends: Bool)] = []

        mutating func flush() -> Bool {
            let bytes = Array(machine.output.readableBytesView)
            machine.output.clear()
            return bytes.isEmpty || socket.send(bytes, by: .now + .seconds(600))
        }

        /// False when the connection is to end.
        mutating func process(_ number: Int, _ answer: (Request) -> [Step]) -> Bool {
            while true {
                switch machine.next() {
                case .more:
                    sendWaiting()
                    return true
                case .message(let message):
                    open[message.stream] = Request(connection: number, head: String(buffer: message.head))
                case .data(let stream, let content):
                    open[stream]?.body += Array(content.readableBytesView)
                    machine.consume(content.readableBytes, of: stream)
                case .end(let stream, let trailers):
                    guard var request = open.removeValue(forKey: stream) else { continue }
                    request.trailers = trailers.map { String(buffer: $0) }
                    for step in answer(request) {
                        guard perform(step, on: stream) else { return false }
                    }
                case .reset(let stream, _, _):
                    open[stream] = nil
                    waiting.removeAll { $0.stream == stream }
                case .failed:
                    _ = flush()
                    return false
                case .windowOpened, .goAway, .oversized, .malformed, .refused:
                    break
                }
            }
        }

        private mutating func perform(_ step: Step, on stream: UInt32) -> Bool {
            switch step {
            case .head(let text, let ends):
                let bytes = ByteBuffer(string: text)
                var parser = ResponseParser(limits: HeadLimits(maximumHeadBytes: 1 << 20, maximumFieldBytes: 1 << 20))
                guard parser.parse(bytes, isAnswerToHEAD: true) == .complete else { return false }
                machine.send(parser.head, of: bytes, on: stream, endsStream: ends)
            case .content(let bytes, let ends):
                waiting.append((stream, ByteBuffer(bytes: bytes), ends))
                sendWaiting()
            case .trailers(let lines):
                machine.sendTrailers(ByteBuffer(string: lines), on: stream)
            case .reset(let code):
                machine.reset(stream, code)
            case .goAway:
                machine.finishDraining()
            case .await(let latch):
                guard flush() else { return false }
                latch.wait()
            case .close:
                _ = flush()
                return false
            }
            return true
        }

        private mutating func sendWaiting() {
            var rest: [(stream: UInt32, content: ByteBuffer, ends: Bool)] = []
            for var entry in waiting where !machine.send(&entry.content, on: entry.stream, isLast: entry.ends) {
                rest.append(entry)
            }
            waiting = rest
        }
    }
}
