import Gate
import HTTP2
import NIOCore
import Reactor
import Wire

/// One HTTP/2 connection of a client: the handler of its transport, owned by its worker's loop.
///
/// It carries out what `HTTP2ConnectionMachine` says and gives each stream to an `HTTP2Stream`. What the events of a round
/// bring goes out in one write at its end.
final class HTTP2ServerConnection: StreamHandler, RoundParticipant, Deadlined, ClientConnection {
    /// Content that may wait here on all streams together, and frames put out at a time.
    private static let maximumQueued = 1 << 20
    private static let maximumOutput = 262_144
    /// What one stream may send before another gets its turn.
    private static let turn = 16384
    private static let maximumLingered = 4 << 20

    let worker: Worker
    let peer: Peer
    var machine: HTTP2ConnectionMachine
    var transport: (any MeasuredStream)?
    var streams = StreamTable<HTTP2Stream>()
    /// Exchanges that wait for their next use, for a second at most once there is no request.
    var resting: [HTTP2Stream] = []
    /// Those with content that could not be sent at once, in the order of their turns.
    private var queue = TurnQueue<HTTP2Stream>()
    private var noted: [HTTP2Stream] = []
    private var queuedBytes = 0
    /// Whether writers had to stop although their own streams had room.
    private var holdsWriters = false
    private var isRoundNoted = false
    /// How it ends, once everything is said.
    private(set) var ending: Ending?
    private var lingered = 0
    var isReading = true
    /// When something last went on, and when what the deadline is for began.
    var lastProgress: Int64 = 0
    /// How much will have been written with what was put out of answers last: what follows it (PING, SETTINGS) nobody waits for.
    private(set) var lastAnswer = 0
    var drainBegan = Int64.max
    var blockBegan = Int64.max
    /// The wait for a client that has something to take, and when that is looked at again.
    var stall: Stall?
    var nextReview: Int64 = 0

    var deadline = Int64.max
    var wheelPlace = WheelPlace()

    init(worker: Worker, peer: Peer) {
        self.worker = worker
        self.peer = peer
        var limits = HTTP2Limits()
        limits.maximumConcurrentStreams = worker.rules.maximumStreams
        limits.maximumHeaderListSize = worker.rules.head.maximumHeadBytes
        limits.maximumFields = worker.rules.head.maximumFields
        limits.namesHTTPS = !peer.isSecure
        self.machine = HTTP2ConnectionMachine(role: .server, limits: limits)
    }

    var isLingering: Bool { ending != nil }

    // MARK: Events of the transport

    /// Begins on a transport whose client is known to speak HTTP/2, and which is counted from now on.
    func open(on transport: any MeasuredStream) {
        worker.opened(self)
        begin(on: transport)
    }

    /// Begins on a transport that is counted already.
    func begin(on transport: any MeasuredStream) {
        self.transport = transport
        lastProgress = worker.now().monotonic
        noteRound()
    }

    func received(_ bytes: inout ByteBuffer) {
        let now = worker.now().monotonic
        guard !isLingering else {
            lingered += bytes.readableBytes
            if lingered > Self.maximumLingered { transport?.close() }
            return
        }
        machine.receive(bytes, now: now)
        noteRound()
        while !isLingering {
            let event = machine.next()
            if case .more = event { break }
            perform(event, now)
        }
        if hasTooMuchOutput { setReading(false) }
    }

    /// The time of a header block under way runs while it is read.
    private func setReading(_ reads: Bool) {
        isReading = reads
        transport?.setReading(reads)
    }

    /// Whether what is put out waits for a client that takes nothing: heads of answers need no window.
    private var hasTooMuchOutput: Bool {
        machine.output.readableBytes > Self.maximumOutput && transport?.isWritable == false
    }

