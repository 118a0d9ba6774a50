import HTTP2
import NIOCore
import Reactor
import Wire

/// What carries one request after another to an endpoint that speaks HTTP/2, as a connection of HTTP/1.1 would: the stream of
/// an `UpstreamConnection`, which does not know the difference.
///
/// It translates only. Requests are parsed as they are written and go out as frames; answers come as HTTP/1.1 heads from the
/// machine and get their content framed.
final class HTTP2UpstreamStream: ByteStream, TurnTaker {
    /// Content that may wait for the server's windows before the writer is asked to pause, and at which it may go on.
    private static let highWater = 65536
    private static let lowWater = 16384

    private enum Request {
        /// None has begun, or its head is not whole.
        case head
        /// Its head is there, and waits for a stream.
        case waiting
        case content
        /// All of it was written.
        case whole
    }

    private var session: HTTP2Session?
    private var handler: UpstreamConnection?
    /// The stream that is served; 0 at rest.
    private(set) var id: UInt32 = 0
    private var began: Int64 = 0

    // The request.
    private var request = Request.head
    private var parser = RequestParser(limits: HTTP2UpstreamStream.limits)
    private var unparsed = ByteBuffer()
    private var body = BodyRelay(RequestFraming.none, output: .raw)
    /// Content that waits for windows.
    private var content = ByteBuffer()
    private var wasWritable = true
    /// Whether it stands in the queue of those that have content.
    var isQueued = false

    // The answer.
    private var isChunked = false
    private var isReading = true
    /// What came while the handler did not read.
    private var held = ByteBuffer()
    private var heldEnd: ByteBuffer?
    private var framed = ByteBuffer()
    /// Bytes handed over that the server has not been given back.
    private var owed = 0

    /// What the gateway wrote itself is within its bounds, whatever these are configured to be.
    private static let limits = HeadLimits(
        maximumHeadBytes: 4 << 20, maximumTargetBytes: 1 << 20, maximumFields: 10000, maximumFieldBytes: 1 << 20)

    init(_ session: HTTP2Session, _ handler: UpstreamConnection) {
        self.session = session
        self.handler = handler
    }

    /// Whether no request is on it.
    var isAtRest: Bool { id == 0 && request == .head && unparsed.readableBytes == 0 }

    // MARK: ByteStream

    /// Whether another request may follow.
    var isOpen: Bool { session.map { !$0.isRetired } ?? false }
    var isWritable: Bool { session != nil && content.readableBytes < Self.highWater }
    var isDrained: Bool { content.readableBytes == 0 }

    /// Whether all that is left to send is the end of the request, which needs no window.
    var lacksOnlyEnd: Bool { request == .whole && isDrained }

    func write(_ first: ByteBuffer, _ second: ByteBuffer?) {
        guard session != nil else { return }
        // The next request: the answer before was whole for its reader, whatever the server still says about it.
        if request == .whole { rest(resets: content.readableBytes > 0) }
        take(first)
        if let second { take(second) }
        sendInTurn()
        noteWritability()
    }

    private func take(_ bytes: ByteBuffer) {
        var bytes = bytes
        if request == .head || request == .waiting {
            unparsed.writeBytes(bytes.readableBytesSpan)
            guard request == .head else { return }
            switch parser.parse(unparsed) {
            case .incomplete: return
            case .malformed: return reset()
            case .complete: break
            }
            request = .waiting
            body = BodyRelay(parser.head.framing, output: .raw)
            began = session?.reactor.now ?? 0
            begin()
            return
        }
        relay(&bytes)
    }

    /// Opens the stream of a request whose head is there, as soon as there is room for it.
    func begin() {
        guard request == .waiting, let session else { return }
        let opened = session.begin(parser.head, of: unparsed, for: self, endsStream: body.isFinished)
        guard let opened else { return }
        id = opened
        request = body.isFinished ? .whole : .content
        unparsed.moveReaderIndex(forwardBy: min(parser.head.length, unparsed.readableBytes))
        var rest = unparsed
        unparsed.clear()
        if rest.readableBytes > 0 { relay(&rest) }
        sendInTurn()
    }

    private func relay(_ bytes: inout ByteBuffer) {
        guard request == .content else { return }
        switch body.relay(&bytes, into: &content) {
        case .more: break
        case .end: request = .whole
        case .malformed: reset()
        }
    }

    /// Sends at once, or when those have had their turn who wait to send.
    private func sendInTurn() {
        guard id != 0, let session, session.mayGoAhead(self) else { return }
        send(limit: .max)
    }

