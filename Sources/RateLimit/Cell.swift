import Synchronization

/// One client's bucket: GCRA in one 64-bit atomic word.
///
/// The word is the instant at which the bucket will be full again (the theoretical arrival time of GCRA), in the units
/// of ``Pace``. A bucket at rest costs nothing and refills without a timer; a refused request does not change it.
///
/// Over any history of a clock that does not go backwards the number admitted is exactly that of an ideal bucket
/// which starts full, gains `requestsPerMinute / 60` a second up to `burst`, and gives away whole requests. Callers
/// on several threads may bring slightly different clocks: a reading older than one already used earns nothing, so
/// more is never admitted than the latest reading has earned.
package final class Cell: Sendable {
    /// Marks a cell whose bucket lives on in ``successor``. No live word takes this value.
    private static let moved = Int64.min

    private let word: Atomic<Int64>
    private let pace: Pace
    /// Where the bucket went when the quota changed.
    private let successor = AtomicLazyReference<Cell>()

    /// The quota this cell was made for.
    package var quota: Quota { pace.quota }

    /// A full bucket at `now` (monotonic ns).
    package convenience init(quota: Quota, now: Int64) {
        self.init(pace: Pace(quota), now: now)
    }

    /// A full bucket at `now` (monotonic ns).
    init(pace: Pace, now: Int64) {
        self.pace = pace
        word = Atomic(Cell.live(pace.instant(now)))
    }

    /// A bucket of another quota from which as many requests are missing as from `old`: at most all that it holds.
    init(pace: Pace, continuing old: Cell, now: Int64) {
        self.pace = pace
        let known = old.word.load(ordering: .relaxed)
        let before = Cell.carried(known, from: old.pace, to: pace, now: now)
        word = Atomic(Cell.live(pace.instant(now) &+ before))
        // The order matters. Whoever finds `moved` must find a successor, so the successor is published first. What
        // was taken from the old word between the first look and the seal is then owed by the new one.
        _ = old.successor.storeIfNil(self)
        // Acquiring and releasing: releases the successor to those who read `moved` with acquiring order.
        let last = old.word.exchange(Cell.moved, ordering: .acquiringAndReleasing)
        let after = Cell.carried(last, from: old.pace, to: pace, now: now)
        if after > before {
            // Relaxed: the word guards no other memory, only the sum matters.
            word.wrappingAdd(after - before, ordering: .relaxed)
        }
    }

    /// Takes one request from the bucket if there is one. `now` is monotonic time in ns. Lock-free; O(1).
    package func take(now: Int64) -> LimitVerdict {
        attempt(now: now, takes: true) ?? attemptAtSuccessor(now: now, takes: true)
    }

    /// What ``take(now:)`` would answer, without taking anything. `remaining` counts what is there now.
    package func peek(now: Int64) -> LimitVerdict {
        attempt(now: now, takes: false) ?? attemptAtSuccessor(now: now, takes: false)
    }

    /// Follows the successors to the cell that lives. Apart from the usual way, which counts no references.
    private func attemptAtSuccessor(now: Int64, takes: Bool) -> LimitVerdict {
        var next = successor.load()
        while let cell = next {
            if let verdict = cell.attempt(now: now, takes: takes) { return verdict }
            next = cell.successor.load()
        }
        // A cell is marked as moved only after its successor was published, so this is not reached.
        return LimitVerdict(
            isAllowed: false, remaining: 0, secondsUntilMore: 1, limit: Int(pace.rate), burst: Int(pace.burst))
    }

    /// Whether the bucket is full at `now`, so that forgetting it changes no verdict.
    func isFull(now: Int64) -> Bool {
        // Relaxed: asked under the lock of the table of a cell that nobody else owns.
        let current = word.load(ordering: .relaxed)
        return current == Cell.moved || current &- pace.instant(now) <= 0
    }

    /// Nil when the bucket has moved to the successor.
    private func attempt(now: Int64, takes: Bool) -> LimitVerdict? {
        let instant = pace.instant(now)
        // Acquiring, so that a reader of `moved` also sees the successor stored before it. For live words no order is
        // needed: the word is the whole state and guards no other memory.
        var current = word.load(ordering: .acquiring)
        while true {
            if current == Cell.moved { return nil }
            let missing = max(current &- instant, 0)
            guard takes else {
                return verdict(isAllowed: missing <= pace.capacity - pace.interval, missing: missing)
            }
            guard missing <= pace.capacity - pace.interval else {
                return verdict(isAllowed: false, missing: missing)
            }
            let next = missing + pace.interval
            // Weak, since it loops anyway. Relaxed on success for the reason above; acquiring on failure because the
            // value found may be `moved`.
            let (exchanged, original) = word.weakCompareExchange(
                expected: current, desired: Cell.live(instant &+ next), successOrdering: .relaxed,
                failureOrdering: .acquiring)
            if exchanged { return verdict(isAllowed: true, missing: next) }
            current = original
        }
    }

    private func verdict(isAllowed: Bool, missing: Int64) -> LimitVerdict {
        // Below zero when the clock went backwards, or after a quota was cut: owed before anything is available.
        let available = max(pace.capacity - missing, 0)
        let remaining = available / pace.interval
        let nextLevel = (remaining + 1) * pace.interval
        let wait = missing == 0 ? 0 : max(nextLevel - (pace.capacity - missing), 1)
        return LimitVerdict(
            isAllowed: isAllowed, remaining: Int(remaining), secondsUntilMore: pace.seconds(wait),
            limit: Int(pace.rate),
            burst: Int(pace.burst))
    }

    /// `word`, moved by one unit where it would be taken for the mark.
    private static func live(_ word: Int64) -> Int64 {
        word == moved ? word + 1 : word
    }

    /// What is missing from the bucket with word `word`, in the units of another pace; a share of one unit counts
    /// whole.
    private static func carried(_ word: Int64, from old: Pace, to new: Pace, now: Int64) -> Int64 {
        let missing = max(word &- old.instant(now), 0)
        let product = min(missing, old.capacity).multipliedFullWidth(by: new.interval)
        // Cannot overflow: at most `old.burst * new.interval`, which is below 2^60.
        let (quotient, remainder) = old.interval.dividingFullWidth(product)
        return min(quotient + (remainder > 0 ? 1 : 0), new.capacity)
    }
}