    private func perform(_ event: HTTP2ConnectionMachine.Event, _ now: Int64) {
        switch event {
        case .more:
            break
        case .message(let message):
            lastProgress = now
            blockEnded()
            let stream = take(message.stream, isHEAD: message.isHEAD, isChunked: message.isChunked)
            stream.deliverHead(message.head)
        case .oversized(let id, let isHEAD, let octets):
            blockEnded()
            let stream = take(id, isHEAD: isHEAD, isChunked: false)
            stream.handler?.refuseHead(.headTooLarge, isHEAD: isHEAD, octets: octets)
        case .malformed(_, let octets):
            blockEnded()
            // Its stream is reset; the request is recorded as any other that could not be read.
            let stream = restedStream()
            stream.handler?.recordReset(.notARequest, octets: octets)
            stream.cancel()
        case .refused:
            blockEnded()
            worker.metrics.refusedStreams.add()
        case .data(let id, let bytes):
            lastProgress = now
            guard let stream = streams[id] else { return machine.consume(bytes.readableBytes, of: id) }
            stream.deliver(bytes)
        case .end(let id, let trailers):
            blockEnded()
            guard let stream = streams[id] else { return }
            stream.deliverEnd(trailers)
            note(stream)
        case .reset(let id, _, let isByPeer):
            if !isByPeer {
                blockEnded()
                streams[id]?.handler?.requestBroke()
            }
            streams[id]?.cancel()
        case .windowOpened(let id):
            if id != 0, let stream = streams[id] { enqueue(stream) }
        case .goAway:
            // It is about streams of ours, of which there are none. The client closes when it has what it wants.
            break
        case .failed(let error):
            report(error, (error.code == .enhanceYourCalm ? worker.metrics.floodedHTTP2 : worker.metrics.brokenHTTP2))
            fail()
        }
    }

    /// Each header block has its own time.
    private func blockEnded() {
        blockBegan = .max
    }

    private func take(_ id: UInt32, isHEAD: Bool, isChunked: Bool) -> HTTP2Stream {
        let stream = restedStream()
        streams[id] = stream
        stream.begin(id, isHEAD: isHEAD, isChunked: isChunked)
        return stream
    }

    private func restedStream() -> HTTP2Stream {
        // Some have rested for longer than the idle timeout, and are closed.
        while let stream = resting.popLast() {
            if stream.isOpen { return stream }
        }
        return HTTP2Stream(connection: self, limits: worker.rules.head)
    }

    func ended() {
        machine.finishDraining()
        noteRound()
    }

    func closed() {
        transport = nil
        deadline = .max
        worker.forgetDeadline(self)
        cancelAll()
        peer.leave()
        worker.closed(self)
    }

    func writabilityChanged() {
        noteRound()
    }

    // MARK: What streams ask for

    var takesContent: Bool { queuedBytes < Self.maximumQueued }

    /// Whether something of an answer is still to be sent on a stream.
    func mayAnswer(_ id: UInt32) -> Bool { machine.isLocalOpen(id) }

    func send(_ head: borrowing ResponseHead, of source: ByteBuffer, on id: UInt32, endsStream: Bool) {
        machine.send(head, of: source, on: id, endsStream: endsStream)
        noteAnswer()
        noteRound()
    }

    /// Sends content, and when it `isLast` the trailers or else the end; whether all of it is sent.
    func send(
        _ content: inout ByteBuffer, _ trailers: ByteBuffer?, on id: UInt32, isLast: Bool, limit: Int
    ) -> Bool {
        guard machine.output.readableBytes < Self.maximumOutput, !machine.isBlocked else { return false }
        let before = content.readableBytes
        let isDone = machine.send(&content, on: id, isLast: isLast && trailers == nil, limit: limit)
        if isDone, isLast, let trailers { machine.sendTrailers(trailers, on: id) }
        let sent = before - content.readableBytes
        queuedBytes -= sent
        if sent > 0 {
            lastProgress = worker.now().monotonic
            noteAnswer()
        }
        noteRound()
        return isDone
    }

    private func noteAnswer() {
        lastAnswer = (transport?.written ?? 0) &+ machine.output.readableBytes
    }

    func consumed(_ count: Int, of id: UInt32) {
        machine.consume(count, of: id)
        noteRound()
    }

    func reset(_ stream: HTTP2Stream, _ code: HTTP2ErrorCode) {
        machine.reset(stream.id, code)
        noteRound()
    }

    func queued(_ count: Int) {
        queuedBytes += count
        if !takesContent { holdsWriters = true }
    }

