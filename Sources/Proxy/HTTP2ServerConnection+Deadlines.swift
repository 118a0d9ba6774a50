import Gate
import HTTP2
import Logging
import NIOCore
import Reactor

/// A wait for a client that has something to take.
struct Stall {
    /// Monotonic nanoseconds.
    var began: Int64
    /// Bytes that it had taken by then.
    var taken: Int

    /// Whether, with so many bytes taken by now, these were enough since the wait began, which then begins anew. `rate` is in
    /// bytes a second; at least one byte is asked for.
    mutating func beginsAnew(taken: Int, rate: Int64, now: Int64) -> Bool {
        guard Int64(taken - self.taken) >= max(1, rate * ((now - began) / 1_000_000_000)) else { return false }
        self = Stall(began: now, taken: taken)
        return true
    }
}

/// How long a connection of HTTP/2 may take for what it does, and for nothing.
extension HTTP2ServerConnection {
    private static let second: Int64 = 1_000_000_000

    /// How a connection ends.
    enum Ending {
        /// What was asked for is answered, and the client gets it at the pace that it may take it at.
        case inOrder
        case failed
    }

    /// Begins the wait for a client that has no room, or ends it. Streams whose windows are shut have deadlines of their own.
    private func noteStall() {
        let isFull = machine.output.readableBytes > 0 || transport?.isBacklogged ?? false
        guard isFull, let transport else {
            stall = nil
            return
        }
        if stall == nil { stall = Stall(began: worker.now().monotonic, taken: transport.delivery.taken) }
    }

    /// Whether the client has taken enough since the wait began: the transport tells nobody of what drips out of it.
    private func hasTakenEnough(_ now: Int64) -> Bool {
        guard let taken = transport?.delivery.taken else { return false }
        return stall?.beginsAnew(taken: taken, rate: worker.rules.minimumAnswerRate, now: now) ?? true
    }

    /// Whether a client that has been sent everything still takes it. Who closes before drops what the kernel holds as soon as the
    /// client says anything.
    private func isStillRead(_ now: Int64) -> Bool {
        guard let delivery = transport?.delivery, delivery.untaken > 0 else { return false }
        let rules = worker.rules
        var wait = reading ?? Stall(began: now, taken: delivery.taken)
        defer { reading = wait }
        nextReview = now + Self.second
        return now - wait.began < rules.bodyTimeout
            || wait.beginsAnew(taken: delivery.taken, rate: rules.minimumAnswerRate, now: now)
    }

    private func noteBlock() {
        let isWaitedFor = machine.isInHeaderBlock && isReading
        blockBegan = isWaitedFor ? min(blockBegan, worker.now().monotonic) : .max
    }

    func setDeadline() {
        let rules = worker.rules
        noteStall()
        noteBlock()
        if isLingering {
            deadline = max(lastProgress + 2 * Self.second, nextReview)
        } else if !machine.isEstablished {
            deadline = lastProgress + rules.headTimeout
        } else {
            deadline = .max
            if blockBegan != .max { deadline = blockBegan + rules.headTimeout }
            if drainBegan != .max { deadline = min(deadline, drainBegan + Self.second) }
            // Once it is drained the end of that is what it waits for.
            if streams.count == 0, !machine.isDraining {
                let end =
                    resting.isEmpty ? max(lastProgress + rules.idleTimeout, nextReview) : lastProgress + Self.second
                deadline = min(deadline, end)
            }
            if let stall { deadline = min(deadline, stall.began + rules.bodyTimeout) }
        }
        worker.noteDeadline(self)
    }

    func deadlinePassed(now: Int64) {
        let rules = worker.rules
        defer { noteRound() }
        if isLingering {
            guard ending == .failed || !isStillRead(now) else { return }
            transport?.close()
        } else if !machine.isEstablished {
            end(.settingsTimeout, "No SETTINGS came in time.")
        } else if blockBegan != .max, now - blockBegan >= rules.headTimeout {
            end(.enhanceYourCalm, "A header block did not end in time.")
        } else if drainBegan != .max, now - drainBegan >= Self.second {
            drainBegan = .max
            machine.finishDraining()
        } else if let stall, now - stall.began >= rules.bodyTimeout {
            guard !hasTakenEnough(now) else { return }
            endStalled()
            end(.enhanceYourCalm, "Nothing of the answers was taken in time.")
        } else if streams.count == 0, !resting.isEmpty, now - lastProgress >= Self.second {
            for stream in resting { stream.cancel() }
            resting = []
        } else if streams.count == 0, !machine.isDraining, now - lastProgress >= rules.idleTimeout {
            if !isStillRead(now) { drain() }
        }
    }

    /// Ends the exchanges whose content the client does not take.
    private func endStalled() {
        var stalled: [ClientHandler] = []
        streams.forEach { _, stream in
            if stream.content.readableBytes > 0, let handler = stream.handler { stalled.append(handler) }
        }
        for handler in stalled { handler.clientStalled() }
    }

    /// Ends the connection for what the client did not do in time.
    func end(_ code: HTTP2ErrorCode, _ detail: StaticString) {
        machine.end(code)
        report(.connection(code, detail), worker.metrics.stalledHTTP2)
        fail()
    }

    func report(_ error: HTTP2Error, _ counter: Counter) {
        counter.add()
        worker.shared.logger.debug(
            "A client's HTTP/2 connection is ended.",
            metadata: [
                "peer": "\(String(decoding: peer.address.text, as: UTF8.self))", "code": "\(error.code)",
                "reason": "\(error.detail)",
            ])
    }
}
