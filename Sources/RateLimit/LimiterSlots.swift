/// Cells by key: open addressing with linear probing, so that eviction can walk the slots with a clock hand.
///
/// Seven eighths full at most. A slot has 24 bytes, a cell 48 bytes of heap: 76 to 103 bytes for a client.
struct LimiterSlots {
    private struct Slot {
        var key: LimiterKey
        var cell: Cell
    }

    /// Candidates looked at when a newcomer finds the table full: bounds the time the lock is held.
    private static let probes = 32
    /// Overflow cells of different quotas; later quotas share the first.
    private static let maximumOverflowCells = 8

    private let maximumCells: Int
    private var slots: [Slot?] = Array(repeating: nil, count: 16)
    private var hand = 0
    private var overflow: [Cell] = []
    /// The pace of the quota that was asked for last, which nearly all clients have.
    private var pace = Pace(.standard)
    private(set) var count = 0
    private(set) var overflowed: UInt64 = 0

    init(maximumCells: Int) {
        self.maximumCells = maximumCells
    }

    func existingCell(for key: LimiterKey) -> Cell? {
        slots[index(of: key)]?.cell
    }

    mutating func cell(for key: LimiterKey, quota: Quota, now: Int64) -> Cell {
        let position = index(of: key)
        if let found = slots[position]?.cell {
            if found.quota == quota { return found }
            let changed = Cell(pace: pace(of: quota), continuing: found, now: now)
            slots[position]?.cell = changed
            return changed
        }
        if count >= maximumCells && !evictOne(now: now) {
            overflowed &+= 1
            return overflowCell(quota: quota, now: now)
        }
        if (count + 1) * 8 > slots.count * 7 { resize(to: slots.count * 2) }
        let cell = Cell(pace: pace(of: quota), now: now)
        slots[index(of: key)] = Slot(key: key, cell: cell)
        count += 1
        return cell
    }

    private mutating func pace(of quota: Quota) -> Pace {
        if pace.quota != quota { pace = Pace(quota) }
        return pace
    }

    mutating func sweep(now: Int64) -> Int {
        let before = count
        var position = 0
        while position < slots.count {
            // Removal may move a later cell into this slot, which must then be looked at too.
            if isIdle(at: position, now: now) { remove(at: position) } else { position += 1 }
        }
        var size = slots.count
        while size > 16 && count * 6 < size { size /= 2 }
        if size < slots.count { resize(to: size) }
        return before - count
    }

    private mutating func evictOne(now: Int64) -> Bool {
        for _ in 0..<LimiterSlots.probes {
            let position = hand
            hand = (hand + 1) & (slots.count - 1)
            if isIdle(at: position, now: now) {
                remove(at: position)
                return true
            }
        }
        return false
    }

    private mutating func overflowCell(quota: Quota, now: Int64) -> Cell {
        if let shared = overflow.first(where: { $0.quota == quota }) { return shared }
        if overflow.count >= LimiterSlots.maximumOverflowCells, let first = overflow.first { return first }
        let cell = Cell(quota: quota, now: now)
        overflow.append(cell)
        return cell
    }

    /// Whether forgetting the cell here could change no verdict: it is full, and this slot is its only owner.
    private mutating func isIdle(at position: Int, now: Int64) -> Bool {
        guard var slot = slots[position].take() else { return false }
        defer { slots[position] = slot }
        // Holders get their reference under the lock, so a cell that is unique here cannot gain an owner meanwhile.
        return isKnownUniquelyReferenced(&slot.cell) && slot.cell.isFull(now: now)
    }

    /// The slot of `key`, or the free one where it belongs. There is always a free slot.
    private func index(of key: LimiterKey) -> Int {
        var position = home(of: key)
        while let slot = slots[position], slot.key != key { position = (position + 1) & (slots.count - 1) }
        return position
    }

    private func home(of key: LimiterKey) -> Int {
        Int(key.high & UInt64(slots.count - 1))
    }

    /// Frees a slot and closes the gap, so that lookups need no tombstones.
    private mutating func remove(at position: Int) {
        let wrap = slots.count - 1
        var gap = position
        slots[gap] = nil
        count -= 1
        var next = (gap + 1) & wrap
        while let slot = slots[next] {
            if (next &- home(of: slot.key)) & wrap >= (next &- gap) & wrap {
                slots[gap] = slot
                slots[next] = nil
                gap = next
            }
            next = (next + 1) & wrap
        }
    }

    private mutating func resize(to size: Int) {
        let old = slots
        slots = Array(repeating: nil, count: size)
        hand &= size - 1
        for slot in old {
            if let slot { slots[index(of: slot.key)] = slot }
        }
    }
}
