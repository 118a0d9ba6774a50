import RateLimit
import TestKit
import Testing

@Suite struct CellTests {
    @Test func `the default admits 360 at once and then six a second`() {
        var clock = ManualClock()
        let cell = Cell(quota: .standard, now: clock.monotonic)
        for left in (0..<360).reversed() {
            let verdict = cell.take(now: clock.monotonic)
            #expect(verdict.isAllowed)
            #expect(verdict.remaining == left)
            #expect(verdict.secondsUntilMore == 1)
            #expect(verdict.limit == 360)
            #expect(verdict.windowSeconds == 60)
            #expect(verdict.burst == 360)
        }
        #expect(!cell.take(now: clock.monotonic).isAllowed)
        // One request is due after 1e9 / 6 ns, which is not whole.
        clock.advance(nanoseconds: 166_666_666)
        #expect(!cell.take(now: clock.monotonic).isAllowed)
        clock.advance(nanoseconds: 1)
        #expect(cell.take(now: clock.monotonic).isAllowed)
        #expect(!cell.take(now: clock.monotonic).isAllowed)
        // The rounding of that one is not carried on: three more are due exactly half a second after the start.
        clock.advance(nanoseconds: 500_000_000 - 166_666_667)
        #expect((0..<3).map { _ in cell.take(now: clock.monotonic).isAllowed } == [true, true, false])
    }

