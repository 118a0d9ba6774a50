import HTTP2
import NIOCore
import Reactor
import Wire

/// One HTTP/2 connection to an endpoint, which many requests share: the handler of its transport, owned by its loop.
///
/// It carries out what `HTTP2ConnectionMachine` says. Each request's bytes go through an `HTTP2UpstreamStream`, which looks
/// like a connection of HTTP/1.1 to the pool and to whoever has the request.
final class HTTP2Session: TransportOwner, RoundParticipant {
    /// Frames put out at a time, and what one stream may send of them before another gets its turn.
    private static let maximumOutput = 262_144
    private static let turn = 16384

    /// A head that is too large ends the connection, and with it others' requests: the bound is far above that of whoever
    /// reads the answer, who refuses this one alone.
    private static let limits: HTTP2Limits = {
        var limits = HTTP2Limits()
        (limits.maximumHeaderListSize, limits.maximumFields) = (1 << 20, 10_000)
        return limits
    }()

    /// The address it leads to, as text.
    let host: String
    private let isSecure: Bool
    let reactor: Reactor
    private var machine = HTTP2ConnectionMachine(role: .client, limits: HTTP2Session.limits)
    private var transport: (any ByteStream)?
    /// Those with a request under way, by its stream, and all of them, at rest or not.
    private var streams = StreamTable<HTTP2UpstreamStream>()
    private var members: [ObjectIdentifier: HTTP2UpstreamStream] = [:]
    /// Those with content to send, and those whose request found no room, in the order of their turns.
    private var queue = TurnQueue<HTTP2UpstreamStream>()
    private var unopened: [HTTP2UpstreamStream] = []
    private var isRoundNoted = false
    /// Whether it takes no new requests: the server said so, or does not seem to hear.
    private(set) var isRetired = false
    /// Told once whether the server has begun to speak HTTP/2.
    private var opened: ((UpstreamFailure?) -> Void)?
    private var timer: UInt64?
    /// Since when nobody has had a place here, in monotonic nanoseconds; `max` while somebody has.
    private var unusedSince: Int64
    /// When something of an answer has last come, in monotonic nanoseconds.
    private var lastAnswered: Int64

    init(reactor: Reactor, host: String, isSecure: Bool) {
        self.reactor = reactor
        self.host = host
        self.isSecure = isSecure
        self.lastAnswered = reactor.now
        self.unusedSince = reactor.now
    }

    /// Waits for the server's SETTINGS, which say how many requests it takes at a time. `completion` is called once, and never
    /// from within this call.
    func establish(deadline: Int64, completion: @escaping (UpstreamFailure?) -> Void) {
        opened = completion
        timer = reactor.schedule(at: deadline) { [self] in
            timer = nil
            finishOpening(.connectTimeout)
            end()
        }
    }

    private func finishOpening(_ failure: UpstreamFailure?) {
        if let timer { reactor.cancel(timer) }
        timer = nil
        guard let opened else { return }
        self.opened = nil
        reactor.afterEvent { opened(failure) }
    }

    /// Begins on a transport whose handler this is.
    func open(_ transport: any ByteStream) {
        self.transport = transport
        noteRound()
    }

    /// Whether nobody can get anything from it any more.
    var isOver: Bool { transport == nil || isRetired && members.isEmpty }

    /// Ends it when nobody has had a place since a time.
    func endIfUnused(since time: Int64) {
        if unusedSince <= time { end() }
    }

    /// Whether the server takes requests at all; one that takes none now may do so later.
    var takesRequests: Bool { machine.capacity > 0 }

    /// Whether one more may share it.
    var hasRoom: Bool { transport != nil && !isRetired && members.count < machine.capacity }

    /// A place for requests, one after another.
    func makeStream(for handler: UpstreamConnection) -> HTTP2UpstreamStream {
        let stream = HTTP2UpstreamStream(self, handler)
        members[ObjectIdentifier(stream)] = stream
        unusedSince = .max
        return stream
    }

    // MARK: Events of the transport

    func received(_ bytes: inout ByteBuffer) {
        machine.receive(bytes, now: reactor.now)
        noteRound()
        while transport != nil {
            let event = machine.next()
            if case .more = event { break }
            perform(event)
        }
        if machine.isEstablished, !isRetired { finishOpening(nil) }
    }

    private func perform(_ event: HTTP2ConnectionMachine.Event) {
        switch event {
        case .more, .oversized, .malformed, .refused:
            // All but the first are a server's.
            break
        case .message(let message):
            lastAnswered = reactor.now
            streams[message.stream]?.deliverHead(message.head, isChunked: message.isChunked)
        case .data(let id, let bytes):
            lastAnswered = reactor.now
            // Of an answer that nobody waits for any more, or that was whole without this.
            guard let stream = streams[id] else { return machine.consume(bytes.readableBytes, of: id) }
            stream.deliver(bytes)
        case .end(let id, let trailers):
            streams[id]?.deliverEnd(trailers)
        case .reset(let id, let code, _):
            streams[id]?.fail(isUnprocessed: code == .refusedStream)
        case .windowOpened(let id):
            if id != 0, let stream = streams[id] { enqueue(stream) }
        case .goAway(let last, _):
            retire()
            var refused: [HTTP2UpstreamStream] = unopened
            streams.forEach { id, stream in
                if id > last { refused.append(stream) }
            }
            for stream in refused { stream.fail(isUnprocessed: true) }
        case .failed:
            end()
        }
    }

