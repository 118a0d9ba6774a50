import Gate
import Reactor

/// How much longer a client may take that is waited for, in nanoseconds; zero or less when that was too long.
extension ClientHandler {
    /// Whether the exchange is one in which the client is held to a rate: events and calls that stream have none.
    var hasRate: Bool { !machine.isEventStream && !exchange.isGRPC }

    /// For its body. While the upstream does not take the body it is not the client that is slow.
    func patienceForBody(_ now: Int64) -> Int64 {
        // What an upstream answers meanwhile shows that the exchange goes on.
        let count = machine.bytesIn + exchange.bytesOut
        let rule = ClientPace.Rule(
            patience: worker.rules.bodyTimeout, rate: hasRate ? worker.rules.minimumBodyRate : 0)
        guard isReading, !isWaitingForUpstream else {
            pace.pause(for: .body, of: exchange.number, at: count, rule, now: now)
            return rule.patience
        }
        return pace.patience(for: .body, of: exchange.number, at: count, rule, now: now)
    }

    /// To read its answer, which waits for it. Without a rate something has to be taken.
    func patienceForReading(_ now: Int64) -> Int64 {
        let count = stream?.delivery.taken ?? 0
        let rule = ClientPace.Rule(
            patience: worker.rules.bodyTimeout, rate: hasRate ? worker.rules.minimumAnswerRate : 0)
        guard stream?.isHeldByCarrier != true else {
            pace = ClientPace()
            return rule.patience
        }
        return pace.patience(for: .answer, of: exchange.number, at: count, rule, now: now)
    }
}
