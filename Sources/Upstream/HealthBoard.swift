import NIOConcurrencyHelpers
import Synchronization

/// What active checks found, by endpoint: written by the loop that makes them, read by all.
package final class HealthBoard: Sendable {
    /// The verdicts at one moment.
    struct Verdicts: Sendable {
        fileprivate var version: UInt64 = 0
        fileprivate var unhealthy: Set<Int> = []

        func isHealthy(_ endpoint: Int) -> Bool { !unhealthy.contains(endpoint) }
    }

    private let version = Atomic<UInt64>(0)
    private let verdicts = NIOLockedValueBox(Verdicts())

    package init() {}

    /// Notes a verdict. Releasing, within the lock: who sees the new number finds the new verdict.
    func set(_ endpoint: Int, isHealthy: Bool) {
        verdicts.withLockedValue { verdicts in
            if isHealthy { verdicts.unhealthy.remove(endpoint) } else { verdicts.unhealthy.insert(endpoint) }
            verdicts.version += 1
            version.store(verdicts.version, ordering: .releasing)
        }
    }

    /// The verdicts when they are others than those seen. Reads one number, and takes the lock only when it changed;
    /// acquiring, as in `set`.
    func verdicts(after seen: Verdicts) -> Verdicts? {
        guard version.load(ordering: .acquiring) != seen.version else { return nil }
        return verdicts.withLockedValue { $0 }
    }
}
