import Dispatch
import RateLimit
import Synchronization
import TestKit
import Testing

/// Runs `body` on eight threads at once, each with its number.
func onEightThreads(_ body: @Sendable (Int) -> Void) {
    DispatchQueue.concurrentPerform(iterations: 8) { body($0) }
}

@Suite struct CellConcurrencyTests {
    @Test(arguments: [1, 7, 60, 360, 361, 1200, 5999, 100_003])
    func `eight threads on one client are admitted to the request`(rate: Int) throws {
        let burst = 50
        var clock = ManualClock()
        let start = clock.monotonic
        let cell = Cell(quota: try Quota(requestsPerMinute: rate, burst: burst), now: start)
        let admitted = Atomic<Int>(0)
        var random = SeededGenerator(seed: UInt64(rate))
        let tick = PaceTests.tick(cell.quota)
        for round in 0..<60 {
            let now = clock.monotonic
            // Every round exhausts the bucket, so that all that was ever earned has been spent: burst + floor(elapsed
            // x rate).
            onEightThreads { _ in
                var refusals = 0
                while refusals < 3 {
                    if cell.take(now: now).isAllowed {
                        admitted.add(1, ordering: .relaxed)
                    } else {
                        refusals += 1
                    }
                }
            }
            let elapsed = now / tick * tick - start / tick * tick
            let earned = Int128(elapsed) * Int128(rate) / 60_000_000_000
            #expect(admitted.load(ordering: .relaxed) == burst + Int(earned), "round \(round)")
            // Less than a bucket's worth, so that nothing earned is lost over the brim.
            let full = 60_000_000_000 / Int64(rate) * Int64(burst - 1)
            clock.advance(nanoseconds: Int64.random(in: 0...full, using: &random))
        }
    }

    @Test func `threads whose clocks differ are never admitted more than the latest has earned`() throws {
        let quota = try Quota(requestsPerMinute: 6000, burst: 100)
        let cell = Cell(quota: quota, now: 1_000_000_000)
        let admitted = Atomic<Int>(0)
        onEightThreads { thread in
            // Each thread steps through the same second with an offset of its own, as loops with cached clocks do.
            for step in 0..<5_000 {
                let now = 1_000_000_000 + Int64(step) * 200_000 - Int64(thread) * 3_000_000
                if cell.take(now: now).isAllowed { admitted.add(1, ordering: .relaxed) }
            }
        }
        let last: Int64 = 4_999 * 200_000
        let most = 100 + Int(last * 6000 / 60_000_000_000)
        #expect(admitted.load(ordering: .relaxed) <= most)
        while cell.take(now: 1_000_000_000 + last).isAllowed { admitted.add(1, ordering: .relaxed) }
        #expect(admitted.load(ordering: .relaxed) == most)
    }
}
