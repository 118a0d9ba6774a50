import Gate
import Identity
import NIOCore
import Reactor
import Upstream

/// Tunnels and streams of events: opened and closed on record, and never longer than what admitted them.
extension ClientHandler {
    var standing: [ClientHandler] { machine.isStanding ? [self] : [] }

    // MARK: Opening

    /// Writes the opening record. False when the stream was refused instead, of which nothing has been sent so far.
    func openStream(_ kind: StreamKind, _ now: Now) -> Bool {
        // One record more is owed from here on than the request was let in for.
        guard worker.mayRecord else {
            refuse(Refused(.auditUnavailable, limit: exchange.limit), now)
            return false
        }
        worker.streamOpened()
        exchange.open(kind, status: machine.status, bytesIn: machine.bytesIn, peer: client.text, worker: worker, now)
        // The configuration may have changed between the verdict and the answer.
        guard exchange.generation != worker.gatekeeper.generation else { return true }
        review(now)
        return exchange.isOpen
    }

    func openTunnel(_ tail: ByteBuffer?, _ now: Now) {
        guard openStream(machine.tunnel?.kind ?? .upgrade, now) else { return }
        write(tail)
        upstream?.becomeTunnel()
        // A tunnel may be open for days and renders nothing.
        out = RenderedAnswer()
        upstreamHead = UpstreamHead()
        perform(machine.advance(), now)
        if machine.hasInputEnded { perform(machine.receivedEOF(), now) }
        partIfAwaited(now)
    }

    // MARK: The two directions

    func finishUpstream(_ now: Now) {
        upstream?.finishOutput()
        noteEnd(now)
    }

    func finishClient(_ now: Now) {
        stream?.finishOutput()
        noteEnd(now)
    }

    /// Both directions have ended; what is queued still leaves.
    private func noteEnd(_ now: Now) {
        guard let tunnel = machine.tunnel, tunnel.isOver, exchange.isOpen else { return }
        closeRecord(tunnel.end, now)
    }

    /// What the tunnel's end waited for did not come.
    func giveUpTunnel(_ now: Now) {
        if exchange.isOpen, let tunnel = machine.tunnel { closeRecord(tunnel.end, now) }
        guard stream != nil else { return leave(now) }
        dropUpstream(.unknown, now)
        machine.closed()
        close()
    }

    // MARK: Ending by the gateway

    /// Ends the stream: a WebSocket by close frames where they fit between two frames, all else by a reset, which nobody
    /// can take for its end.
    func endStream(_ end: StreamEnd, _ now: Now) {
        guard exchange.isOpen else { return }
        guard machine.tunnel != nil else {
            closeRecord(end, now)
            return abort(end.outcome, reason: end.label, now)
        }
        let key = UInt32.random(in: .min ... .max)
        let farewells = machine.part(end, maskingKey: key)
        switch farewells.toUpstream {
        case .frame(let frame): upstream?.send(frame)
        case .end: break
        case .reset: upstream?.reset()
        }
        switch farewells.toClient {
        case .frame(let frame):
            write(frame)
            stream?.finishOutput()
        case .end: stream?.finishOutput()
        case .reset: stream?.reset()
        }
        closeRecord(end, now)
        releaseUpstream(reusable: false, .unknown, now)
        settle(now.monotonic)
    }

    /// The client takes nothing of what its connection has for it.
    func clientStalled(isSlow: Bool) {
        let now = worker.now()
        guard exchange.stream == nil else { return endStream(.clientStalled, now) }
        abort(.clientGone, reason: isSlow ? "answer-too-slow" : "timeout", now)
    }

    /// Asks whether the stream may go on, and ends it if not.
    func review(_ now: Now) {
        guard exchange.isOpen, exchange.stream != nil else { return }
        let upgrade = machine.tunnel == nil ? nil : machine.upgrade
        switch exchange.review(upgrade: upgrade, peer: &client.peer, worker: worker, now) {
        case .admitted:
            deadline = min(patience, expiry)
            worker.noteDeadline(self)
        case .expired: endStream(.expired, now)
        case .revoked: endStream(.revoked, now)
        }
    }

    /// Writes the closing record.
    func closeRecord(_ end: StreamEnd, _ now: Now) {
        guard let kind = exchange.stream else { return }
        exchange.close(
            kind, end, status: machine.status, bytesIn: machine.bytesIn, peer: client.text, worker: worker, now)
        worker.streamClosed()
    }

    // MARK: Draining

    /// Closes the connection after the present request. One that is idle has a moment for a request that is on its way
    /// already: that one is answered, and told that it was the last. A WebSocket is told to go, as soon as no frame is
    /// under way towards the client; other streams may last until `abandon`.
    func drain() {
        machine.drain()
        let now = worker.now()
        if machine.isIdle { setDeadline(now.monotonic) }
        partIfAwaited(now)
    }

    func partIfAwaited(_ now: Now) {
        guard machine.isDraining, machine.tunnel?.canPart == true else { return }
        endStream(.shutDown, now)
    }

    /// The time for draining is over.
    func abandon() {
        let now = worker.now()
        if stream == nil { return leave(now) }
        if exchange.isOpen, exchange.stream != nil { return endStream(.shutDown, now) }
        // Nobody but the gateway is to blame for the end of what it had admitted.
        abort(machine.isForwarding ? .admitted : .clientGone, reason: "shut-down", now)
    }
}
