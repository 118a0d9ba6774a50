import Audit
import Authentication
import Gate
import Identity
import Logging
import NIOCore
import Reactor
import Upstream
import Wire

/// What a client's request needs while it is under way: of an HTTP/1.1 connection, to which it is lent, one request after
/// another; of an HTTP/2 connection, those of one stream at a time. Owned by its worker's loop.
///
/// It translates the stream's and the upstream's events into calls of `ExchangeMachine`, and the machine's actions into writes. What
/// it knows beyond the machine is the shell's business: buffers, the deadline, and the audit record of the request.
final class ClientHandler: UpstreamConsumer, Deadlined {
    let worker: Worker
    var machine: ExchangeMachine
    /// The HTTP/1.1 connection that it is lent to.
    private var connection: HTTP1Connection?
    var stream: (any MeasuredStream)?
    var client: Client
    private let isOnHTTP2: Bool
    /// Which of the worker's configurations it goes by.
    let configuration: Int
    /// The number of the last request that was somebody else's.
    private var lastOfOthers: UInt64 = 0

    var exchange: Exchange
    var upstream: UpstreamConnection?
    var isWaitingForUpstream = false
    var upstreamHead = UpstreamHead()
    var out = RenderedAnswer()
    var isReading = true
    var isUpstreamReading = true
    private var isAdvancing = false
    /// Whether the client is waited for to take its answers, before the connection is idle.
    var isUnread = false

    /// What the deadline is for: the wait, and the request during which it began.
    var awaited: (ExchangeMachine.Waiting, UInt64) = (.nothing, 0)
    /// When what the machine waits for has taken too long; `deadline` is earlier where a credential expires before.
    var patience = Int64.max
    var deadline = Int64.max
    var wheelPlace = WheelPlace()
    /// Whether a client that is waited for keeps up.
    var pace = ClientPace()
    /// Bytes that a buffer may have and be kept for the next request.
    private static let maximumKept = 32768

    /// For HTTP/1.1 connections; at rest until it is lent to one.
    init(worker: Worker) {
        self.worker = worker
        self.configuration = worker.configuration
        self.isOnHTTP2 = false
        self.machine = ExchangeMachine(limits: worker.rules.head)
        self.exchange = Exchange(worker)
        self.client = Client(Peer(address: .unknown))
    }

    /// For the requests of an HTTP/2 connection, one after another. What waits ahead of its turn is held by the streams'
    /// windows.
    init(worker: Worker, http2Peer peer: Peer, on stream: any MeasuredStream) {
        self.worker = worker
        self.configuration = worker.configuration
        self.isOnHTTP2 = true
        self.machine = ExchangeMachine(limits: worker.rules.head, maximumAhead: 1)
        self.exchange = Exchange(worker)
        self.client = Client(peer, isHTTP2: true)
        self.stream = stream
    }

    // MARK: Lent to a connection

    /// Serves a connection until it is idle; its stream and its client are here meanwhile.
    func serve(_ connection: HTTP1Connection, _ stream: inout (any MeasuredStream)?, _ client: inout Client) {
        swap(&self.stream, &stream)
        swap(&self.client, &client)
        self.connection = connection
        lastOfOthers = exchange.number
        if worker.isDraining { machine.drain() }
    }

    /// Gives back what `serve` took. Nothing of the connection's last request tells on the next one.
    func rest(_ stream: inout (any MeasuredStream)?, _ client: inout Client) {
        swap(&self.stream, &stream)
        swap(&self.client, &client)
        connection = nil
        deadline = .max
        patience = .max
        awaited = (.nothing, 0)
        pace = ClientPace()
        if out.bytes.storageCapacity > Self.maximumKept { out = RenderedAnswer() }
        if upstreamHead.bytes.storageCapacity > Self.maximumKept { upstreamHead = UpstreamHead() }
    }

    /// Whether the connection has taken everything back, because nothing is under way any more.
    func hasRested(_ now: Int64) -> Bool {
        guard !isUnread, isAtRest, let connection else { return false }
        connection.rest(now)
        return true
    }

    // MARK: Events of the stream

