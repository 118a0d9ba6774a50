/// The bucket of the textbook, in exact rational arithmetic on a clock of nanoseconds: what ``Cell`` must equal.
struct IdealBucket {
    /// Tokens times 60e9, so that one nanosecond brings exactly `rate`.
    private static let token: Int128 = 60_000_000_000

    let rate: Int128
    let burst: Int128
    /// The clock's resolution as the cell reads it, in ns.
    let tick: Int64
    private var level: Int128
    private var last: Int64

    init(rate: Int, burst: Int, tick: Int64, now: Int64) {
        self.rate = Int128(rate)
        self.burst = Int128(burst)
        self.tick = tick
        level = Int128(burst) * IdealBucket.token
        last = now / tick * tick
    }

    mutating func take(now: Int64) -> (isAllowed: Bool, remaining: Int, seconds: Int) {
        refill(now)
        let isAllowed = level >= IdealBucket.token
        if isAllowed { level -= IdealBucket.token }
        let remaining = level / IdealBucket.token
        return (isAllowed, Int(remaining), seconds(until: remaining + 1))
    }

    private mutating func refill(_ now: Int64) {
        let read = now / tick * tick
        level = min(level + Int128(read - last) * rate, burst * IdealBucket.token)
        last = read
    }

    private func seconds(until tokens: Int128) -> Int {
        if level == burst * IdealBucket.token { return 0 }
        let missing = tokens * IdealBucket.token - level
        let second = rate * 1_000_000_000
        return Int((missing + second - 1) / second)
    }
}
