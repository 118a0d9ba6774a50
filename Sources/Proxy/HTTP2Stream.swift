import Gate
import HTTP2
import NIOCore
import Reactor
import Wire

/// What carries one request after another of an HTTP/2 connection, as a connection of HTTP/1.1 would: the stream of a
/// `ClientHandler`, which does not know the difference.
///
/// It translates only. Requests come as HTTP/1.1 heads from the machine and get their content framed; answers are parsed as
/// they are written and go out as frames. When an exchange has ended in good order it is used again for the next one.
final class HTTP2Stream: MeasuredStream, Deadlined, TurnTaker {
    /// Content that may wait for the client's windows before the writer is asked to pause, and at which it may go on.
    static let highWater = 65536
    static let lowWater = 16384

    private enum Answer {
        case head, content, whole
    }

    private(set) var handler: ClientHandler?
    private var connection: HTTP2ServerConnection?
    /// Whether its client has to take the answer at a rate.
    var hasRate: Bool { handler?.hasRate ?? hadRate }
    /// The stream that is served; 0 at rest.
    private(set) var id: UInt32 = 0

    // The request.
    private var isChunked = false
    private var isReading = true
    /// Content that came while the handler did not read, and what was told of its end.
    private var held = ByteBuffer()
    private var heldEnd: ByteBuffer?
    private var framed = ByteBuffer()
    /// Bytes handed over that the client has not been given back.
    private var owed = 0

    // The answer.
    private var answer = Answer.whole
    private var isHEAD = false
    private var parser: ResponseParser
    private var unparsed = ByteBuffer()
    private var body = BodyRelay(ResponseFraming.none, output: .raw)
    /// The answer's trailer lines, which end it.
    private var trailers: ByteBuffer?
    /// Content that waits for windows.
    private(set) var content = ByteBuffer()
    /// Bytes of content that have gone out.
    private var sent = 0
    /// How much the connection had written with the last of it.
    private var lastContent = 0
    private var wasWritable = true
    /// Whether the rest of a request that is answered is waited for.
    private var isLingering = false
    /// The wait of one without a handler for a client that does not open its windows.
    private var stall: Stall?
    private var hadRate = true
    /// When either is over.
    private(set) var deadline = Int64.max
    var wheelPlace = WheelPlace()
    /// Whether it stands in the queue of those that have content.
    var isQueued = false
    /// Whether it stands in the list of those that want to be looked at when the round ends.
    var isNoted = false

    init(connection: HTTP2ServerConnection, limits: HeadLimits) {
        self.connection = connection
        // Our own fields come on top of those of an answer that was just within its bounds.
        self.parser = ResponseParser(
            limits: HeadLimits(
                maximumHeadBytes: limits.maximumHeadBytes * 2, maximumFields: limits.maximumFields * 2,
                maximumFieldBytes: limits.maximumFieldBytes * 2))
        self.handler = ClientHandler(worker: connection.worker, http2Peer: connection.peer, on: self)
    }

    // MARK: The request

    /// Begins an exchange on a stream of the client's.
    func begin(_ id: UInt32, isHEAD: Bool, isChunked: Bool) {
        self.id = id
        self.isHEAD = isHEAD
        self.isChunked = isChunked
        answer = .head
        trailers = nil
        parser.reset()
    }

    /// Hands the request's head to the handler.
    func deliverHead(_ head: consuming ByteBuffer) {
        handler?.received(&head)
    }

    func deliver(_ bytes: ByteBuffer) {
        guard handler != nil else { return giveBack(bytes.readableBytes) }
        guard isReading, held.readableBytes == 0 else {
            held.writeBytes(bytes.readableBytesSpan)
            return
        }
        pass(bytes)
    }

    /// The request is whole; `trailers` are the lines of its trailer section.
    func deliverEnd(_ trailers: ByteBuffer?) {
        guard handler != nil else { return }
        guard isReading, held.readableBytes == 0 else {
            heldEnd = trailers ?? ByteBuffer()
            return
        }
        passEnd(trailers ?? ByteBuffer())
    }

    private func pass(_ bytes: ByteBuffer) {
        owed += bytes.readableBytes
        var received = bytes
        if isChunked {
            framed.clear()
            framed.writeChunk(bytes)
            received = framed
        }
        handler?.received(&received)
        // A handler that stopped reading has not taken what it was given.
        if isReading { giveBack(0) }
    }

