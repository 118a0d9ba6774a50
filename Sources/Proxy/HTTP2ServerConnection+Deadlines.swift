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

    /// Whether the client has taken enough since the wait began, which then begins anew: the transport tells nobody of what
    /// drips out of it.
    private func hasTakenEnough(_ now: Int64) -> Bool {
        let left = transport?.untakenBytes ?? 0
        let asked = max(1, worker.rules.minimumAnswerRate * ((now - stall.began) / Self.second))
        guard Int64(stall.untaken - left) >= asked else { return false }
        stall = Stall(began: now, untaken: left)
        return true
    }

    func setDeadline() {
        let rules = worker.rules
        noteStall()
        if isLingering {
            deadline = lastProgress + 2 * Self.second
        } else if !machine.isEstablished {
            deadline = lastProgress + rules.headTimeout
        } else {
            deadline = .max
            if blockBegan != .max { deadline = blockBegan + rules.headTimeout }
            if drainBegan != .max { deadline = min(deadline, drainBegan + Self.second) }
            if streams.count == 0 {
                // Once it is drained the end of that is what it waits for.
                if !machine.isDraining {
                    deadline = min(deadline, lastProgress + (resting.isEmpty ? rules.idleTimeout : Self.second))
                }
            }
            if let stalledSince { deadline = min(deadline, stalledSince + rules.bodyTimeout) }
        }
        worker.noteDeadline(self)
    }

    func deadlinePassed(now: Int64) {
        let rules = worker.rules
        defer { noteRound() }
        if isLingering {
            transport?.close()
        } else if !machine.isEstablished {
            end(.settingsTimeout, "No SETTINGS came in time.")
        } else if blockBegan != .max, now - blockBegan >= rules.headTimeout {
            end(.enhanceYourCalm, "A header block did not end in time.")
        } else if drainBegan != .max, now - drainBegan >= Self.second {
            drainBegan = .max
            machine.finishDraining()
        } else if owesClient, let stalledSince, now - stalledSince >= rules.bodyTimeout {
            guard !hasTakenEnough(now) else { return }
            endStalled()
            end(.enhanceYourCalm, "Nothing of the answers was taken in time.")
        } else if streams.count == 0, !machine.isDraining, now - lastProgress >= rules.idleTimeout {
            drain()
        } else if streams.count == 0, now - lastProgress >= Self.second {
            for stream in resting { stream.cancel() }
            resting = []
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