    func ended() {
        transport?.close()
    }

    func closed() {
        transport = nil
        isRetired = true
        finishOpening(.wrongProtocol)
        for stream in Array(members.values) { stream.fail(isUnprocessed: true) }
        queue.removeAll()
        unopened = []
    }

    func writabilityChanged() {
        noteRound()
    }

    // MARK: What streams ask for

    /// Opens a stream for a request; nil when it has to wait for room, and is told when there is some.
    func begin(_ head: borrowing RequestHead, of source: ByteBuffer, for stream: HTTP2UpstreamStream, endsStream: Bool)
        -> UInt32?
    {
        guard let id = machine.open(head, of: source, isSecure: isSecure, endsStream: endsStream) else {
            unopened.append(stream)
            return nil
        }
        streams[id] = stream
        noteRound()
        return id
    }

    func send(_ content: inout ByteBuffer, on id: UInt32, isLast: Bool, limit: Int) -> Bool {
        guard machine.output.readableBytes < Self.maximumOutput, !machine.isBlocked else { return false }
        noteRound()
        return machine.send(&content, on: id, isLast: isLast, limit: limit)
    }

    /// Whether the request on a stream may still go on.
    func isLocalOpen(_ id: UInt32) -> Bool { machine.isLocalOpen(id) }

    func consumed(_ count: Int, of id: UInt32) {
        machine.consume(count, of: id)
        noteRound()
    }

    /// Whether a stream may send at once. When others wait it has its turn after them.
    func mayGoAhead(_ stream: HTTP2UpstreamStream) -> Bool {
        guard !queue.mayGoAhead(stream) else { return true }
        noteRound()
        return false
    }

    func enqueue(_ stream: HTTP2UpstreamStream) {
        queue.append(stream)
        noteRound()
    }

    /// Nobody listens to a stream any more; one that is not over is reset. `began` is when its request was sent.
    func forget(_ id: UInt32, resets: Bool, began: Int64) {
        streams[id] = nil
        guard resets, machine.isOpen(id) else { return }
        machine.reset(id, .cancel)
        // Given up without a word of any answer since it began: what comes next had better not wait for the same silence.
        if lastAnswered <= began { retire() }
        noteRound()
    }

    /// A stream is closed for good.
    func left(_ stream: HTTP2UpstreamStream) {
        members[ObjectIdentifier(stream)] = nil
        if members.isEmpty { unusedSince = reactor.now }
        unopened.removeAll { $0 === stream }
        noteRound()
    }

    /// Takes no new requests; places at rest are given up.
    func retire() {
        guard !isRetired else { return }
        isRetired = true
        finishOpening(.refused)
        for stream in Array(members.values) where stream.isAtRest { stream.fail(isUnprocessed: true) }
        noteRound()
    }

    // MARK: The end of a round

    private func noteRound() {
        guard !isRoundNoted else { return }
        isRoundNoted = true
        reactor.atRoundEnd(self)
    }

    func roundEnded() {
        guard let transport else { return }
        // Kept while the round is ended, so that what is done now does not ask for another.
        isRoundNoted = true
        machine.isBlocked = !transport.isWritable
        openWaiting()
        sendQueued()
        write(to: transport)
        isRoundNoted = false
        if isRetired, members.isEmpty { return end() }
        if hasRoomForQueued { noteRound() }
    }

    private func openWaiting() {
        guard !unopened.isEmpty, machine.openStreams < machine.capacity else { return }
        let streams = unopened
        unopened = []
        for stream in streams { stream.begin() }
    }

    /// Turn by turn, as long as windows and transport take something.
    private func sendQueued() {
        while machine.output.readableBytes < Self.maximumOutput, !machine.isBlocked, let stream = queue.next() {
            let before = machine.output.readableBytes
            stream.send(limit: Self.turn)
            queue.endTurn(hasSent: machine.output.readableBytes > before)
        }
        queue.endRound()
    }

    /// Whether more could be sent at once: what was put out had reached its bound, and is gone.
    private var hasRoomForQueued: Bool {
        !machine.isBlocked
            && queue.contains { machine.room(on: $0.id) > 0 || $0.lacksOnlyEnd && machine.isLocalOpen($0.id) }
    }

    private func write(to transport: any ByteStream) {
        guard machine.output.readableBytes > 0, transport.isWritable else { return }
        transport.write(machine.output, nil)
        if machine.output.storageCapacity > Self.maximumOutput {
            machine.output = ByteBuffer()
        } else {
            machine.output.clear()
        }
        machine.isBlocked = !transport.isWritable
    }

    /// Says so, if the server takes it at once, and closes.
    private func end() {
        guard let transport else { return }
        isRetired = true
        machine.end(.noError)
        write(to: transport)
        transport.close()
    }
}