    /// Sends as much content as may be sent.
    func send(limit: Int) {
        guard id != 0, let session, session.isLocalOpen(id) else { return }
        let isWhole = request == .whole
        guard content.readableBytes > 0 || isWhole else { return }
        let isDone = session.send(&content, on: id, isLast: isWhole, limit: limit)
        if content.readableBytes == 0, content.storageCapacity > Self.highWater { content = ByteBuffer() }
        if isWhole ? !isDone : content.readableBytes > 0 { session.enqueue(self) }
        noteWritability()
    }

    private func noteWritability() {
        let isWritableNow = wasWritable ? isWritable : isWritable && content.readableBytes <= Self.lowWater
        guard isWritableNow != wasWritable else { return }
        wasWritable = isWritableNow
        handler?.writabilityChanged()
    }

    func setReading(_ reads: Bool) {
        guard reads != isReading else { return }
        isReading = reads
        guard reads, let session else { return }
        // Never from within this call: the handler may be in the middle of something.
        session.reactor.afterEvent { [weak self] in self?.resume() }
    }

    private func resume() {
        guard isReading, handler != nil else { return }
        giveBack(0)
        if held.readableBytes > 0 {
            let bytes = held
            held = ByteBuffer()
            pass(bytes)
        }
        guard isReading, held.readableBytes == 0, let end = heldEnd else { return }
        heldEnd = nil
        passEnd(end)
    }

    /// Only tunnels end their sides one by one, and none leads over HTTP/2.
    func finishOutput() {
        reset()
    }

    func reset() {
        close()
    }

    func close() {
        guard session != nil else { return }
        giveBack(held.readableBytes)
        rest(resets: true)
        leave()
    }

    // MARK: The answer

    func deliverHead(_ head: consuming ByteBuffer, isChunked: Bool) {
        self.isChunked = isChunked
        guard isReading, held.readableBytes == 0 else {
            held.writeBytes(head.readableBytesSpan)
            return
        }
        handler?.received(&head)
    }

    func deliver(_ bytes: ByteBuffer) {
        owed += bytes.readableBytes
        var bytes = bytes
        if isChunked, bytes.readableBytes > 0 {
            framed.clear()
            framed.writeChunk(bytes)
            bytes = framed
        }
        guard isReading, held.readableBytes == 0 else {
            held.writeBytes(bytes.readableBytesSpan)
            return
        }
        pass(bytes)
    }

    func deliverEnd(_ trailers: ByteBuffer?) {
        guard isReading, held.readableBytes == 0 else {
            heldEnd = trailers ?? ByteBuffer()
            return
        }
        passEnd(trailers ?? ByteBuffer())
    }

    /// With the last byte of an answer the next request may come from within the call.
    private func pass(_ bytes: consuming ByteBuffer) {
        let answered = id
        handler?.received(&bytes)
        if isReading, id == answered { giveBack(0) }
    }

    private func passEnd(_ trailers: ByteBuffer) {
        let isChunked = self.isChunked
        // A request that is not whole yet has no answer that another could follow.
        if request == .whole, content.readableBytes == 0 { rest(resets: false) }
        guard isChunked else { return }
        framed.clear()
        framed.writeLastChunk(trailers: trailers)
        var received = framed
        handler?.received(&received)
    }

    private func giveBack(_ more: Int) {
        let count = owed + more
        owed = 0
        if count > 0, id != 0 { session?.consumed(count, of: id) }
    }

    // MARK: Ends

    /// The exchange is over on this side.
    private func rest(resets: Bool) {
        giveBack(0)
        if id != 0 { session?.forget(id, resets: resets, began: began) }
        id = 0
        request = .head
        parser.reset()
        unparsed.clear()
        content.clear()
        held.clear()
        heldEnd = nil
        isChunked = false
    }

    /// The stream is gone: the server has reset it, or the connection has ended. What has come of the answer still goes to
    /// the handler: it may be all of it. `isUnprocessed`: whether a request without an answer may be sent again as on a
    /// connection that closed; a server that reset it alone has seen it (RFC 9113 §8.7).
    func fail(isUnprocessed: Bool) {
        guard let session else { return }
        if !isUnprocessed { handler?.isRequestSeen = true }
        session.forget(id, resets: false, began: began)
        id = 0
        if held.readableBytes > 0 || heldEnd != nil {
            // Nothing can be asked here any more, whatever the handler does.
            self.session = nil
            isReading = true
            resume()
            self.session = session
        }
        rest(resets: false)
        leave()
    }

    private func leave() {
        guard let session else { return }
        self.session = nil
        session.left(self)
        let handler = self.handler
        self.handler = nil
        session.reactor.afterEvent { handler?.closed() }
    }
}