    @Test func `refused requests cost nothing`() {
        var clock = ManualClock()
        let cell = Cell(quota: .standard, now: clock.monotonic)
        for _ in 0..<10_000 { _ = cell.take(now: clock.monotonic) }
        clock.advance(seconds: 1)
        #expect(
            (0..<7).map { _ in cell.take(now: clock.monotonic).isAllowed } == Array(repeating: true, count: 6) + [false]
        )
    }

    @Test func `a rest refills to the burst and no further`() {
        var clock = ManualClock()
        let cell = Cell(quota: .standard, now: clock.monotonic)
        for _ in 0..<360 { _ = cell.take(now: clock.monotonic) }
        clock.advance(seconds: 59)
        #expect(cell.peek(now: clock.monotonic).remaining == 354)
        clock.advance(seconds: 1)
        #expect(cell.peek(now: clock.monotonic).remaining == 360)
        #expect(cell.peek(now: clock.monotonic).secondsUntilMore == 0)
        clock.advance(seconds: 40 * 365 * 86_400)
        #expect((0..<361).filter { _ in cell.take(now: clock.monotonic).isAllowed }.count == 360)
    }

    @Test func `peeking takes nothing and says what taking would`() {
        let cell = Cell(quota: .standard, now: 0)
        for _ in 0..<10 { #expect(cell.peek(now: 0).remaining == 360) }
        for _ in 0..<360 {
            #expect(cell.peek(now: 0).isAllowed)
            #expect(cell.take(now: 0).isAllowed)
        }
        #expect(!cell.peek(now: 0).isAllowed)
        #expect(cell.peek(now: 0).remaining == 0)
    }

    @Test func `the wait is rounded up and at least a second`() throws {
        let cell = Cell(quota: try Quota(requestsPerMinute: 1, burst: 1), now: 0)
        #expect(cell.take(now: 0).secondsUntilMore == 60)
        #expect(cell.take(now: 1).secondsUntilMore == 60)
        #expect(cell.take(now: 1_000_000_000).secondsUntilMore == 59)
        #expect(cell.take(now: 58_999_999_999).secondsUntilMore == 2)
        #expect(cell.take(now: 59_000_000_000).secondsUntilMore == 1)
        #expect(!cell.take(now: 59_999_999_999).isAllowed)
        #expect(cell.take(now: 60_000_000_000).isAllowed)
    }

    @Test func `waiting as long as told is enough, always`() throws {
        var random = SeededGenerator(seed: 5)
        for rate in PaceTests.rates {
            var clock = ManualClock(monotonic: Int64.random(in: 0...1_000_000_000_000, using: &random))
            let cell = Cell(quota: try Quota(requestsPerMinute: rate, burst: 3), now: clock.monotonic)
            for _ in 0..<50 {
                let verdict = cell.take(now: clock.monotonic)
                if verdict.isAllowed { continue }
                #expect(verdict.secondsUntilMore >= 1)
                clock.advance(seconds: Int64(verdict.secondsUntilMore))
                #expect(cell.take(now: clock.monotonic).isAllowed)
                clock.advance(nanoseconds: Int64.random(in: 0...1_000_000, using: &random))
            }
        }
    }

    @Test func `an older clock earns nothing and loses nothing`() {
        let cell = Cell(quota: .standard, now: 10_000_000_000)
        for _ in 0..<360 { _ = cell.take(now: 10_000_000_000) }
        for now: Int64 in [9_999_999_999, 0, -5_000_000_000, 9_000_000_000] {
            let verdict = cell.take(now: now)
            #expect(!verdict.isAllowed)
            #expect(verdict.remaining == 0)
            #expect(verdict.secondsUntilMore >= 1)
        }
        #expect((0..<7).filter { _ in cell.take(now: 11_000_000_000).isAllowed }.count == 6)
    }

    @Test func `no reading of the clock traps`() throws {
        for rate in PaceTests.rates {
            for burst in [1, Quota.maximumBurst] {
                let quota = try Quota(requestsPerMinute: rate, burst: burst)
                for start in [Int64.min, -1, 0, 1, .max] {
                    let cell = Cell(quota: quota, now: start)
                    for now in [Int64.min, .min + 1, -1, 0, 1, .max - 1, .max] {
                        _ = cell.take(now: now)
                        _ = cell.peek(now: now)
                    }
                }
            }
        }
    }

    @Test(arguments: PaceTests.rates)
    func `a cell equals the ideal bucket over random histories`(rate: Int) throws {
        var random = SeededGenerator(seed: UInt64(rate))
        let tick = PaceTests.tick(try Quota(requestsPerMinute: rate, burst: 1))
        for _ in 0..<20 {
            let burst = Int.random(in: 1...40, using: &random)
            var clock = ManualClock(monotonic: Int64.random(in: 0...(1 << 58), using: &random))
            let quota = try Quota(requestsPerMinute: rate, burst: burst)
            let cell = Cell(quota: quota, now: clock.monotonic)
            var ideal = IdealBucket(rate: rate, burst: burst, tick: tick, now: clock.monotonic)
            let interval = 60_000_000_000 / Int64(rate)
            for _ in 0..<300 {
                switch Int.random(in: 0..<6, using: &random) {
                case 0: clock.advance(nanoseconds: Int64.random(in: 0...(4 * interval), using: &random))
                case 1: clock.advance(nanoseconds: interval)
                case 2: clock.advance(nanoseconds: 1)
                case 3: clock.advance(nanoseconds: Int64.random(in: 0...(interval * Int64(burst) * 2), using: &random))
                default: break
                }
                let expected = ideal.take(now: clock.monotonic)
                let verdict = cell.take(now: clock.monotonic)
                guard verdict.isAllowed == expected.isAllowed, verdict.remaining == expected.remaining,
                    verdict.secondsUntilMore == expected.seconds
                else {
                    Issue.record("\(verdict), not \(expected), at \(clock.monotonic) of \(quota)")
                    return
                }
            }
        }
    }
}

extension PaceTests {
    /// The finest tick of Pace's own documentation, found independently: a power of ten with at most 6 units a ns.
    static func tick(_ quota: Quota) -> Int64 {
        var tick: Int64 = 1
        while tick < 1_000_000 {
            let minute = 60_000_000_000 / tick
            let rate = Int64(quota.requestsPerMinute)
            let units = 1...min(rate, 6 * tick)
            if units.contains(where: { (minute * $0) % rate == 0 }) { return tick }
            tick *= 10
        }
        return tick
    }
}