    private func passEnd(_ trailers: ByteBuffer) {
        guard isChunked else { return }
        framed.clear()
        framed.writeLastChunk(trailers: trailers)
        var received = framed
        handler?.received(&received)
    }

    private func giveBack(_ more: Int) {
        let count = owed + more
        owed = 0
        if count > 0 { connection?.consumed(count, of: id) }
    }

    /// The round has ended: what could not be done within a call of the handler's.
    func roundEnded() {
        if isReading, handler != nil {
            giveBack(0)
            if held.readableBytes > 0 {
                let bytes = held
                held = ByteBuffer()
                pass(bytes)
            }
            if isReading, held.readableBytes == 0, let end = heldEnd {
                heldEnd = nil
                passEnd(end)
            }
        }
        guard id != 0, answer == .whole, let connection else { return }
        if connection.mayAnswer(id), connection.mayGoAhead(self) { send() }
        if !connection.mayAnswer(id) { connection.settle(self) }
    }

    // MARK: MeasuredStream

    var isOpen: Bool { connection != nil }

    var isWritable: Bool {
        guard let connection else { return false }
        return content.readableBytes < Self.highWater && connection.takesContent
    }

    var isDrained: Bool { content.readableBytes == 0 }

    var isBacklogged: Bool { !isDrained }

    /// Whether all that is left to send is the end of the answer, which needs no window.
    var lacksOnlyEnd: Bool { answer == .whole && isDrained }

    /// A client that has not taken all of the stream cannot open its window, nor that of the connection before it has taken what
    /// went out last.
    var isHeldByCarrier: Bool {
        guard !isDrained, let connection else { return true }
        return connection.isAwaited(connection.machine.isWindowShut ? connection.lastAnswer : lastContent)
    }

    var written: Int { sent &+ content.readableBytes }

    var delivery: Delivery { Delivery(taken: sent, untaken: content.readableBytes) }

    func setReading(_ reads: Bool) {
        guard reads != isReading else { return }
        isReading = reads
        if reads { connection?.note(self) }
    }

    func write(_ first: ByteBuffer, _ second: ByteBuffer?) {
        guard id != 0 else { return }
        take(first)
        if let second { take(second) }
        if answer != .head, connection?.mayGoAhead(self) == true { send() }
        noteWritability()
    }

    private func take(_ bytes: ByteBuffer) {
        var bytes = bytes
        if answer == .head {
            if unparsed.readableBytes == 0 { unparsed = bytes } else { unparsed.writeBytes(bytes.readableBytesSpan) }
            while answer == .head {
                switch parser.parse(unparsed, isAnswerToHEAD: isHEAD) {
                case .incomplete: return keepUnparsed()
                case .malformed: return reset()
                case .complete: takeHead()
                }
            }
            bytes = unparsed
            unparsed = ByteBuffer()
        }
        guard answer == .content else { return }
        let before = content.readableBytes
        let progress = body.relay(&bytes, into: &content)
        connection?.queued(content.readableBytes - before)
        switch progress {
        case .more: break
        case .end:
            answer = .whole
            if let lines = body.trailers { trailers = ByteBuffer(bytes: lines) }
        case .malformed: reset()
        }
    }

    /// The writer's buffer is its own again after the call.
    private func keepUnparsed() {
        // A variable of its own, because the optimiser does not see that a property outlives its span.
        let bytes = unparsed
        var kept = ByteBufferAllocator().buffer(capacity: bytes.readableBytes)
        kept.writeBytes(bytes.readableBytesSpan)
        unparsed = kept
    }

    private func takeHead() {
        let length = parser.head.length
        if parser.head.isInterim {
            connection?.send(parser.head, of: unparsed, on: id, endsStream: false)
            unparsed.moveReaderIndex(forwardBy: min(length, unparsed.readableBytes))
            parser.reset()
            return
        }
        body = BodyRelay(parser.head.framing, output: .raw, passesTrailers: true)
        answer = body.isFinished ? .whole : .content
        connection?.send(parser.head, of: unparsed, on: id, endsStream: body.isFinished)
        unparsed.moveReaderIndex(forwardBy: min(length, unparsed.readableBytes))
        if answer == .whole { connection?.note(self) }
    }

