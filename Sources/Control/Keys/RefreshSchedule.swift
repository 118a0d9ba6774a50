/// When to fetch an issuer's keys again; state only, the clock is elsewhere.
package struct RefreshSchedule: Sendable {
    private let interval: Duration
    private let firstRetry: Duration
    private let lastRetry: Duration
    private var failures = 0

    /// - Parameters:
    ///   - interval: between refreshes that succeed, a second at least.
    ///   - firstRetry: after the first failure; doubles from there.
    ///   - lastRetry: what the doubling stops at; never more than `interval`.
    package init(
        interval: Duration = .seconds(300), firstRetry: Duration = .seconds(1), lastRetry: Duration = .seconds(60)
    ) {
        self.interval = max(interval, .seconds(1))
        self.firstRetry = firstRetry
        self.lastRetry = min(lastRetry, self.interval)
    }

    /// The pause after a fetch that succeeded: the interval, a tenth more or less, so that many gateways started
    /// together do not stay together.
    package mutating func succeeded(using random: inout some RandomNumberGenerator) -> Duration {
        failures = 0
        return interval * Double.random(in: 0.9...1.1, using: &random)
    }

    /// The pause after a fetch that failed: doubles each time up to the bound, then shortened by up to half.
    package mutating func failed(using random: inout some RandomNumberGenerator) -> Duration {
        let doubled = firstRetry * (1 << min(failures, 16))
        failures += 1
        return min(doubled, lastRetry) * Double.random(in: 0.5...1, using: &random)
    }
}