    func received(_ bytes: inout ByteBuffer) {
        let now = worker.now()
        perform(machine.received(&bytes), now)
        machine.giveBack(&bytes)
        settle(now.monotonic)
    }

    func ended() {
        let now = worker.now()
        perform(machine.receivedEOF(), now)
        settle(now.monotonic)
    }

    func closed() {
        let now = worker.now()
        stream = nil
        // What the client sent last may still be on its way through the tunnel.
        if upstream != nil, machine.tunnel?.isOver == true { return setDeadline(now.monotonic) }
        leave(now)
    }

    /// Nothing is left to be done.
    func leave(_ now: Now) {
        if !exchange.isOpen, machine.endedInHead() { beginMalformed(now) }
        if exchange.isOpen { finishRecord(.clientGone, reason: "client-gone", now) }
        if machine.tunnel?.isOver == false { upstream?.reset() }
        dropUpstream(.unknown, now)
        machine.closed()
        deadline = .max
        worker.forgetDeadline(self)
        out = RenderedAnswer()
        guard let connection else { return }
        self.connection = nil
        client.peer.leave()
        connection.left()
    }

    func writabilityChanged() {
        guard let stream else { return }
        let now = worker.now()
        setUpstreamReading(stream.isWritable)
        machine.isHeldBack = !stream.isWritable
        if stream.isWritable {
            pace.pause(now: now.monotonic)
            perform(.advance, now)
        }
        settle(now.monotonic)
    }

    // MARK: HTTP/2

    /// Whether what an HTTP/1.1 parser cannot read is the preface of HTTP/2 (RFC 9113 §3.4). So is a line with neither a
    /// target nor a version of HTTP/1.1: a preface that is wrong, which HTTP/2 has an answer to.
    private func beginsHTTP2(_ refusal: Refusal) -> Bool {
        guard case .malformed(let reason) = refusal else { return false }
        let bytes = machine.inbound.readableBytesView
        if reason == .unsupportedVersion { return bytes.starts(with: "PRI * HTTP/2.0".utf8) }
        guard reason == .badTarget, let end = bytes.prefix(256).firstIndex(of: UInt8(ascii: "\r")) else { return false }
        let words = bytes[..<end].split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
        return words.count == 3 && !words[2].isEmpty
            && !words[2].prefix(4).elementsEqual("http".utf8) { $0 | 0x20 == $1 }
    }

    /// The connection and what came on it go to somebody who can.
    private func becomeHTTP2(_ connection: HTTP1Connection) {
        guard let stream = stream as? Stream else { return close() }
        let bytes = machine.inbound
        machine.closed()
        self.connection = nil
        self.stream = nil
        connection.becomeHTTP2(on: stream, client.peer, bytes)
    }

    /// The record of what another protocol answers.
    private func recordMalformed(_ refusal: Refusal, _ now: Now) {
        beginMalformed(now)
        exchange.refuse(Refused(refusal), worker: worker)
        _ = machine.refuse(mustClose: true)
        finishRecord(refusal.answer.outcome, reason: refusal.answer.reason, status: refusal.answer.status, now)
    }

    /// A request that HTTP/2 alone could read, in so many octets, and that is none: its stream is reset already.
    func recordReset(_ reason: MalformedRequest, octets: Int) {
        machine.unreadableBytes = octets
        recordMalformed(.malformed(reason), worker.now())
    }

    /// What followed a request that was whole so far is against HTTP/2: its stream is reset already.
    func requestBroke() {
        if exchange.isOpen { finishRecord(.malformed, reason: "request-broken", worker.now()) }
    }

    /// A head that is none, where the stream is open and the client is answered.
    func refuseHead(_ reason: MalformedRequest, isHEAD: Bool, octets: Int) {
        let now = worker.now()
        machine.unreadableBytes = octets
        beginMalformed(isHEAD: isHEAD, now)
        refuse(Refused(.malformed(reason)), now)
        settle(now.monotonic)
    }

    /// Whether nothing is under way, the client has room for what it was sent, and the next request may come.
    var isAtRest: Bool {
        machine.isIdle && isReading && !machine.isDraining && !exchange.isOpen && stream?.isBacklogged != true
    }

