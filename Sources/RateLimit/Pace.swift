/// A quota in the integer units in which the limiter counts, so that no interval is ever rounded.
///
/// A rate of `n` a minute makes one request every `60e9 / n` ns, which is seldom whole. Counting time in units of
/// `tick / k`, where `k = n / gcd(n, ticks of a minute)`, makes the interval the whole number
/// `ticks of a minute / gcd`: 360 a minute is one request per 500 000 000 units of 1/3 ns.
///
/// A 64-bit word then holds `2^63 / k` ticks to either side of now. The tick is the finest power of ten from 1 ns to
/// 1 ms for which that is at least 48 years, the longest that a cell may rest and still be read rightly. It is 1 ns
/// for every rate with `k <= 6` (1, 60, 100, 360, 500, 1000, 6000, 36 000 …), 10 ns up to `k = 60`, and so on. The
/// clock is rounded down to the tick before use, which can hold a request back by less than one tick and never
/// drifts.
///
/// An object, because all clients of one quota share it: a cell then takes 48 bytes of heap and not 64.
final class Pace: Sendable {
    /// Length of a tick in ns.
    let tick: UInt32
    /// Units in a tick.
    let unitsPerTick: UInt32
    /// Requests per minute.
    let rate: UInt32
    /// Requests in a full bucket.
    let burst: UInt32
    /// Units from one request to the next at the steady rate: at most 6e10.
    let interval: Int64

    /// Units in a full bucket: at most 6e17.
    let capacity: Int64

    /// The quota that this is the pace of.
    var quota: Quota { Quota(checked: Int(rate), Int(burst)) }

    init(_ quota: Quota) {
        let rate = Int64(quota.requestsPerMinute)
        var tick: Int64 = 1
        var minute: Int64 = 60_000_000_000
        var divisor = greatestCommonDivisor(rate, minute)
        while rate / divisor > 6 * tick && tick < 1_000_000 {
            tick *= 10
            minute /= 10
            divisor = greatestCommonDivisor(rate, minute)
        }
        self.tick = UInt32(tick)
        unitsPerTick = UInt32(rate / divisor)
        interval = minute / divisor
        capacity = interval * Int64(quota.burst)
        self.rate = UInt32(quota.requestsPerMinute)
        burst = UInt32(quota.burst)
    }

    /// The instant `now` (monotonic ns) in units, modulo 2^64. Only differences of instants mean anything.
    func instant(_ now: Int64) -> Int64 {
        let tick = Int64(self.tick)
        let (quotient, remainder) = now.quotientAndRemainder(dividingBy: tick)
        return (remainder < 0 ? quotient - 1 : quotient) &* Int64(unitsPerTick)
    }

    /// Whole seconds, rounded up, that `units` last.
    func seconds(_ units: Int64) -> Int {
        let second = Int64(1_000_000_000 / tick) * Int64(unitsPerTick)
        return Int(units / second + (units % second > 0 ? 1 : 0))
    }
}

private func greatestCommonDivisor(_ first: Int64, _ second: Int64) -> Int64 {
    var (larger, smaller) = (first, second)
    while smaller != 0 {
        (larger, smaller) = (smaller, larger % smaller)
    }
    return larger
}
