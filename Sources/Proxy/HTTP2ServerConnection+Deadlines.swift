import Gate
import HTTP2
import NIOCore
import Reactor

/// How long a connection of HTTP/2 may take for what it does, and for nothing.
extension HTTP2ServerConnection {
    private static let second: Int64 = 1_000_000_000

    /// Whether something is to be sent for which the client has no room.
    private var owesClient: Bool { queuedBytes > 0 || machine.output.readableBytes > 0 }

    /// How long the client has taken nothing, of which there was something to take.
    private func stalled(_ now: Int64) -> Int64 { now - max(lastProgress, owedSince) }

    func setDeadline() {
        let rules = worker.rules
        owedSince = owesClient ? min(owedSince, worker.now().monotonic) : .max
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
            } else if owesClient {
                deadline = min(deadline, max(lastProgress, owedSince) + rules.bodyTimeout)
            }
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
        } else if streams.count == 0, !machine.isDraining, now - lastProgress >= rules.idleTimeout {
            drain()
        } else if streams.count == 0, now - lastProgress >= Self.second {
            for stream in resting { stream.cancel() }
            resting = []
        } else if owesClient, stalled(now) >= rules.bodyTimeout {
            endStalled()
            end(.enhanceYourCalm, "Nothing of the answers was taken in time.")
        }
    }
}
