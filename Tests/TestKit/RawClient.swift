package import TLS

/// A client that sends the bytes it is given and reads answers leniently, one connection each.
package final class RawClient {
    private let socket: Socket
    private let reader: MessageReader

    /// Connects to a port of 127.0.0.1.
    package init(port: Int, receiveBuffer: Int32? = nil) throws {
        socket = try Socket.connect(port: port, receiveBuffer: receiveBuffer)
        reader = MessageReader(socket)
    }

    /// Connects, sends what comes before all else, and does a TLS handshake, of which `handshake` tells.
    package init(
        port: Int, tls context: TLSClientContext, host: String = "127.0.0.1", receiveBuffer: Int32? = nil,
        preamble: [UInt8] = []
    ) throws {
        socket = try Socket.connect(port: port, receiveBuffer: receiveBuffer)
        if !preamble.isEmpty { _ = socket.send(preamble) }
        reader = MessageReader(socket)
        guard let session = TLSSession(client: context, host: host) else {
            throw Socket.Failure(call: "a session for \(host)", code: 0)
        }
        handshake = socket.startTLS(session)
    }

    /// What came of the TLS handshake; nil without TLS.
    package private(set) var handshake: Socket.Handshake?

    deinit { socket.close() }

    /// Closes as a cut would: TLS does not say that all was sent.
    package func cut() { socket.closeRaw() }

    /// Sends text in Latin-1; false when the peer did not take all of it.
    @discardableResult
    package func send(_ text: String) -> Bool { socket.send(latin1(text)) }

    /// Sends bytes; false when the peer did not take all of it.
    @discardableResult
    package func send(_ bytes: [UInt8]) -> Bool { socket.send(bytes) }

    /// Sends bytes from whatever thread calls it, while another reads the answers.
    package var sender: @Sendable ([UInt8]) -> Bool {
        { [socket] bytes in socket.send(bytes, by: .now + .seconds(120)) }
    }

    /// The next final answer, interim answers (1xx other than 101) left out.
    ///
    /// - Returns: nil when the connection ended, or the deadline came, before a whole head.
    package func answer(
        toHEAD: Bool = false, within limit: Duration = .seconds(20), interim: (Message) -> Void = { _ in }
    ) -> Message? {
        let deadline = ContinuousClock.now + limit
        while var message = reader.head(by: deadline) {
            if (100..<200).contains(message.status), message.status != 101 {
                interim(message)
                continue
            }
            reader.body(Self.framing(of: message, toHEAD: toHEAD), into: &message, by: deadline)
            return message
        }
        return nil
    }

    /// Only the head of the next message, interim or final; the body stays unread.
    package func head(within limit: Duration = .seconds(20)) -> Message? {
        reader.head(by: .now + limit)
    }

    /// Reads one body of the given length without keeping more than a piece of it: how many bytes came, until it was
    /// whole, the stream ended or the deadline passed, and whether each byte was the expected one.
    package func countBody(length: Int, of byte: UInt8, within limit: Duration) -> (count: Int, isRight: Bool) {
        let deadline = ContinuousClock.now + limit
        var count = reader.rest.count
        var isRight = reader.rest.allSatisfy { $0 == byte }
        while count < length, case .bytes(let bytes) = socket.receive(by: deadline) {
            count += bytes.count
            isRight = isRight && bytes.allSatisfy { $0 == byte }
        }
        return (count, isRight)
    }

    /// Ends the sending side.
    package func finishSending() { socket.finishSending() }

    /// Whether the peer ends the connection before the deadline; what it still sent is left in `rest`.
    package func peerCloses(within limit: Duration = .seconds(20)) -> Bool {
        reader.drain(by: .now + limit)
        return reader.streamEnd != nil
    }

    /// Whether the end of the stream was seen already.
    package var isEnded: Bool { reader.streamEnd != nil }

    /// Whether the stream ended by a reset.
    package var wasReset: Bool { reader.streamEnd == .reset }

    /// What was read and belongs to no answer.
    package var rest: [UInt8] { reader.rest }

    /// Closes in order.
    package func close() { socket.close() }

    /// Closes with a reset.
    package func reset() { socket.reset() }

    private static func framing(of message: Message, toHEAD: Bool) -> MessageReader.Framing {
        if toHEAD || [101, 204, 304].contains(message.status) { return .none }
        if let coding = message.values("transfer-encoding").last, coding.lowercased().hasSuffix("chunked") {
            return .chunked
        }
        if let length = message.values("content-length").first.flatMap({ Int($0) }) { return .length(length) }
        return .untilClose
    }
}