    /// Sends as much content as may be sent, and says when that is all of the answer.
    func send(limit: Int = .max) {
        guard id != 0, let connection, answer != .head else { return }
        let before = content.readableBytes
        let isWhole = answer == .whole
        guard before > 0 || isWhole, connection.mayAnswer(id) else { return }
        let isDone = connection.send(&content, trailers, on: id, isLast: isWhole, limit: limit)
        sent &+= before - content.readableBytes
        if content.readableBytes < before { lastContent = connection.lastAnswer }
        if content.readableBytes == 0, content.storageCapacity > Self.highWater { content = ByteBuffer() }
        if isWhole, isDone {
            connection.note(self)
        } else if isWhole || content.readableBytes > 0 {
            connection.enqueue(self)
        }
        noteWritability()
    }

    /// Tells the handler when it may go on, and when it has to stop.
    func noteWritability() {
        let isWritableNow =
            wasWritable ? isWritable : isWritable && content.readableBytes <= Self.lowWater
        guard isWritableNow != wasWritable else { return }
        wasWritable = isWritableNow
        handler?.writabilityChanged()
    }

    func finishOutput() {
        if answer == .content, case .end = body.finishAtEOF(into: &content) {
            answer = .whole
            if connection?.mayGoAhead(self) == true { send() }
        }
        // The handler has nothing more to say, and nothing that still comes is for it.
        if answer == .whole { retire() } else { reset() }
    }

    func reset() {
        connection?.reset(self, answer == .whole && content.readableBytes == 0 ? .noError : .internalError)
        drop()
    }

    func close() {
        guard id != 0, answer != .whole || content.readableBytes > 0 else { return retire() }
        reset()
    }

    // MARK: Ends

    /// The handler goes; what waits for windows is still sent.
    private func retire() {
        hadRate = hasRate
        releaseHandler()
        giveBack(held.readableBytes)
        held = ByteBuffer()
        heldEnd = nil
        guard id != 0, let connection else { return drop() }
        connection.note(self)
        guard content.readableBytes > 0 else { return }
        let now = connection.worker.now().monotonic
        stall = Stall(began: now, delivery: delivery)
        expire(at: now + connection.worker.rules.bodyTimeout)
    }

    private func expire(at time: Int64) {
        deadline = time
        connection?.worker.noteDeadline(self)
    }

    /// The stream is gone: the client has reset it, or the connection has ended.
    func cancel() {
        giveBack(held.readableBytes)
        let handler = self.handler
        self.handler = nil
        drop()
        handler?.closed()
    }

    /// The client has its answer and still sends: it has a second to see that, and then is told that nobody wants the rest
    /// (RFC 9113 §8.1). Some clients (curl 7.88) forget the answer when they are reset while they send.
    func linger() {
        guard !isLingering, let worker = connection?.worker else { return }
        isLingering = true
        expire(at: worker.now().monotonic + 1_000_000_000)
    }

    func deadlinePassed(now: Int64) {
        guard !isLingering, content.readableBytes > 0, let rules = connection?.worker.rules else { return reset() }
        if isHeldByCarrier {
            stall = Stall(began: now, delivery: delivery)
        } else if stall?.beginsAnew(at: delivery, rate: hasRate ? rules.minimumAnswerRate : 0, now: now) != true {
            return reset()
        }
        expire(at: now + rules.bodyTimeout)
    }

    private func stopWaiting() {
        guard deadline != .max else { return }
        isLingering = false
        stall = nil
        deadline = .max
        connection?.worker.forgetDeadline(self)
    }

    private func releaseHandler() {
        guard let handler, let connection else { return }
        self.handler = nil
        connection.worker.reactor.afterEvent { handler.closed() }
    }

    private func drop() {
        releaseHandler()
        guard let connection else { return }
        stopWaiting()
        connection.queued(-content.readableBytes)
        connection.forget(self)
        self.connection = nil
        content = ByteBuffer()
        unparsed = ByteBuffer()
        id = 0
    }

    /// The exchange is over on both sides; whether the next one may be served here.
    func rest() -> Bool {
        guard let handler, handler.isAtRest, held.readableBytes == 0 else {
            drop()
            return false
        }
        stopWaiting()
        giveBack(0)
        id = 0
        return true
    }
}
