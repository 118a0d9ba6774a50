import Gate
import HTTP2
import Logging
import NIOCore
import Reactor

/// A wait for a client that has something to take.
struct Stall {
    /// Monotonic nanoseconds.
    var began: Int64
    /// What it had taken by then, and what not.
    var delivery: Delivery

    /// Whether the client has taken anything since the wait began.
    func isSlow(at now: Delivery) -> Bool { now.taken > delivery.taken }

    /// Whether what has been taken since the wait began was enough: all that waited then, or what the rate asks for, in bytes a
    /// second, which is one at least. The wait begins anew then.
    mutating func beginsAnew(at delivery: Delivery, rate: Int64, now: Int64) -> Bool {
        let asked = min(Int64(self.delivery.untaken), max(1, rate * ((now - began) / 1_000_000_000)))
        guard Int64(delivery.taken - self.delivery.taken) >= asked else { return false }
        self = Stall(began: now, delivery: delivery)
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

    /// Whether the client leaves no room.
    private var isFull: Bool { machine.output.readableBytes > 0 || transport?.isBacklogged ?? false }

    /// Begins the wait for a client that leaves no room.
    private func noteStall() {
        guard stall == nil, isFull, let transport else { return }
        awaitClient(transport.delivery)
    }

    private func awaitClient(_ delivery: Delivery) {
        guard stall == nil else { return }
        let now = worker.now().monotonic
        stall = Stall(began: now, delivery: delivery)
        nextReview = now + Self.second
    }

    /// Whether the client has yet to take what was written up to a place. It is waited for on behalf of all streams then.
    func isAwaited(_ place: Int) -> Bool {
        guard let delivery = transport?.delivery, delivery.taken < place else { return false }
        awaitClient(delivery)
        noteRound()
        return true
    }

    /// Whether a client that is waited for may go on. The transport tells nobody of what drips out of it: that is asked for.
    private func mayGoOn(_ now: Int64) -> Bool {
        guard let delivery = transport?.delivery, isFull || delivery.taken < lastAnswer else {
            stall = nil
            lastProgress = now
            return true
        }
        nextReview = now + Self.second
        guard let stall, now - stall.began >= worker.rules.bodyTimeout else { return true }
        return self.stall?.beginsAnew(at: delivery, rate: rate, now: now) ?? true
    }

    /// Bytes a second that the client has to take; none where all that waits, or is open, is events and calls that stream.
    private var rate: Int64 {
        var open: Bool?
        var waiting: Bool?
        streams.forEach { _, stream in
            open = (open ?? false) || stream.hasRate
            if !stream.isDrained { waiting = (waiting ?? false) || stream.hasRate }
        }
        return waiting ?? open ?? true ? worker.rules.minimumAnswerRate : 0
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
            deadline = stall == nil || ending == .failed ? lastProgress + 2 * Self.second : nextReview
        } else if !machine.isEstablished {
            deadline = lastProgress + rules.headTimeout
        } else {
            deadline = .max
            if blockBegan != .max { deadline = blockBegan + rules.headTimeout }
            if drainBegan != .max { deadline = min(deadline, drainBegan + Self.second) }
            // Once it is drained the end of that is what it waits for.
            if streams.count == 0, !machine.isDraining {
                if !resting.isEmpty {
                    deadline = min(deadline, lastProgress + Self.second)
                } else if stall == nil {
                    deadline = min(deadline, lastProgress + rules.idleTimeout)
                }
            }
            if stall != nil { deadline = min(deadline, nextReview) }
        }
        worker.noteDeadline(self)
    }

    func deadlinePassed(now: Int64) {
        let rules = worker.rules
        defer { noteRound() }
        if isLingering {
            // Who closes before drops what the kernel holds as soon as the client says anything.
            let isUnread = stall == nil ? isAwaited(lastAnswer) : mayGoOn(now)
            if ending == .failed || !isUnread { transport?.close() }
        } else if !machine.isEstablished {
            end(.settingsTimeout, "No SETTINGS came in time.")
        } else if blockBegan != .max, now - blockBegan >= rules.headTimeout {
            end(.enhanceYourCalm, "A header block did not end in time.")
        } else if drainBegan != .max, now - drainBegan >= Self.second {
            drainBegan = .max
            machine.finishDraining()
        } else if let stall, now >= nextReview {
            guard !mayGoOn(now) else { return }
            endStalled(isSlow: transport.map { stall.isSlow(at: $0.delivery) } ?? false)
            end(.enhanceYourCalm, "Nothing of the answers was taken in time.")
        } else if streams.count == 0, !resting.isEmpty, now - lastProgress >= Self.second {
            for stream in resting { stream.cancel() }
            resting = []
        } else if streams.count == 0, !machine.isDraining, now - lastProgress >= rules.idleTimeout {
            if stall == nil, !isAwaited(lastAnswer) { drain() }
        }
    }

    /// Ends the exchanges whose answers the client does not take.
    private func endStalled(isSlow: Bool) {
        var stalled: [ClientHandler] = []
        streams.forEach { _, stream in
            if let handler = stream.handler, handler.machine.hasAnswerBegun { stalled.append(handler) }
        }
        for handler in stalled { handler.clientStalled(isSlow: isSlow) }
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
