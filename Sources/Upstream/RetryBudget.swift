/// How many requests may be sent a second time: a share of all requests and a few a second, so that an upstream in
/// trouble is not given more to do than it would have without the trouble.
package struct RetryBudget: Sendable {
    /// What a budget is made of.
    package struct Rules: Sendable, Hashable {
        /// Retries per hundred requests.
        package var percent: Int
        /// Retries a second whatever the number of requests.
        package var perSecond: Int

        package init(percent: Int = 20, perSecond: Int = 3) {
            self.percent = percent
            self.perSecond = perSecond
        }

        /// No retries at all.
        package static let none = Rules(percent: 0, perSecond: 0)
    }

    /// What may be saved up: a restart of a server makes all its idle connections stale at once.
    private static let reserve: Int64 = 100_000

    private let rules: Rules
    /// In thousandths of a retry.
    private var balance: Int64
    private var lastRefill: Int64 = 0

    /// A budget with its whole reserve.
    package init(_ rules: Rules) {
        self.rules = rules
        self.balance = rules == .none ? 0 : Self.reserve
    }

    /// A request was made, and earns its share of a retry.
    package mutating func earn() {
        balance = min(Self.reserve, balance + Int64(rules.percent) * 10)
    }

    /// Takes a retry, at `now` in monotonic nanoseconds; false when there is none left.
    package mutating func take(now: Int64) -> Bool {
        let elapsed = min(max(0, now - lastRefill), Self.reserve * 1_000_000)
        lastRefill = now
        balance = min(Self.reserve, balance + elapsed / 1_000 * Int64(rules.perSecond) / 1_000)
        guard balance >= 1_000 else { return false }
        balance -= 1_000
        return true
    }
}
