/// Passive health of one endpoint: what connection attempts have told, and when the next one may be made.
///
/// An endpoint that refuses is asked again after a pause that doubles from 25 ms to 1 s. It counts as down only after
/// it has failed for a whole `patience`: until then requests wait for it, afterwards they are told at once.
package struct HealthStateMachine: Sendable {
    private enum State: Sendable {
        case healthy
        case failing(since: Int64, failures: Int, nextAttempt: Int64)
    }

    private static let firstPause: Int64 = 25_000_000
    private static let longestPause: Int64 = 1_000_000_000

    private var state = State.healthy
    private let patience: Int64

    /// `patience` in nanoseconds.
    package init(patience: Int64) {
        self.patience = patience
    }

    /// A connection was made.
    package mutating func succeeded() {
        state = .healthy
    }

    /// A connection attempt failed at `now`.
    package mutating func failed(now: Int64) {
        switch state {
        case .healthy:
            state = .failing(since: now, failures: 1, nextAttempt: now + Self.firstPause)
        case .failing(let since, let failures, let nextAttempt):
            // Attempts made at the same time fail together: they count as one step of the pause.
            guard now >= nextAttempt else { return }
            let pause = min(Self.longestPause, Self.firstPause << Int64(min(failures, 6)))
            state = .failing(since: since, failures: failures + 1, nextAttempt: now + pause)
        }
    }

    /// The earliest time at which a connection may be tried.
    package var nextAttempt: Int64 {
        switch state {
        case .healthy: .min
        case .failing(_, _, let nextAttempt): nextAttempt
        }
    }

    /// Whether the endpoint has been failing for longer than the patience.
    package func isDown(now: Int64) -> Bool {
        switch state {
        case .healthy: false
        case .failing(let since, _, _): now - since > patience
        }
    }
}
