import Identity

/// The table behind `CredentialCache`, without its type parameter: generic code of another module is not specialised for
/// its caller, and the path of a request must not pay for looking types up.
struct CredentialTable: Sendable {
    /// Everything about one entry side by side: a lookup touches one cache line before it comes to the credential.
    private struct Slot: Sendable {
        /// Lowest bit set, so that 0 means free.
        var hash: UInt64 = 0
        var generation: UInt64 = 0
        var expires: Int64 = 0
        var key: CredentialKey?
        /// Asked for since the hand of the clock last came by.
        var isRecent = false
        var value: (any AnyObject & Sendable)?
    }

    private static var window: Int { 8 }

    private let hashKey: CredentialHashKey
    private let maximumSlots: Int
    private let maximumBytes: Int
    private var slots: [Slot]
    private var bytes = 0
    private var hand = 0

    /// The number of entries, expired ones included until their slot is wanted.
    private(set) var count = 0

    /// An empty cache of at most `capacity` entries (rounded down to a power of two, at least 8) whose credentials
    /// take at most `maximumBytes` together.
    init(key: CredentialHashKey, capacity: Int = 16_384, maximumBytes: Int = 16_777_216) {
        hashKey = key
        var slotCount = Self.window
        while slotCount <= min(capacity, 1 << 24) / 2 { slotCount *= 2 }
        maximumSlots = slotCount
        self.maximumBytes = maximumBytes
        let initial = min(slotCount, 64)
        slots = Array(repeating: Slot(), count: initial)
    }

    mutating func find(
        authorization: Span<UInt8>, apiToken: Span<UInt8>, allowed: CredentialSet, generation: UInt64, now: Int64
    ) -> (key: CredentialKey, value: any AnyObject & Sendable)? {
        let position = locate(
            authorization: authorization, apiToken: apiToken, allowed: allowed, generation: generation, now: now)
        guard let position, let key = slots[position].key, let value = slots[position].value else { return nil }
        return (key, value)
    }

    private mutating func locate(
        authorization: Span<UInt8>, apiToken: Span<UInt8>, allowed: CredentialSet, generation: UInt64, now: Int64
    ) -> Int? {
        let hash = hashKey.hash(authorization: authorization, apiToken: apiToken, allowed: allowed) | 1
        let home = Self.home(of: hash, in: slots.count)
        for offset in 0..<Self.window {
            let position = (home + offset) & (slots.count - 1)
            guard slots[position].hash == hash,
                slots[position].key?.matches(authorization: authorization, apiToken: apiToken, allowed: allowed) == true
            else { continue }
            guard isLive(position, generation: generation, now: now) else {
                remove(position)
                return nil
            }
            slots[position].isRecent = true
            return position
        }
        return nil
    }

    mutating func insert(
        _ key: CredentialKey, value: any AnyObject & Sendable, expires: Int64, generation: UInt64, now: Int64
    ) {
        guard expires > now, key.count > 0, key.count <= maximumBytes else { return }
        let hash = key.hash(hashKey) | 1
        if let old = position(of: key, hash: hash) { remove(old) }
        // Nothing is evicted while there is room to grow: not at half full, nor when eight neighbours are taken.
        if slots.count < maximumSlots, count >= slots.count / 2 || freePosition(hash: hash) == nil { grow() }
        makeRoom(for: key.count, generation: generation, now: now)
        let position = vacate(hash: hash, generation: generation, now: now)
        slots[position] = Slot(
            hash: hash, generation: generation, expires: expires, key: key, value: value)
        count += 1
        bytes += key.count
    }

    mutating func removeAll() {
        self = CredentialTable(key: hashKey, capacity: maximumSlots, maximumBytes: maximumBytes)
    }

    // MARK: - Slots

    private static func home(of hash: UInt64, in slotCount: Int) -> Int {
        // The lowest bit is always set and tells nothing.
        Int(truncatingIfNeeded: hash >> 1) & (slotCount - 1)
    }

    private func isLive(_ position: Int, generation: UInt64, now: Int64) -> Bool {
        slots[position].generation == generation && now < slots[position].expires
    }

    private func position(of key: CredentialKey, hash: UInt64) -> Int? {
        let home = Self.home(of: hash, in: slots.count)
        for offset in 0..<Self.window {
            let position = (home + offset) & (slots.count - 1)
            if slots[position].hash == hash, slots[position].key?.matches(key) == true { return position }
        }
        return nil
    }

    private func freePosition(hash: UInt64) -> Int? {
        let home = Self.home(of: hash, in: slots.count)
        for offset in 0..<Self.window where slots[(home + offset) & (slots.count - 1)].hash == 0 {
            return (home + offset) & (slots.count - 1)
        }
        return nil
    }

    private mutating func remove(_ position: Int) {
        bytes -= slots[position].key?.count ?? 0
        count -= 1
        slots[position] = Slot()
    }

    /// A free slot among the eight of this hash, made by evicting if need be: the dead first, then the idle.
    private mutating func vacate(hash: UInt64, generation: UInt64, now: Int64) -> Int {
        if let free = freePosition(hash: hash) { return free }
        let home = Self.home(of: hash, in: slots.count)
        let mask = slots.count - 1
        for offset in 0..<Self.window where !isLive((home + offset) & mask, generation: generation, now: now) {
            remove((home + offset) & mask)
            return (home + offset) & mask
        }
        // Second chance: whoever was asked for since the last visit stays for one more round.
        var victim = (home + (hand & (Self.window - 1))) & mask
        for offset in 0..<Self.window {
            let position = (home + ((hand + offset) & (Self.window - 1))) & mask
            guard slots[position].isRecent else {
                victim = position
                break
            }
            slots[position].isRecent = false
        }
        hand &+= 1
        remove(victim)
        return victim
    }

    /// Evicts until `needed` more bytes fit; goes round the table at most twice.
    private mutating func makeRoom(for needed: Int, generation: UInt64, now: Int64) {
        var steps = slots.count * 2
        while bytes + needed > maximumBytes, steps > 0 {
            let position = hand & (slots.count - 1)
            hand &+= 1
            steps -= 1
            guard slots[position].hash != 0 else { continue }
            if slots[position].isRecent, isLive(position, generation: generation, now: now) {
                slots[position].isRecent = false
            } else {
                remove(position)
            }
        }
    }

    private mutating func grow() {
        let old = slots
        let slotCount = slots.count * 2
        slots = Array(repeating: Slot(), count: slotCount)
        count = 0
        bytes = 0
        for position in old.indices where old[position].hash != 0 {
            guard let key = old[position].key else { continue }
            let home = Self.home(of: old[position].hash, in: slotCount)
            // Where a crowd of eight has not thinned out, the entry is dropped: it will be proven again.
            for offset in 0..<Self.window {
                let place = (home + offset) & (slotCount - 1)
                guard slots[place].hash == 0 else { continue }
                slots[place] = old[position]
                count += 1
                bytes += key.count
                break
            }
        }
    }
}
