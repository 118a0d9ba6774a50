import RateLimit
import Synchronization
import TestKit
import Testing

@Suite struct QuotaChangeTests {
    private let key = LimiterKey(namespace: 0, "client")

    private func quota(_ rate: Int, _ burst: Int) throws -> Quota {
        try Quota(requestsPerMinute: rate, burst: burst)
    }

    @Test func `what was consumed stays consumed`() throws {
        let table = LimiterTable(maximumCells: 10, shards: 1)
        let old = table.cell(for: key, quota: .standard, now: 0)
        for _ in 0..<100 { _ = old.take(now: 0) }
        let new = table.cell(for: key, quota: try quota(1200, 1200), now: 0)
        #expect(new.quota.burst == 1200)
        #expect(new.peek(now: 0).remaining == 1100)
        #expect(table.count == 1)
        #expect(table.cell(for: key, quota: try quota(1200, 1200), now: 0) === new)
    }

    @Test func `a client that was exhausted still is, also when the quota shrinks`() throws {
        let table = LimiterTable(maximumCells: 10, shards: 1)
        let old = table.cell(for: key, quota: .standard, now: 0)
        while old.take(now: 0).isAllowed {}
        let new = table.cell(for: key, quota: try quota(60, 10), now: 0)
        #expect(!new.take(now: 0).isAllowed)
        // Empty, but not in debt: the first request of the new rate is due after a second.
        #expect(!new.take(now: 999_999_999).isAllowed)
        #expect(new.take(now: 1_000_000_000).isAllowed)
    }

    @Test func `time between the last request and the change counts`() throws {
        let table = LimiterTable(maximumCells: 10, shards: 1)
        let old = table.cell(for: key, quota: .standard, now: 0)
        for _ in 0..<100 { _ = old.take(now: 0) }
        let new = table.cell(for: key, quota: try quota(720, 720), now: 10_000_000_000)
        #expect(new.peek(now: 10_000_000_000).remaining == 680)
    }

    @Test func `who holds the old cell spends from the new one`() throws {
        let table = LimiterTable(maximumCells: 10, shards: 1)
        let oldest = table.cell(for: key, quota: .standard, now: 0)
        let old = table.cell(for: key, quota: try quota(60, 20), now: 0)
        let new = table.cell(for: key, quota: try quota(60, 10), now: 0)
        #expect(
            oldest.take(now: 0)
                == LimitVerdict(
                    isAllowed: true, remaining: 9, secondsUntilMore: 1, limit: 60, burst: 10))
        #expect(old.take(now: 0).remaining == 8)
        #expect(new.take(now: 0).remaining == 7)
        #expect(oldest.peek(now: 0).remaining == 7)
        #expect(oldest.quota == .standard)
    }

    @Test func `the new cell stays while an old holder lives`() throws {
        let table = LimiterTable(maximumCells: 10, shards: 1)
        let old = table.cell(for: key, quota: .standard, now: 0)
        let tight = try quota(60, 10)
        _ = table.cell(for: key, quota: tight, now: 0)
        #expect(table.sweep(now: 0) == 0)
        while old.take(now: 0).isAllowed {}
        #expect(!table.cell(for: key, quota: tight, now: 0).take(now: 0).isAllowed)
    }

    @Test func `no request is lost or won while the quota changes under load`() throws {
        // The bucket has the same size throughout, and the clock stands still: just that many are admitted in all.
        for round in 0..<200 {
            let table = LimiterTable(maximumCells: 10, shards: 1)
            let first = table.cell(for: key, quota: try quota(360, 1000), now: 0)
            let second = try quota(361, 1000)
            let third = try quota(720, 1000)
            let admitted = Atomic<Int>(0)
            onEightThreads { thread in
                for step in 0..<300 {
                    if first.take(now: 0).isAllowed { admitted.add(1, ordering: .relaxed) }
                    if thread == 0 && step == 20 { _ = table.cell(for: key, quota: second, now: 0) }
                    if thread == 0 && step == 40 { _ = table.cell(for: key, quota: third, now: 0) }
                }
            }
            #expect(admitted.load(ordering: .relaxed) == 1000, "round \(round)")
        }
    }
}
