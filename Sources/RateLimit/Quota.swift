/// How many requests a client may make: a steady rate and how much of it may come at once.
///
/// Rates are whole requests per minute, 1...``maximumRequestsPerMinute``; the burst is 1...``maximumBurst`` requests.
package struct Quota: Sendable, Hashable {
    /// Highest accepted rate: one hundred thousand requests a second.
    package static let maximumRequestsPerMinute = 6_000_000
    /// Highest accepted burst, in requests. Keeps a full bucket below 2^60 units at the slowest rate.
    package static let maximumBurst = 10_000_000
    /// What a client gets when nobody said otherwise: 360 at once, then 6 a second.
    package static let standard = Quota(checked: 360, 360)

    /// Steady rate, in requests per minute.
    package let requestsPerMinute: Int
    /// Size of a full bucket, in requests.
    package let burst: Int

    /// Checks the bounds; the error names the value that is out of them.
    package init(requestsPerMinute: Int, burst: Int) throws(QuotaError) {
        guard (1...Quota.maximumRequestsPerMinute).contains(requestsPerMinute) else {
            throw .requestsPerMinuteOutOfRange(requestsPerMinute)
        }
        guard (1...Quota.maximumBurst).contains(burst) else {
            throw .burstOutOfRange(burst)
        }
        self.requestsPerMinute = requestsPerMinute
        self.burst = burst
    }

    /// For numbers that were checked before.
    init(checked requestsPerMinute: Int, _ burst: Int) {
        self.requestsPerMinute = requestsPerMinute
        self.burst = burst
    }
}

/// Why a quota is refused.
package enum QuotaError: Error, Sendable, Equatable, CustomStringConvertible {
    case requestsPerMinuteOutOfRange(Int)
    case burstOutOfRange(Int)

    package var description: String {
        switch self {
        case .requestsPerMinuteOutOfRange(let value):
            "requestsPerMinute is \(value); it must be between 1 and \(Quota.maximumRequestsPerMinute)"
        case .burstOutOfRange(let value):
            "burst is \(value); it must be between 1 and \(Quota.maximumBurst)"
        }
    }
}