    // MARK: Actions of the client's side

    func perform(_ action: ExchangeMachine.ClientAction, _ now: Now) {
        switch action {
        case .wait: break
        case .decide: begin(now)
        case .refuse(let refusal):
            if let connection, connection.speaksHTTP2, exchange.number == lastOfOthers, beginsHTTP2(refusal) {
                if case .malformed(.badTarget) = refusal { recordMalformed(refusal, now) }
                return becomeHTTP2(connection)
            }
            refuse(Refused(refusal), now)
        case .sendUpstream(let bytes): upstream?.send(bytes)
        case .abort: abort(.clientGone, reason: "request-broken", now)
        case .finish: stream?.finishOutput()
        case .close: close()
        case .finishUpstream: finishUpstream(now)
        case .breakTunnel: endStream(.protocolError, now)
        }
    }

    private func begin(_ now: Now) {
        machine.withHead { head, inbound in
            exchange.begin(head, in: inbound, from: client.peer.address, worker: worker, now)
            if isOnHTTP2 { exchange.isGRPC = head.isGRPC(in: inbound) }
        }
        worker.exchangeBegan()
        exchange.room = worker.mayRecord ? .kept : .denied
        guard case .kept = exchange.room else { return refuse(Refused(.auditUnavailable), now) }
        guard !worker.isCrowded else { return refuse(Refused(.crowded), now) }
        worker.adoptLatest()
        decide(attempted: nil, now)
    }

    private func decide(attempted: Attempt.Outcome?, _ now: Now) {
        let verdict = machine.withHead { head, inbound in
            worker.gatekeeper.decide(head, in: inbound, peer: &client.peer, now: now, attempted: attempted)
        }
        switch consume verdict {
        case .admitted(let admitted):
            forward(consume admitted, now)
        case .refused(let refused):
            refuse(refused, now)
        case .verify(let attempt):
            guard worker.verify(attempt, for: self, request: exchange.number) else {
                return refuse(Refused(.overloaded), now)
            }
            machine.keepInbound()
        }
    }

    /// A proof came back. The client may have left meanwhile, and even another request have begun.
    func attempted(_ outcome: Attempt.Outcome, request: UInt64, generation: UInt64) {
        guard case .verdict = machine.waiting, exchange.number == request else { return }
        let now = worker.now()
        worker.adoptLatest()
        // A key or a token may have been withdrawn while the proof ran: what it proved is asked again.
        decide(attempted: generation == worker.gatekeeper.generation ? outcome : nil, now)
        settle(now.monotonic)
    }

    private func forward(_ admitted: consuming Admitted, _ now: Now) {
        exchange.admit(admitted, worker: worker)
        let limit = admitted.limit
        guard let pool = exchange.target?.pool else {
            exchange.keep(consume admitted)
            return refuse(Refused(.upstream(.noHealthyEndpoint(retryAfter: 5)), limit: limit), now)
        }
        // A connection that many requests share becomes nobody's tunnel.
        let sharesConnections = pool.settings.speaksHTTP2
        let upgrade =
            sharesConnections
            ? nil : machine.withHead { head, inbound in admitted.route.upgrade(head, in: inbound) }
        let mirrored = exchange.plan?.mirror == nil ? nil : mirrored(admitted, isUpgrade: upgrade != nil, now)
        machine.withHead { head, inbound in
            upstreamHead.render(
                admitted, decision: exchange.decision, hostField: pool.settings.hostField,
                spanID: worker.nextSpanID(), head: head, in: inbound, gatekeeper: worker.gatekeeper,
                client: client.facts, upgrade: upgrade, asksForTrailers: sharesConnections && head.acceptsTrailers)
        }
        let maximumBodyBytes = admitted.route.maximumBodyBytes
        exchange.keep(consume admitted)
        if let refusal = machine.admit(maximumBodyBytes: maximumBodyBytes, upgrade: upgrade) {
            return refuse(Refused(refusal, limit: limit), now)
        }
        acquire(from: pool, now)
        mirrored?.start(key: exchange.affinity, now: now.monotonic)
    }

