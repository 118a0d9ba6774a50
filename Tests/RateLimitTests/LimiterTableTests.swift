import RateLimit
import NIOConcurrencyHelpers
import TestKit
import Testing

@Suite struct LimiterTableTests {
    private func key(_ number: Int) -> LimiterKey { LimiterKey(namespace: 0, "client-\(number)") }

    private func exhaust(_ cell: Cell, now: Int64) {
        while cell.take(now: now).isAllowed {}
    }

    @Test func `a key has one cell`() {
        let table = LimiterTable(maximumCells: 1000, shards: 4)
        let first = table.cell(for: key(1), quota: .standard, now: 0)
        #expect(table.cell(for: key(1), quota: .standard, now: 5) === first)
        #expect(table.existingCell(for: key(1)) === first)
        #expect(table.cell(for: key(2), quota: .standard, now: 0) !== first)
        #expect(table.existingCell(for: key(3)) == nil)
        #expect(table.count == 2)
    }

    @Test func `eight threads that ask for the same new keys get the same cells`() {
        let table = LimiterTable(maximumCells: 10_000, shards: 8)
        let seen = NIOLockedValueBox<[Int: Set<ObjectIdentifier>]>([:])
        let held = NIOLockedValueBox<[Cell]>([])
        onEightThreads { thread in
            for number in 0..<500 {
                let mixed = (number * 7 + thread * 61) % 500
                let cell = table.cell(for: key(mixed), quota: .standard, now: 0)
                _ = cell.take(now: 0)
                seen.withLockedValue { _ = $0[mixed, default: []].insert(ObjectIdentifier(cell)) }
                held.withLockedValue { $0.append(cell) }
            }
        }
        #expect(table.count == 500)
        #expect(seen.withLockedValue { $0.values.allSatisfy { $0.count == 1 } })
        // Each of the eight took one.
        #expect((0..<500).allSatisfy { table.existingCell(for: key($0))?.peek(now: 0).remaining == 352 })
    }

    @Test func `newcomers take the place of cells that are full and unowned`() {
        let table = LimiterTable(maximumCells: 16, shards: 1)
        for number in 0..<1000 { _ = table.cell(for: key(number), quota: .standard, now: 0) }
        #expect(table.count == 16)
        #expect(table.overflowed == 0)
        #expect(table.existingCell(for: key(999)) != nil)
    }

    @Test func `a cell that somebody holds is never evicted`() {
        let table = LimiterTable(maximumCells: 16, shards: 1)
        let held = table.cell(for: key(0), quota: .standard, now: 0)
        for number in 1..<1000 { _ = table.cell(for: key(number), quota: .standard, now: 0) }
        #expect(table.sweep(now: 0) == 15)
        #expect(table.cell(for: key(0), quota: .standard, now: 0) === held)
    }

    @Test func `a client is not reborn full by pushing it out`() {
        let table = LimiterTable(maximumCells: 16, shards: 1)
        exhaust(table.cell(for: key(0), quota: .standard, now: 0), now: 0)
        for number in 1..<1000 { _ = table.cell(for: key(number), quota: .standard, now: 0) }
        #expect(table.sweep(now: 59_999_999_999) == 15)
        #expect(!table.cell(for: key(0), quota: .standard, now: 0).take(now: 0).isAllowed)
        #expect(table.sweep(now: 59_999_999_999) == 0)
        #expect(table.sweep(now: 60_000_000_000) == 1)
        #expect(table.count == 0)
    }

    @Test func `when nothing can leave, newcomers of a shard share one cell`() throws {
        let table = LimiterTable(maximumCells: 8, shards: 1)
        let held = (0..<8).map { table.cell(for: key($0), quota: .standard, now: 0) }
        let small = try Quota(requestsPerMinute: 60, burst: 10)
        let first = table.cell(for: key(100), quota: small, now: 0)
        let second = table.cell(for: key(101), quota: small, now: 0)
        #expect(first === second)
        #expect(!held.contains { $0 === first })
        #expect(first.quota == small)
        #expect(table.count == 8)
        #expect(table.overflowed == 2)
        exhaust(first, now: 0)
        #expect(!table.cell(for: key(102), quota: small, now: 0).take(now: 0).isAllowed)
        #expect(table.cell(for: key(0), quota: .standard, now: 0).take(now: 0).isAllowed)
    }

    @Test func `overflow cells are bounded in number too`() throws {
        let table = LimiterTable(maximumCells: 1, shards: 1)
        let held = table.cell(for: key(0), quota: .standard, now: 0)
        var cells: [ObjectIdentifier: Cell] = [:]
        for rate in 1...100 {
            let cell = table.cell(
                for: key(rate), quota: try Quota(requestsPerMinute: rate, burst: 1), now: 0)
            cells[ObjectIdentifier(cell)] = cell
        }
        #expect(cells.count == 8)
        #expect(cells[ObjectIdentifier(held)] == nil)
    }

    @Test func `a table of any shape holds about as many as it says`() {
        for (maximum, shards) in [(0, 0), (1, 8), (-5, -5), (100, 3), (1000, 5000)] {
            let table = LimiterTable(maximumCells: maximum, shards: shards)
            for number in 0..<200 { _ = table.cell(for: key(number), quota: .standard, now: 0).take(now: 0) }
            #expect(table.count >= 1)
            #expect(table.count <= max(maximum, 1) + 1024)
        }
    }

    /// Against a dictionary that never forgets: eviction and growth must not show.
    @Test func `lookups, eviction and sweeps agree with a model over random histories`() {
        var random = SeededGenerator(seed: 11)
        let table = LimiterTable(maximumCells: 400, shards: 2)
        let ideal = LimiterTable(maximumCells: 1_000_000, shards: 1)
        var clock = ManualClock()
        for step in 0..<20_000 {
            let number = Int.random(in: 0..<300, using: &random)
            let cell = table.cell(for: key(number), quota: .standard, now: clock.monotonic)
            let model = ideal.cell(for: key(number), quota: .standard, now: clock.monotonic)
            for _ in 0..<Int.random(in: 0..<60, using: &random)
            where cell.take(now: clock.monotonic) != model.take(now: clock.monotonic) {
                Issue.record("client \(number) differs at step \(step)")
                return
            }
            if step % 7 == 0 { clock.advance(nanoseconds: Int64.random(in: 0...2_000_000_000, using: &random)) }
            if step % 997 == 0 { table.sweep(now: clock.monotonic) }
        }
        #expect(ideal.count == 300)
        #expect(table.count <= 300)
    }

    @Test func `eight threads, eviction and sweeps lose no request`() {
        let table = LimiterTable(maximumCells: 64, shards: 2)
        let admitted = NIOLockedValueBox<[Int: Int]>([:])
        onEightThreads { thread in
            var mine: [Int: Int] = [:]
            for round in 0..<5_000 {
                let number = (round &* 31 &+ thread &* 17) % 40
                if table.cell(for: key(number), quota: .standard, now: 0).take(now: 0).isAllowed {
                    mine[number, default: 0] += 1
                }
                // Strangers press for places, and the sweeper runs.
                if round % 50 == 0 {
                    _ = table.cell(for: key(1_000_000 + round * 8 + thread), quota: .standard, now: 0)
                }
                if round % 1_000 == 0 { table.sweep(now: 0) }
            }
            admitted.withLockedValue { $0.merge(mine, uniquingKeysWith: +) }
        }
        #expect(admitted.withLockedValue { $0.count } == 40)
        #expect(admitted.withLockedValue { $0.values.allSatisfy { $0 == 360 } })
    }
}
