/// The health of one endpoint as one event loop sees it, from three sources: attempts to connect, what requests came
/// to, and the verdict of active checks. It is in rotation when none of them speaks against it.
///
/// An endpoint that refuses connections is asked again after a pause that doubles from 25 ms to 1 s. It counts as down
/// only after it has failed for a whole `patience`: until then requests wait for it when there is no other, afterwards
/// they are told at once. An endpoint whose requests fail several times in a row is ejected for a time that doubles
/// from one ejection to the next; when it is over a single request tries whether it can be had back.
package struct HealthStateMachine: Sendable {
    /// When a run of failed requests takes an endpoint out of rotation. Times in nanoseconds.
    package struct Ejection: Sendable, Hashable {
        /// Failed requests in a row; 0 for no ejections.
        package var failures: Int
        /// How long the first ejection lasts.
        package var time: Int64
        /// How long any ejection lasts at most.
        package var maximumTime: Int64
        /// How many of an upstream's endpoints may be out of rotation for this to take out another.
        package var maximumPercent: Int

        package init(
            failures: Int = 5, time: Int64 = 30_000_000_000, maximumTime: Int64 = 300_000_000_000,
            maximumPercent: Int = 50
        ) {
            self.failures = failures
            self.time = time
            self.maximumTime = maximumTime
            self.maximumPercent = maximumPercent
        }
    }

    private enum Reach: Sendable {
        case reachable
        case failing(since: Int64, failures: Int, nextAttempt: Int64)
    }

    private enum Trust: Sendable {
        /// `ejections` so far count on when the next one comes within the longest ejection's time of `since`.
        case trusted(failures: Int, ejections: Int, since: Int64)
        case ejected(until: Int64, ejections: Int)
        /// One request is on its way to find out; it may take long, so that `next` is when another one may try.
        case probing(next: Int64, ejections: Int)
    }

    private static let firstPause: Int64 = 25_000_000
    private static let longestPause: Int64 = 1_000_000_000

    private var reach = Reach.reachable
    private var trust = Trust.trusted(failures: 0, ejections: 0, since: .min)
    private var passesChecks = true
    private let patience: Int64
    private let ejection: Ejection

    /// `patience` in nanoseconds.
    package init(patience: Int64, ejection: Ejection = Ejection()) {
        self.patience = patience
        self.ejection = ejection
    }

    // MARK: What is known

    /// Whether requests may be sent to it. After an ejection that is once, until it is known what came of it.
    package func isInRotation(now: Int64) -> Bool {
        guard passesChecks, case .reachable = reach else { return false }
        switch trust {
        case .trusted: return true
        case .ejected(let until, _): return until <= now
        case .probing(let next, _): return next <= now
        }
    }

    /// Whether nothing but failed attempts to connect speaks against it: its open connections are still good.
    package var isTrusted: Bool {
        guard passesChecks else { return false }
        switch trust {
        case .trusted: return true
        case .ejected, .probing: return false
        }
    }

    /// The earliest time at which a connection may be tried.
    package var nextAttempt: Int64 {
        switch reach {
        case .reachable: .min
        case .failing(_, _, let nextAttempt): nextAttempt
        }
    }

    /// Whether attempts to connect fail at present.
    package var isFailing: Bool {
        switch reach {
        case .reachable: false
        case .failing: true
        }
    }

    /// Whether it is not worth waiting for: out of rotation for another reason than a short failure to connect.
    package func isDown(now: Int64) -> Bool {
        guard isTrusted else { return !isInRotation(now: now) }
        switch reach {
        case .reachable: return false
        case .failing(let since, _, _): return now - since > patience
        }
    }

    /// Nanoseconds until another try is sensible; 0 when that is now.
    package func wait(now: Int64) -> Int64 {
        switch trust {
        case .ejected(let until, _): max(0, until - now)
        case .trusted, .probing: max(0, nextAttempt == .min ? 0 : nextAttempt - now)
        }
    }

    // MARK: Connecting

    /// A connection was made.
    package mutating func connected() {
        reach = .reachable
    }

    /// A connection attempt failed at `now`.
    package mutating func connectFailed(now: Int64) {
        switch reach {
        case .reachable:
            reach = .failing(since: now, failures: 1, nextAttempt: now + Self.firstPause)
        case .failing(let since, let failures, let nextAttempt):
            // Attempts made at the same time fail together: they count as one step of the pause.
            guard now >= nextAttempt else { return }
            let pause = min(Self.longestPause, Self.firstPause << Int64(min(failures, 6)))
            reach = .failing(since: since, failures: failures + 1, nextAttempt: now + pause)
        }
    }

    // MARK: Requests

    /// A request was given to it: after an ejection this is the one that finds out.
    package mutating func began(now: Int64) {
        switch trust {
        case .trusted: break
        case .ejected(_, let ejections), .probing(_, let ejections):
            trust = .probing(next: now + ejection.time, ejections: ejections)
        }
    }

    /// A request was answered. Returns whether that ended an ejection.
    package mutating func succeeded(now: Int64) -> Bool {
        reach = .reachable
        switch trust {
        case .trusted(0, _, _), .ejected:
            // What was sent before the ejection proves nothing about the time after it.
            return false
        case .trusted(_, let ejections, let since):
            trust = .trusted(failures: 0, ejections: ejections, since: since)
            return false
        case .probing(_, let ejections):
            trust = .trusted(failures: 0, ejections: ejections, since: now)
            return true
        }
    }

    /// A request came to nothing that says anything about the endpoint: its client left, or it never was sent.
    package mutating func unsettled(now: Int64) {
        if case .probing(_, let ejections) = trust { trust = .ejected(until: now, ejections: ejections) }
    }

    /// A request failed at the endpoint. `mayEject` says whether enough other endpoints are in rotation; returns
    /// whether it is ejected with this.
    package mutating func failed(now: Int64, mayEject: Bool) -> Bool {
        switch trust {
        case .ejected:
            return false
        case .probing(_, let ejections):
            eject(now, ejections + 1)
            return true
        case .trusted(let failures, let ejections, let since):
            let count = failures + 1
            guard ejection.failures > 0, count >= ejection.failures, mayEject else {
                trust = .trusted(failures: min(count, 1 << 30), ejections: ejections, since: since)
                return false
            }
            let isRecent = ejections > 0 && now - since < ejection.maximumTime
            eject(now, isRecent ? ejections + 1 : 1)
            return true
        }
    }

    private mutating func eject(_ now: Int64, _ ejections: Int) {
        let factor = Int64(1) << Int64(min(ejections - 1, 20))
        let (time, overflow) = ejection.time.multipliedReportingOverflow(by: factor)
        let bounded = overflow ? ejection.maximumTime : min(time, ejection.maximumTime)
        trust = .ejected(until: now + bounded, ejections: ejections)
    }

    // MARK: Checks

    /// The verdict of the active checks changed.
    package mutating func checked(isHealthy: Bool) {
        passesChecks = isHealthy
    }
}