    /// A copy of the request for the route's mirror, if it gets one: requests with a body do not, because it would have
    /// to be held, nor do those for a tunnel, which has two ends. Made before the head leaves the buffer, and sent after
    /// the request itself.
    private func mirrored(_ admitted: borrowing Admitted, isUpgrade: Bool, _ now: Now) -> MirroredRequest? {
        guard let plan = exchange.plan, let mirror = plan.mirror, plan.mirrors(worker.nextSpanID()) else { return nil }
        guard case .none = machine.head.framing, !isUpgrade, worker.takesMirrored else {
            plan.metrics.unmirrored.add()
            return nil
        }
        let pool = mirror.pool
        var head = UpstreamHead()
        head.render(
            admitted, decision: exchange.decision, hostField: pool.settings.hostField,
            spanID: worker.nextSpanID(), head: machine.head, in: machine.inbound, gatekeeper: worker.gatekeeper,
            client: client.facts)
        plan.metrics.mirrored.add()
        exchange.isMirrored = true
        return MirroredRequest(
            worker: worker, pool: pool, head: head, isHEAD: machine.head.method == .head, now: now.monotonic)
    }

    // MARK: Answers of our own

    private func beginMalformed(isHEAD: Bool = false, _ now: Now) {
        exchange.beginMalformed(isHEAD: isHEAD, worker: worker, now)
        worker.exchangeBegan()
    }

    func refuse(_ refused: Refused, _ now: Now) {
        // Where the head was never whole, `decide` had no chance to open the record.
        if !exchange.isOpen { beginMalformed(isHEAD: machine.head.isHEAD, now) }
        exchange.refuse(refused, worker: worker)
        let answer = refused.refusal.answer
        let isHEAD = exchange.isHEAD
        let isOldClient = exchange.isOldClient
        stopWaiting(now)
        releaseUpstream(reusable: false, refused.refusal.upstreamOutcome, now)
        // The rest of a refused request is the connection's business in HTTP/2, which needs no place to find the next one.
        let mustClose = answer.mustClose || machine.head.asksForTunnel || isOnHTTP2 && machine.awaitsRequestBody
        let keeps = machine.refuse(mustClose: mustClose)
        out.bytes.clear()
        let fields = exchange.fields(worker)
        RefusalWriter.append(
            answer, fields: fields, connection: keeps ? (isOldClient ? .keepAlive : .none) : .close,
            accepts: exchange.plan?.route.accepts ?? .all, isAnswerToHEAD: isHEAD, isGRPC: exchange.isGRPC,
            to: &out.bytes)
        write(nil)
        finishRecord(answer.outcome, reason: answer.reason, status: answer.status, now)
        perform(machine.refusalSent(kept: keeps), now)
    }

    func perform(_ action: ExchangeMachine.NextAction, _ now: Now) {
        switch action {
        case .advance:
            if worker.isDraining { machine.drain() }
            // Requests pipelined behind one another come back here: a loop, not a recursion for each of them.
            guard !isAdvancing else { return }
            isAdvancing = true
            var previous = -1
            while machine.inbound.readableBytes > 0, machine.inbound.readableBytes != previous, !machine.isExchanging {
                previous = machine.inbound.readableBytes
                perform(machine.advance(), now)
            }
            isAdvancing = false
        case .linger:
            stream?.finishOutput()
        }
    }

    /// Both sides are cut so that nobody can take what was sent for a whole answer.
    func abort(_ outcome: Outcome, reason: StaticString, _ now: Now) {
        if exchange.isOpen { finishRecord(outcome, reason: reason, now) }
        dropUpstream(outcome == .upstreamError ? .failed : .unknown, now)
        machine.closed()
        stream?.reset()
    }

    func close() {
        stream?.close()
    }

    // MARK: Audit

    func finishRecord(_ outcome: Outcome, reason: StaticString, status: Int? = nil, _ now: Now) {
        guard exchange.stream == nil else { return closeRecord(StreamEnd(outcome), now) }
        exchange.end(worker)
        exchange.finish(
            outcome, reason: reason, status: status ?? machine.status, bytesIn: machine.bytesIn, peer: client.text,
            worker: worker, now)
        worker.exchangeEnded()
    }
}
