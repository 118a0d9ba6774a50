import Gate
import Reactor

/// How much longer a client may take that is waited for, in nanoseconds; zero or less when that was too long.
extension ClientHandler {
    /// For its body. While the upstream does not take the body it is not the client that is slow.
    func patienceForBody(_ now: Int64) -> Int64 {
        // What an upstream answers meanwhile shows that the exchange goes on.
        let count = machine.bytesIn + exchange.bytesOut
        let rule = ClientPace.Rule(
            patience: worker.rules.bodyTimeout,
            rate: machine.isEventStream || exchange.isGRPC ? 0 : worker.rules.minimumBodyRate)
        guard isReading, !isWaitingForUpstream else {
            pace.pause(for: .body, of: exchange.number, at: count, rule, now: now)
            return rule.patience
        }
        return pace.patience(for: .body, of: exchange.number, at: count, rule, now: now)
    }

    /// To read its answer, which waits for it.
    func patienceForReading(_ now: Int64) -> Int64 {
        let count = exchange.bytesOut - (stream?.untakenBytes ?? 0)
        let rule = ClientPace.Rule(
            patience: worker.rules.bodyTimeout, rate: exchange.isGRPC ? 0 : worker.rules.minimumAnswerRate)
        return pace.patience(for: .answer, of: exchange.number, at: count, rule, now: now)
    }
}
