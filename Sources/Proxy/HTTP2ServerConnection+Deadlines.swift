import Gate
import HTTP2
import NIOCore
import Reactor

/// What is waited for while a client takes nothing.
struct Stall {
    /// Monotonic nanoseconds; `Int64.max` while there is nothing to take.
    var began = Int64.max
    /// Bytes that the transport had then and the client had not taken.
    var untaken = 0
    /// Whether some of it has been taken meanwhile.
    var hasTaken = false

    /// Whether, with so many bytes left, enough has been taken since the wait began, which then begins anew. `rate` is in bytes a
    /// second; at least one byte is asked for.
    mutating func beginsAnew(untaken left: Int, rate: Int64, now: Int64) -> Bool {
        guard Int64(untaken - left) >= max(1, rate * ((now - began) / 1_000_000_000)) else { return false }
        self = Stall(began: now, untaken: left)
        return true
    }
}

/// How long a connection of HTTP/2 may take for what it does, and for nothing.
extension HTTP2ServerConnection {
    private static let second: Int64 = 1_000_000_000

    /// Whether something is to be sent for which the client has no room.
    private var owesClient: Bool {
        queuedBytes > 0 || machine.output.readableBytes > 0 || transport?.isBacklogged ?? false
    }

    /// Moves the beginning of the wait for the client: nothing that it sends does, only what is taken.
    private func noteStall() {
        guard owesClient else {
            stall.began = .max
            return
        }
        guard stall.began == .max || stall.hasTaken else { return }
        stall = Stall(began: worker.now().monotonic, untaken: transport?.untakenBytes ?? 0)
    }

    /// Since when the client is waited for. Where only windows are shut it takes all that it can be sent, and what else it does on
    /// other streams keeps the connection.
    private var stalledSince: Int64? {
        guard stall.began != .max else { return nil }
        let isHeldByWindows = machine.output.readableBytes == 0 && transport?.isBacklogged != true
        return isHeldByWindows ? max(stall.began, lastProgress) : stall.began
    }

    /// Whether the client has taken enough since the wait began: the transport tells nobody of what drips out of it.
    private func hasTakenEnough(_ now: Int64) -> Bool {
        stall.beginsAnew(untaken: transport?.untakenBytes ?? 0, rate: worker.rules.minimumAnswerRate, now: now)
    }

    /// Whether a client that has been sent everything still takes it. Who closes before drops what the kernel holds as soon as the
    /// client says anything.
    private func isStillRead(_ now: Int64) -> Bool {
        let left = transport?.untakenBytes ?? 0
        guard left > 0 else { return false }
        let rules = worker.rules
        if reading.began == .max { reading = Stall(began: now, untaken: left) }
        nextReview = now + Self.second
        return now - reading.began < rules.bodyTimeout
            || reading.beginsAnew(untaken: left, rate: rules.minimumAnswerRate, now: now)
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
            if let stalledSince { deadline = min(deadline, stalledSince + rules.bodyTimeout) }
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
        } else if let stalledSince, now - stalledSince >= rules.bodyTimeout {
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
}
