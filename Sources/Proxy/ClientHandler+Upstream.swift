import Gate
import Identity
import Logging
import NIOCore
import Reactor
import Upstream
import Wire

/// The upstream's side: a connection is asked for, used, given back; what comes on it goes to the machine.
extension ClientHandler {
    // MARK: The connection

    /// Asks for a connection; `failed` is the endpoint that closed the one before without an answer.
    func acquire(from pool: Pool, insteadOf failed: Int? = nil, _ now: Now) {
        let timeout = exchange.timeouts?.connect ?? pool.settings.connectTimeout
        let connection = pool.acquire(
            for: self, key: exchange.affinity, fresh: failed != nil, avoiding: failed, timeout: timeout,
            now: now.monotonic)
        if let connection {
            attach(connection, now)
        } else {
            isWaitingForUpstream = true
        }
    }

    func attach(_ connection: UpstreamConnection, _ now: Now) {
        isWaitingForUpstream = false
        upstream = connection
        isUpstreamReading = true
        patience = .max
        exchange.upstream(connection)
        machine.upstreamReady()
        var server: Endpoint?
        if upstreamHead.needsHost {
            guard let endpoints = exchange.target?.pool.settings.endpoints else { return }
            server = endpoints[connection.endpoint]
        }
        switch machine.advance() {
        case .sendUpstream(let body):
            upstreamHead.send(on: connection, to: server, body)
        case .wait:
            upstreamHead.send(on: connection, to: server, nil)
        case .refuse(let refusal):
            refuse(Refused(refusal, limit: exchange.limit), now)
        case .decide, .abort, .finish, .close, .finishUpstream, .breakTunnel:
            abort(.clientGone, reason: "request-broken", now)
        }
    }

    func stopWaiting(_ now: Now) {
        guard isWaitingForUpstream else { return }
        isWaitingForUpstream = false
        exchange.target?.pool.cancel(self, now: now.monotonic)
    }

    func releaseUpstream(reusable: Bool, _ outcome: RequestOutcome, _ now: Now) {
        guard let connection = upstream else { return }
        upstream = nil
        if !isUpstreamReading { connection.setReading(true) }
        isUpstreamReading = true
        connection.release(reusable: reusable, outcome: outcome, now: now.monotonic)
    }

    func dropUpstream(_ outcome: RequestOutcome, _ now: Now) {
        stopWaiting(now)
        releaseUpstream(reusable: false, outcome, now)
    }

    // MARK: Its events

    func upstreamReady(_ connection: UpstreamConnection) {
        let now = worker.now()
        attach(connection, now)
        settle(now.monotonic)
    }

    func upstreamFailed(_ failure: UpstreamFailure) {
        guard isWaitingForUpstream else { return }
        isWaitingForUpstream = false
        if case .handshakeFailed(let reason) = failure {
            worker.shared.logger.debug("No session with an upstream.", metadata: ["reason": "\(reason)"])
        }
        let now = worker.now()
        refuse(Refused(.upstream(failure), limit: exchange.limit), now)
        settle(now.monotonic)
    }

    func upstreamReceived(_ bytes: inout ByteBuffer) {
        let now = worker.now()
        // A tunnel renders nothing: `out` is empty then, and stays so.
        if out.bytes.readableBytes > 0 { out.bytes.clear() }
        perform(machine.answerReceived(&bytes, fields: exchange.fields(worker), into: &out.bytes), now)
        settle(now.monotonic)
    }

    func upstreamClosed(inOrder: Bool) -> RequestOutcome {
        guard let connection = upstream else { return .unknown }
        upstream = nil
        let now = worker.now()
        if stream == nil {
            leave(now)
            return .unknown
        }
        if out.bytes.readableBytes > 0 { out.bytes.clear() }
        let action = machine.upstreamEnded(inOrder: inOrder, mayResend: !connection.isRequestSeen, into: &out.bytes)
        let outcome: RequestOutcome =
            switch action {
            case .wait, .send, .openTunnel, .finishClient, .breakTunnel: .unknown
            case .finish: outcomeOfAnswer
            // A server may close a connection that idled just as it is used again.
            case .retry: connection.isFirstUse ? .failed : .unknown
            case .refuse(let refusal): refusal.upstreamOutcome
            case .abort: .failed
            }
        perform(action, now)
        settle(now.monotonic)
        return outcome
    }

    func upstreamEnded() {
        let now = worker.now()
        perform(machine.upstreamFinished(), now)
        settle(now.monotonic)
    }

    private var outcomeOfAnswer: RequestOutcome { machine.status < 500 ? .answered : .failed }

    func upstreamWritabilityChanged(_ isWritable: Bool) {
        let now = worker.now().monotonic
        settle(now)
    }

    func perform(_ action: ExchangeMachine.AnswerAction, _ now: Now) {
        switch action {
        case .wait:
            break
        case .send(let tail):
            guard !machine.isEventStream || exchange.stream != nil || openStream(.events, now) else { return }
            write(tail)
            partIfAwaited(now)
        case .finish(let tail):
            write(tail)
            finish(now)
        case .retry:
            retry(now)
        case .refuse(let refusal):
            refuse(Refused(refusal, limit: exchange.limit), now)
        case .abort:
            abort(.upstreamError, reason: "upstream-truncated", now)
        case .openTunnel(let tail):
            openTunnel(tail, now)
        case .finishClient:
            finishClient(now)
        case .breakTunnel:
            endStream(.upstreamProtocolError, now)
        }
    }

    func retry(_ now: Now) {
        guard let target = exchange.target, target.pool.mayRetry(now: now.monotonic) else {
            exchange.target?.metrics.deniedRetries.add()
            return refuse(Refused(.upstream(.closedEarly), limit: exchange.limit), now)
        }
        target.metrics.retries.add()
        machine.retrying()
        acquire(from: target.pool, insteadOf: exchange.endpoint, now)
    }

    /// Sends what was rendered into `out` and the tail with one system call.
    func write(_ tail: ByteBuffer?) {
        guard let stream else { return }
        exchange.bytesOut += out.bytes.readableBytes + (tail?.readableBytes ?? 0)
        out.write(to: stream, tail)
    }

    func finish(_ now: Now) {
        finishRecord(.admitted, reason: "", now)
        releaseUpstream(reusable: machine.isUpstreamReusable, outcomeOfAnswer, now)
        perform(machine.exchangeFinished(), now)
    }
}
