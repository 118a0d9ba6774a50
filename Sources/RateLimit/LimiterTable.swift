import NIOConcurrencyHelpers

/// Every client's bucket, bounded in number.
///
/// A lock of one shard is held only while a key is looked up; the ``Cell`` it yields is then used without the table.
/// A cell leaves the table only when it is full again and nobody else holds it, so a client never gets a fresh bucket
/// while an old one is still in use or still short of requests. When the table is full and nothing can leave,
/// newcomers of one shard and one quota share an overflow cell: they limit each other, and nobody known is pushed out
/// by strangers.
package final class LimiterTable: Sendable {
    private let shards: [NIOLockedValueBox<LimiterSlots>]
    private let mask: UInt64

    /// A table for at most `maximumCells` clients in `shards` parts (rounded up to a power of two, at most 1024).
    package init(maximumCells: Int, shards: Int) {
        var parts = 1
        while parts < min(max(shards, 1), 1024) { parts *= 2 }
        let share = max((max(maximumCells, 1) + parts - 1) / parts, 1)
        self.shards = (0..<parts).map { _ in NIOLockedValueBox(LimiterSlots(maximumCells: share)) }
        mask = UInt64(parts - 1)
    }

    /// The one cell of `key`, made full when the key is new. `now` is monotonic time in ns.
    ///
    /// A cell made for another quota is replaced by one that misses as many requests; holders of the old cell
    /// go on with the new one. Expected O(1); a full shard looks at a bounded number of candidates for eviction.
    package func cell(for key: LimiterKey, quota: Quota, now: Int64) -> Cell {
        shards[Int(key.low & mask)].withLockedValue { $0.cell(for: key, quota: quota, now: now) }
    }

    /// The cell of `key` if the table has one; makes none.
    package func existingCell(for key: LimiterKey) -> Cell? {
        shards[Int(key.low & mask)].withLockedValue { $0.existingCell(for: key) }
    }

    /// Number of clients that have a cell of their own. O(shards).
    package var count: Int {
        shards.reduce(0) { sum, shard in sum + shard.withLockedValue { $0.count } }
    }

    /// Number of times a newcomer was sent to an overflow cell. O(shards).
    package var overflowed: UInt64 {
        shards.reduce(0) { sum, shard in sum &+ shard.withLockedValue { $0.overflowed } }
    }

    /// Lets go of every cell that is full and unowned, one shard at a time; returns how many. O(cells).
    @discardableResult
    package func sweep(now: Int64) -> Int {
        shards.reduce(0) { sum, shard in sum + shard.withLockedValue { $0.sweep(now: now) } }
    }
}
