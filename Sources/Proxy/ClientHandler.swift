import Audit
import Authentication
import Gate
import Glibc
import Identity
import NIOCore
import Upstream
import Wire

/// One client connection: the only handler of its channel, owned by its worker's loop.
///
/// It translates channel and upstream events into calls of `ExchangeMachine`, and the machine's actions into writes. What
/// it knows beyond the machine is the shell's business: buffers, the deadline, and the audit record of the request.
final class ClientHandler: ChannelInboundHandler, UpstreamConsumer, Deadlined {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let worker: Worker
    private(set) var machine: ExchangeMachine
    private var context: ChannelHandlerContext?
    private var peer = Peer(address: .unknown)
    private var peerText = AuditText("")
    private var clientFacts = UpstreamHead.ClientFacts(peer: .unknown)

    private var exchange: Exchange
    private var upstream: UpstreamConnection?
    private var isWaitingForUpstream = false
    private var upstreamHead = UpstreamHead()
    private var out = ByteBuffer()
    private var isReading = true
    private var isUpstreamReading = true
    private var isAdvancing = false

    var deadline = Int64.max
    var wheelTick = Int64.max

    init(worker: Worker) {
        self.worker = worker
        self.machine = ExchangeMachine(limits: worker.rules.head)
        self.exchange = Exchange(decision: worker.ids.next())
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func channelActive(context: ChannelHandlerContext) {
        let address = PeerAddress(context.remoteAddress)
        peer = Peer(address: address)
        peerText = AuditText(utf8: address.text)
        clientFacts = UpstreamHead.ClientFacts(peer: address)
        worker.opened(self)
        setDeadline(worker.now().monotonic)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let now = worker.now()
        let wasIdle = machine.isIdle
        perform(machine.received(unwrapInboundIn(data)), now)
        settle(now.monotonic, keepsHeadDeadline: !wasIdle)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .inputClosed? = event as? ChannelEvent else { return }
        let now = worker.now()
        perform(machine.receivedEOF(), now)
        settle(now.monotonic)
    }

    func channelInactive(context: ChannelHandlerContext) {
        let now = worker.now()
        if exchange.isOpen { finishRecord(.clientGone, reason: "client-gone", now) }
        dropUpstream(now)
        machine.closed()
        deadline = .max
        out = ByteBuffer()
        worker.closed(self)
        self.context = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A reset: channelInactive follows and accounts for it.
        context.close(promise: nil)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        setUpstreamReading(context.channel.isWritable)
        setDeadline(worker.now().monotonic)
    }

    // MARK: Actions of the client's side

    private func perform(_ action: ExchangeMachine.ClientAction, _ now: Now) {
        switch action {
        case .wait: break
        case .decide: decide(proven: nil, now)
        case .refuse(let refusal): refuse(Refused(refusal), now)
        case .sendUpstream(let bytes): upstream?.send(bytes)
        case .abort: abort(.clientGone, reason: "request-broken", now)
        case .close: close()
        }
    }

    private func decide(proven: Result<Authenticated, AuthenticationFailure>?, _ now: Now) {
        worker.adoptLatest()
        if proven == nil {
            exchange.begin(machine.head, in: machine.inbound, worker: worker, now)
            worker.exchangeBegan()
            guard worker.mayRecord else { return refuse(Refused(.auditUnavailable), now) }
        }
        let verdict = worker.gatekeeper.decide(
            machine.head, in: machine.inbound, peer: &peer, now: now, proven: proven)
        switch verdict {
        case .admitted(let admitted):
            forward(admitted, now)
        case .refused(let refused):
            refuse(refused, now)
        case .verify(let proof):
            guard let result = worker.verify(proof) else { return refuse(Refused(.overloaded), now) }
            let request = exchange.number
            result.assumeIsolated().whenSuccess { result in
                // The client may have left, and even another request have begun, while the proof was on its way.
                guard case .verdict = self.machine.waiting, self.exchange.number == request else { return }
                let now = self.worker.now()
                self.decide(proven: result, now)
                self.settle(now.monotonic)
            }
        }
    }

    private func forward(_ admitted: Admitted, _ now: Now) {
        exchange.admit(admitted, worker: worker)
        guard let pool = exchange.plan?.pool else {
            return refuse(Refused(.upstream(.noHealthyEndpoint(retryAfter: 5)), limit: admitted.limit), now)
        }
        let snapshot = worker.gatekeeper.snapshot
        let source = UpstreamHead.Source(
            admitted: admitted, decision: exchange.decision, hostField: pool.settings.hostField,
            forwarding: snapshot.forwarding, isPeerTrusted: snapshot.forwarding.trusts(peer.address),
            spanID: worker.nextSpanID())
        upstreamHead.render(
            source, head: machine.head, in: machine.inbound, gatekeeper: worker.gatekeeper, client: clientFacts)
        if let refusal = machine.admit(maximumBodyBytes: admitted.route.maximumBodyBytes) {
            return refuse(Refused(refusal, admission: admitted.admission, limit: admitted.limit), now)
        }
        acquire(from: pool, fresh: false, now)
    }

    private func acquire(from pool: Pool, fresh: Bool, _ now: Now) {
        if let connection = pool.acquire(for: self, fresh: fresh, now: now.monotonic) {
            attach(connection, now)
        } else {
            isWaitingForUpstream = true
        }
    }

    private func attach(_ connection: UpstreamConnection, _ now: Now) {
        isWaitingForUpstream = false
        upstream = connection
        isUpstreamReading = true
        exchange.upstream(connection)
        machine.upstreamReady()
        guard let endpoints = exchange.plan?.pool?.settings.endpoints else { return }
        var first = upstreamHead.bytes(for: endpoints[connection.endpoint])
        switch machine.advance() {
        case .sendUpstream(let body) where body.readableBytes <= ExchangeMachine.maximumCopied:
            first.writeBytes(body.readableBytesSpan)
            connection.send(first)
        case .sendUpstream(let body):
            connection.send(first)
            connection.send(body)
        case .wait:
            connection.send(first)
        case .refuse(let refusal):
            refuse(Refused(refusal, limit: exchange.limit), now)
        case .decide, .abort, .close:
            abort(.clientGone, reason: "request-broken", now)
        }
    }

    // MARK: Events of the upstream's side

    func upstreamReady(_ connection: UpstreamConnection) {
        let now = worker.now()
        attach(connection, now)
        settle(now.monotonic)
    }

    func upstreamFailed(_ failure: UpstreamFailure) {
        guard isWaitingForUpstream else { return }
        isWaitingForUpstream = false
        let now = worker.now()
        refuse(Refused(.upstream(failure), limit: exchange.limit), now)
        settle(now.monotonic)
    }

    func upstreamReceived(_ bytes: ByteBuffer) {
        let now = worker.now()
        out.clear()
        perform(machine.answerReceived(bytes, fields: exchange.fields(worker), into: &out), now)
        settle(now.monotonic)
    }

    func upstreamClosed() {
        guard upstream != nil else { return }
        upstream = nil
        let now = worker.now()
        out.clear()
        perform(machine.upstreamEnded(into: &out), now)
        settle(now.monotonic)
    }

    func upstreamWritabilityChanged(_ isWritable: Bool) {
        let now = worker.now().monotonic
        settle(now)
    }

    private func perform(_ action: ExchangeMachine.AnswerAction, _ now: Now) {
        switch action {
        case .wait:
            break
        case .send(let tail):
            write(tail)
        case .finish(let tail):
            write(tail)
            finish(now)
        case .retry:
            machine.retrying()
            guard let pool = exchange.plan?.pool else { return abort(.upstreamError, reason: "upstream-closed", now) }
            acquire(from: pool, fresh: true, now)
        case .refuse(let refusal):
            refuse(Refused(refusal, limit: exchange.limit), now)
        case .abort:
            abort(.upstreamError, reason: "upstream-truncated", now)
        }
    }

    /// Sends what was rendered into `out`, then the tail, with one flush.
    private func write(_ tail: ByteBuffer?) {
        guard let context else { return }
        if let tail {
            if out.readableBytes > 0 { context.write(wrapOutboundOut(out), promise: nil) }
            exchange.bytesOut += out.readableBytes + tail.readableBytes
            context.writeAndFlush(wrapOutboundOut(tail), promise: nil)
        } else if out.readableBytes > 0 {
            exchange.bytesOut += out.readableBytes
            context.writeAndFlush(wrapOutboundOut(out), promise: nil)
        }
    }

    private func finish(_ now: Now) {
        finishRecord(.admitted, reason: "", now)
        releaseUpstream(reusable: machine.isUpstreamReusable, now)
        perform(machine.exchangeFinished(), now)
    }

    // MARK: Answers of our own

    private func refuse(_ refused: Refused, _ now: Now) {
        if !exchange.isOpen {
            // The head was never whole, so that `decide` had no chance to open the record.
            exchange.beginMalformed(worker: worker, now)
            worker.exchangeBegan()
        }
        exchange.refuse(refused, worker: worker)
        let answer = refused.refusal.answer
        let isHEAD = exchange.isHEAD
        let isOldClient = exchange.isOldClient
        stopWaiting()
        releaseUpstream(reusable: false, now)
        let keeps = machine.refuse(mustClose: answer.mustClose)
        out.clear()
        let fields = exchange.fields(worker)
        RefusalWriter.append(
            answer, fields: fields, connection: keeps ? (isOldClient ? .keepAlive : .none) : .close,
            isAnswerToHEAD: isHEAD, to: &out)
        write(nil)
        finishRecord(answer.outcome, reason: answer.reason, status: answer.status, now)
        perform(machine.refusalSent(kept: keeps), now)
    }

    private func perform(_ action: ExchangeMachine.NextAction, _ now: Now) {
        switch action {
        case .advance:
            if worker.isDraining, machine.isIdle { return close() }
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
            context?.close(mode: .output, promise: nil)
        case .close:
            close()
        }
    }

    /// Both sides are cut so that nobody can take what was sent for a whole answer.
    private func abort(_ outcome: Outcome, reason: StaticString, _ now: Now) {
        if exchange.isOpen { finishRecord(outcome, reason: reason, now) }
        dropUpstream(now)
        machine.closed()
        guard let context else { return }
        // A linger time of 0 turns the close into a reset; where that is refused a plain close must do.
        _ = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        context.close(promise: nil)
    }

    private func close() {
        context?.close(promise: nil)
    }

    // MARK: Draining

    /// Closes the connection when it is idle, else after the present request.
    func drain() {
        machine.drain()
        if machine.isIdle { close() }
    }

    /// The time for draining is over.
    func abandon() {
        abort(.clientGone, reason: "shut-down", worker.now())
    }

    // MARK: The upstream connection

    private func stopWaiting() {
        guard isWaitingForUpstream else { return }
        isWaitingForUpstream = false
        exchange.plan?.pool?.cancel(self)
    }

    private func releaseUpstream(reusable: Bool, _ now: Now) {
        guard let connection = upstream else { return }
        upstream = nil
        if !isUpstreamReading { connection.setReading(true) }
        isUpstreamReading = true
        connection.release(reusable: reusable, now: now.monotonic)
    }

    private func dropUpstream(_ now: Now) {
        stopWaiting()
        releaseUpstream(reusable: false, now)
    }

    // MARK: Back-pressure and deadlines

    private func settle(_ now: Int64, keepsHeadDeadline: Bool = false) {
        let wants = machine.wantsClientBytes && (upstream?.isWritable ?? true)
        if wants != isReading { setReading(wants) }
        if keepsHeadDeadline, case .restOfHead = machine.waiting { return }
        setDeadline(now)
    }

    private func setReading(_ reads: Bool) {
        guard let channel = context?.channel else { return }
        isReading = reads
        // Fails only on a closed channel, where there is nothing to read any more.
        _ = try? channel.syncOptions?.setOption(.autoRead, value: reads)
        if reads { channel.read() }
    }

    private func setUpstreamReading(_ reads: Bool) {
        guard let upstream, reads != isUpstreamReading else { return }
        isUpstreamReading = reads
        upstream.setReading(reads)
    }

    private func setDeadline(_ now: Int64) {
        let rules = worker.rules
        let wait: Int64? =
            switch machine.waiting {
            case .request: rules.idleTimeout
            case .restOfHead: rules.headTimeout
            case .requestBody: rules.bodyTimeout
            // A client that does not read its answer is held to the time of one that does not send its body.
            case .answer:
                isWaitingForUpstream
                    ? nil : isUpstreamReading ? exchange.plan?.pool?.settings.responseTimeout : rules.bodyTimeout
            case .peerToClose: 2_000_000_000
            case .verdict, .upstream, .nothing: nil
            }
        deadline = wait.map { now + $0 } ?? .max
        worker.noteDeadline(self)
    }

    func deadlinePassed(now: Int64) {
        let time = worker.now()
        deadline = .max
        switch machine.waiting {
        case .request, .peerToClose:
            close()
        case .restOfHead:
            refuse(Refused(.headTimeout), time)
        case .requestBody:
            guard !isWaitingForUpstream else { break }
            let isUpstreamSlow = !(upstream?.isWritable ?? true)
            timeOut(isUpstreamSlow ? .upstream(.responseTimeout) : .bodyTimeout, time)
        case .answer:
            timeOut(.upstream(.responseTimeout), time)
        case .verdict, .upstream, .nothing:
            break
        }
        settle(time.monotonic)
    }

    private func timeOut(_ refusal: Refusal, _ now: Now) {
        if machine.hasAnswerBegun {
            abort(isUpstreamReading ? .upstreamError : .clientGone, reason: "timeout", now)
        } else {
            refuse(Refused(refusal, limit: exchange.limit), now)
        }
    }

    // MARK: Audit

    private func finishRecord(_ outcome: Outcome, reason: StaticString, status: Int? = nil, _ now: Now) {
        exchange.finish(
            outcome, reason: reason, status: status ?? machine.status, bytesIn: machine.bytesIn, peer: peerText,
            worker: worker, now)
        worker.exchangeEnded()
    }
}