    /// Whether a stream may send at once. When others wait it has its turn after them.
    func mayGoAhead(_ stream: HTTP2Stream) -> Bool {
        guard !queue.mayGoAhead(stream) else { return true }
        noteRound()
        return false
    }

    func enqueue(_ stream: HTTP2Stream) {
        queue.append(stream)
    }

    /// Looks at a stream when the round ends.
    func note(_ stream: HTTP2Stream) {
        guard !stream.isNoted else { return }
        stream.isNoted = true
        noted.append(stream)
        noteRound()
    }

    func forget(_ stream: HTTP2Stream) {
        guard stream.id != 0 else { return }
        lastProgress = worker.now().monotonic
        streams[stream.id] = nil
    }

    /// A stream's answer is sent to its end: it rests, waits for the rest of its request, or says that it needs none.
    func settle(_ stream: HTTP2Stream) {
        let id = stream.id
        if machine.isOpen(id) {
            guard stream.handler == nil else { return }
            stream.linger()
        } else {
            streams[id] = nil
            lastProgress = worker.now().monotonic
            if stream.rest(), resting.count < worker.rules.maximumStreams, !machine.isDraining {
                resting.append(stream)
            } else {
                stream.cancel()
            }
        }
    }

    // MARK: The end of a round

    func noteRound() {
        guard !isRoundNoted else { return }
        isRoundNoted = true
        worker.reactor.atRoundEnd(self)
    }

    func roundEnded() {
        guard let transport else { return }
        // Kept while the round is ended, so that what is done now does not ask for another.
        isRoundNoted = true
        machine.isBlocked = !transport.isWritable
        lookAtNoted()
        sendQueued()
        lookAtNoted()
        write(to: transport)
        setReading(isLingering || !hasTooMuchOutput)
        if machine.isDone { linger(.inOrder) }
        setDeadline()
        isRoundNoted = false
        if !noted.isEmpty || hasRoomForQueued { noteRound() }
    }

    private func lookAtNoted() {
        while !noted.isEmpty {
            let streams = noted
            noted.removeAll(keepingCapacity: true)
            for stream in streams {
                stream.isNoted = false
                stream.roundEnded()
            }
        }
    }

    /// Turn by turn, as long as windows and transport take something.
    private func sendQueued() {
        while machine.output.readableBytes < Self.maximumOutput, !machine.isBlocked, let stream = queue.next() {
            let before = machine.output.readableBytes
            stream.send(limit: Self.turn)
            queue.endTurn(hasSent: machine.output.readableBytes > before)
        }
        queue.endRound()
        wakeWriters()
    }

    /// Those who had to stop for the sake of all may go on.
    private func wakeWriters() {
        guard holdsWriters, queuedBytes < Self.maximumQueued / 2 else { return }
        holdsWriters = false
        streams.forEach { _, stream in stream.noteWritability() }
    }

    func write(to transport: any MeasuredStream) {
        guard machine.output.readableBytes > 0, transport.isWritable || isLingering else { return }
        transport.write(machine.output, nil)
        if machine.output.storageCapacity > Self.maximumOutput {
            machine.output = ByteBuffer()
        } else {
            machine.output.clear()
        }
        machine.isBlocked = !transport.isWritable
    }

    /// Whether more could be sent at once: what was put out had reached its bound, and is gone.
    private var hasRoomForQueued: Bool {
        !machine.isBlocked && !isLingering
            && queue.contains { machine.room(on: $0.id) > 0 || $0.lacksOnlyEnd && machine.isLocalOpen($0.id) }
    }

    // MARK: Ends

    func fail() {
        cancelAll()
        linger(.failed)
    }

    /// Everything is said. The client gets the time to read it (RFC 9113 §5.4.1, RFC 9112 §9.6).
    private func linger(_ ending: Ending) {
        guard !isLingering else { return }
        self.ending = ending
        if let transport { write(to: transport) }
        cancelAll()
        transport?.finishOutput()
        lastProgress = worker.now().monotonic
        setDeadline()
    }

    func cancelAll() {
        var all: [HTTP2Stream] = resting
        resting = []
        streams.forEach { _, stream in all.append(stream) }
        for stream in all { stream.cancel() }
        queue.removeAll()
    }
}
