import Foundation
import NIOConcurrencyHelpers
package import TLS

/// A server of raw bytes: it remembers what it was sent, byte for byte, and answers as its script says.
package final class RawOrigin: Sendable {
    /// One thing to do on the connection of a request.
    package enum Step: Sendable {
        case send([UInt8])
        /// Sends the same bytes many times, waiting whenever the peer does not take them.
        case sendMany([UInt8], times: Int)
        /// Waits; for the tests of a peer that is slow, never for synchronisation.
        case pause(Duration)
        /// Waits until the test opens the latch.
        case await(Latch)
        case close
        /// Closes as a cut would: TLS does not say that all was sent.
        case cut
        case reset
        /// Sends nothing more and waits until the peer closes.
        case hang

        /// Sends text in Latin-1.
        package static func text(_ text: String) -> Step { .send(latin1(text)) }
    }

    /// What to do with one request, decided when its head is there.
    package enum Plan: Sendable {
        /// Read the body first, then do what the whole request calls for.
        case afterBody(@Sendable (Message) -> [Step])
        /// Do this at once and read the body afterwards.
        case beforeBody([Step])

        /// Answers with these bytes once the request is whole.
        package static func answer(_ text: String) -> Plan { .afterBody { _ in [.text(text)] } }
    }

    /// Decides by the head; called on a thread of the connection.
    package typealias Script = @Sendable (Message) -> Plan

    private struct State {
        var requests: [(connection: Int, message: Message)] = []
        var connections = 0
        var closed = 0
        var finishedPlans = 0
        var script: Script
        var open: [Int: Socket] = [:]
    }

    private let listener: Socket
    private let tls: TLSServerContext?
    private let state: NIOLockedValueBox<State>
    /// The port of 127.0.0.1 it listens on.
    package let port: Int

    /// The answer of an origin without a script: 200 with the body it was sent, marked as the origin's own.
    package static let echo: Script = { _ in
        .afterBody { request in
            let body = request.method == "HEAD" ? [] : request.body
            return [
                .text("HTTP/1.1 200 OK\r\nX-Origin: 1\r\nContent-Length: \(request.body.count)\r\n\r\n"), .send(body),
            ]
        }
    }

    /// Starts listening; 0 lets the system choose the port.
    ///
    /// With `tls` each connection begins with a handshake.
    package init(port: Int = 0, tls: TLSServerContext? = nil, script: @escaping Script = RawOrigin.echo) throws {
        (listener, self.port) = try Socket.listen(port: port)
        self.tls = tls
        state = NIOLockedValueBox(State(script: script))
        Thread.detachNewThread { [listener, weak self] in
            while let connection = listener.accept() {
                guard let self else { return connection.close() }
                self.serve(connection)
            }
        }
    }

    deinit { stop() }

    /// Ends the listener and every connection.
    package func stop() {
        listener.interrupt()
        listener.close()
        closeConnections()
    }

    /// Ends every connection and goes on listening, as an origin does that drops its idle connections.
    package func closeConnections() {
        for socket in state.withLockedValue({ Array($0.open.values) }) { socket.interrupt() }
    }

    /// Puts another script in place for the requests to come.
    package func play(_ script: @escaping Script) {
        state.withLockedValue { $0.script = script }
    }

    /// All requests so far, cut ones included, in the order in which they were whole (or cut).
    package var requests: [Message] { state.withLockedValue { $0.requests.map(\.message) } }

    /// The requests so far with the number of the connection each came on.
    package var requestsByConnection: [(connection: Int, message: Message)] { state.withLockedValue { $0.requests } }

    /// The requests since the last call.
    package func takeRequests() -> [Message] {
        state.withLockedValue { state in
            defer { state.requests = [] }
            return state.requests.map(\.message)
        }
    }

    /// How many connections were ever accepted.
    package var connections: Int { state.withLockedValue { $0.connections } }

    /// How many of them are closed.
    package var closedConnections: Int { state.withLockedValue { $0.closed } }

    /// How many plans were carried out to their last step.
    package var finishedPlans: Int { state.withLockedValue { $0.finishedPlans } }

    // MARK: One connection

    private func serve(_ socket: Socket) {
        let number = state.withLockedValue { state in
            state.connections += 1
            state.open[state.connections] = socket
            return state.connections
        }
        Thread.detachNewThread { [self] in
            let reader = MessageReader(socket)
            if let tls, let session = TLSSession(server: tls) { _ = socket.startTLS(session) }
            while let head = reader.head(by: .now + .seconds(600)), exchange(head, reader, socket, number) {}
            socket.close()
            state.withLockedValue { state in
                state.open[number] = nil
                state.closed += 1
            }
        }
    }

    private func exchange(_ head: Message, _ reader: MessageReader, _ socket: Socket, _ number: Int) -> Bool {
        var request = head
        let script = state.withLockedValue { $0.script }
        var keep = true
        let plan = script(head)
        if case .beforeBody(let steps) = plan { keep = perform(steps, socket, reader) }
        if case .afterBody = plan, head.value("expect")?.lowercased() == "100-continue" {
            // RFC 9110 section 10.1.1: a client may be waiting for it.
            keep = socket.send(latin1("HTTP/1.1 100 Continue\r\n\r\n"))
        }
        if keep { reader.body(Self.framing(of: head), into: &request, by: .now + .seconds(600)) }
        state.withLockedValue { $0.requests.append((number, request)) }
        if keep, request.ending == .complete, case .afterBody(let steps) = plan {
            keep = perform(steps(request), socket, reader)
        }
        state.withLockedValue { $0.finishedPlans += 1 }
        return keep && request.ending == .complete
    }

    private func perform(_ steps: [Step], _ socket: Socket, _ reader: MessageReader) -> Bool {
        for step in steps {
            switch step {
            case .send(let bytes): guard socket.send(bytes, by: .now + .seconds(600)) else { return false }
            case .sendMany(let bytes, let times):
                for _ in 0..<times { guard socket.send(bytes, by: .now + .seconds(600)) else { return false } }
            case .pause(let duration): Thread.sleep(forTimeInterval: duration / .seconds(1))
            case .await(let latch): latch.wait()
            case .close: return false
            case .cut:
                socket.closeRaw()
                return false
            case .reset:
                socket.reset()
                return false
            case .hang:
                reader.drain(by: .now + .seconds(600))
                return false
            }
        }
        return true
    }

    private static func framing(of message: Message) -> MessageReader.Framing {
        if let coding = message.values("transfer-encoding").last, coding.lowercased().contains("chunked") {
            return .chunked
        }
        return message.values("content-length").first.flatMap { Int($0) }.map { .length($0) } ?? .none
    }
}

/// A door that is shut until a test opens it, for threads to wait at.
package final class Latch: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    package init() {}

    /// Lets everyone through, now and later.
    package func open() { semaphore.signal() }

    /// Whether it was opened.
    package var isOpen: Bool {
        guard semaphore.wait(timeout: .now()) == .success else { return false }
        semaphore.signal()
        return true
    }

    /// Waits for the door to open, a minute at the most.
    package func wait() {
        if semaphore.wait(timeout: .now() + 60) == .success { semaphore.signal() }
    }
}
