import Testing

@testable import RateLimit

@Suite struct PaceTests {
    static let rates = [
        1, 2, 7, 11, 59, 60, 61, 90, 100, 119, 120, 360, 361, 997, 1000, 1200, 5999, 6000, 7919, 36_000, 99_991,
        100_003,
        999_983, 1_000_003, 3_600_000, 5_999_993, 6_000_000,
    ]

    @Test(arguments: rates)
    func `no interval is rounded`(rate: Int) throws {
        let pace = Pace(try Quota(requestsPerMinute: rate, burst: 5))
        // rate x interval is a minute in units, exactly.
        let minute = Int128(60_000_000_000 / Int64(pace.tick)) * Int128(pace.unitsPerTick)
        #expect(Int128(rate) * Int128(pace.interval) == minute)
        #expect(1_000_000_000 % Int(pace.tick) == 0)
        #expect(pace.interval <= 60_000_000_000)
        #expect(pace.capacity == 5 * pace.interval)
    }

    @Test(arguments: rates)
    func `a cell may rest for 48 years and a full bucket fits`(rate: Int) throws {
        let pace = Pace(try Quota(requestsPerMinute: rate, burst: Quota.maximumBurst))
        let years = Int128(48) * 365 * 86_400 * 1_000_000_000 / Int128(pace.tick) * Int128(pace.unitsPerTick)
        #expect(years + Int128(pace.capacity) < Int128(Int64.max))
    }

    @Test(arguments: [1, 60, 100, 360, 500, 1000, 6000, 36_000])
    func `usual rates count single nanoseconds`(rate: Int) throws {
        #expect(Pace(try Quota(requestsPerMinute: rate, burst: 1)).tick == 1)
    }

    @Test func `360 a minute is 5e8 thirds of a nanosecond`() {
        let pace = Pace(.standard)
        #expect(pace.unitsPerTick == 3)
        #expect(pace.interval == 500_000_000)
    }

    @Test func `the clock is rounded down, also below zero`() throws {
        let pace = Pace(try Quota(requestsPerMinute: 7, burst: 1))
        #expect(pace.tick == 10)
        #expect([-11, -10, -1, 0, 9, 10].map { pace.instant($0) } == [-14, -7, -7, 0, 0, 7])
        _ = pace.instant(.min)
        _ = pace.instant(.max)
    }

    @Test func `seconds are rounded up`() {
        let pace = Pace(.standard)
        #expect([0, 1, 3_000_000_000, 3_000_000_001].map { pace.seconds($0) } == [0, 1, 1, 2])
    }
}
