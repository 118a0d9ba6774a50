import NIOConcurrencyHelpers

/// Where an issuer's keys come from, as the data plane sees it; one per issuer, outliving configurations.
///
/// Whoever fetches the keys publishes them here. Verification reads `current` and says which `kid` it missed. Nothing
/// on the request path waits for a fetch. Touched on the miss path only, so a lock will do.
package final class KeySource: Sendable {
    private struct State {
        var current: KeySet?
        var policy: RefetchPolicy
    }

    private let state: NIOLockedValueBox<State>
    private let onUnknownKeyID: @Sendable () -> Void

    /// `onUnknownKeyID` is called on the caller's thread when a fetch is worth its while; it must return at once.
    package init(
        initial: KeySet?, policy: RefetchPolicy = RefetchPolicy(), onUnknownKeyID: @escaping @Sendable () -> Void = {}
    ) {
        state = NIOLockedValueBox(State(current: initial, policy: policy))
        self.onUnknownKeyID = onUnknownKeyID
    }

    /// The last good key set; nil when there never was one.
    package var current: KeySet? {
        state.withLockedValue { $0.current }
    }

    /// What publishing a key set did.
    package enum Change: Sendable, Equatable {
        /// The same keys as before.
        case unchanged
        /// Keys were added and none went: what was cached stays true.
        case added
        /// A key went or was replaced: cached admissions of this issuer must be invalidated.
        case removed
        /// The new set has no usable key and was not taken; the last good one stays.
        case refusedEmpty
    }

    /// Puts a newly fetched key set in force.
    ///
    /// A set without one usable key is an accident of the issuer's, not a decision: it never replaces a good one.
    @discardableResult
    package func publish(_ keys: KeySet) -> Change {
        state.withLockedValue { state in
            guard let old = state.current, !old.isEmpty else {
                let change: Change = state.current == nil || !keys.isEmpty ? .added : .unchanged
                state.current = keys
                return change
            }
            if keys.isEmpty { return .refusedEmpty }
            state.current = keys
            if keys.hasSameKeys(as: old) { return .unchanged }
            return keys.includes(old) ? .added : .removed
        }
    }

    /// Notes that a token named a key that is not here (nil: there are no keys at all) and perhaps asks for a fetch.
    func missed(keyID: String?, now: Int64) {
        let wanted = state.withLockedValue { $0.policy.shouldRefetch(keyID: keyID, now: now) }
        if wanted { onUnknownKeyID() }
    }
}

/// When an unknown `kid` is worth a fetch: once per `kid` and lifetime, and never faster than the interval.
///
/// A value without a clock; `kid`s are kept as 64-bit hashes under the process's random seed, at most 256 of them.
package struct RefetchPolicy: Sendable {
    /// Seconds between two fetches that tokens provoke.
    package let minimumInterval: Int64
    /// Seconds for which a `kid` that was fetched for in vain is not fetched for again.
    package let negativeLifetime: Int64

    private static let capacity = 256

    private struct Asked {
        var hash: Int
        var time: Int64
    }

    private var asked: [Asked] = []
    private var oldest = 0
    private var lastFetch: Int64?

    package init(minimumInterval: Int64 = 10, negativeLifetime: Int64 = 60) {
        self.minimumInterval = max(1, minimumInterval)
        self.negativeLifetime = max(1, negativeLifetime)
    }

    /// Whether to fetch now. A `kid` that comes too soon after a fetch is not held against it: it may ask again.
    package mutating func shouldRefetch(keyID: String?, now: Int64) -> Bool {
        var hasher = Hasher()
        hasher.combine(keyID == nil)
        for byte in (keyID ?? "").utf8 { hasher.combine(byte) }
        let hash = hasher.finalize()

        let known = asked.firstIndex { $0.hash == hash }
        if let known, Self.isWithin(negativeLifetime, of: asked[known].time, now: now) { return false }
        if let lastFetch, Self.isWithin(minimumInterval, of: lastFetch, now: now) { return false }
        lastFetch = now
        if let known {
            asked[known].time = now
        } else if asked.count < Self.capacity {
            asked.append(Asked(hash: hash, time: now))
        } else {
            asked[oldest] = Asked(hash: hash, time: now)
            oldest = (oldest + 1) % Self.capacity
        }
        return true
    }

    /// A clock that was set back counts as elapsed: it must not silence fetches until it has caught up.
    private static func isWithin(_ seconds: Int64, of time: Int64, now: Int64) -> Bool {
        now >= time && now - time < seconds
    }
}
