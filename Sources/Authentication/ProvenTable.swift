/// The table behind `SharedCredentialCache`: what proven credentials came to, by the digest of the credentials.
///
/// Entries lie in one array and are chained from buckets, so that each takes 64 bytes and 4 to 8 for its bucket, however
/// full the table is; the array grows as credentials come. At its bounds, entries that were not asked for lately give way.
/// Everything is O(1) on the average; a look for who gives way touches `probes` entries at most.
struct ProvenTable: Sendable {
    /// 64 bytes.
    private struct Entry: Sendable {
        var digest: SHA256Value
        /// Nil where the place is free.
        var value: (any AnyObject & Sendable)?
        var generation: UInt64
        var expires: Int64
        /// The next of its chain, or of the free places.
        var next: Int32
        /// What the value takes, in units of 64 bytes.
        var size: UInt16
        /// Asked for since the hand of the clock last came by.
        var isRecent: Bool
    }

    private static var none: Int32 { -1 }
    /// The most entries that the hand passes before one is evicted although it was asked for.
    private static var probes: Int { 32 }

    private let hashKey: CredentialHashKey
    private let capacity: Int
    private let maximumSize: Int
    private var entries: [Entry] = []
    /// The first of each chain; a power of two of them.
    private var buckets: [Int32] = Array(repeating: -1, count: 16)
    private var free = Self.none
    private var hand = 0
    private var size = 0

    /// The number of entries, expired ones included until they are met.
    private(set) var count = 0

    /// An empty table of at most `capacity` entries whose values take at most `maximumBytes` together.
    init(key: CredentialHashKey, capacity: Int, maximumBytes: Int) {
        hashKey = key
        self.capacity = min(max(capacity, 1), 1 << 24)
        maximumSize = maximumBytes / 64
    }

    /// The value of a digest and its expiry; nil when it is unknown, expired or of another generation.
    mutating func find(
        _ digest: SHA256Value, generation: UInt64, now: Int64
    ) -> (value: any AnyObject & Sendable, expires: Int64)? {
        guard let position = position(of: digest) else { return nil }
        guard isLive(position, generation: generation, now: now), let value = entries[position].value else {
            remove(position)
            return nil
        }
        entries[position].isRecent = true
        return (value, entries[position].expires)
    }

    /// Remembers a value of about `bytes` bytes; an entry for the same digest is replaced.
    mutating func insert(
        _ digest: SHA256Value, value: any AnyObject & Sendable, bytes: Int, expires: Int64, generation: UInt64,
        now: Int64
    ) {
        let needed = UInt16(clamping: bytes / 64 + 1)
        guard expires > now, Int(needed) <= maximumSize else { return }
        if let old = position(of: digest) { remove(old) }
        while count > 0, count >= capacity || size + Int(needed) > maximumSize {
            evictOne(generation: generation, now: now)
        }
        if count >= buckets.count { rechain(buckets.count * 2) }
        let bucket = bucket(of: digest)
        let entry = Entry(
            digest: digest, value: value, generation: generation, expires: expires, next: buckets[bucket], size: needed,
            isRecent: false)
        if free >= 0 {
            let position = free
            free = entries[Int(position)].next
            entries[Int(position)] = entry
            buckets[bucket] = position
        } else {
            buckets[bucket] = Int32(truncatingIfNeeded: entries.count)
            entries.append(entry)
        }
        count += 1
        size += Int(needed)
    }

    /// Lets go of what has expired or is of an earlier generation, among `count` places from `start`. Returns the place to go
    /// on from, nil after the last.
    mutating func sweep(from start: Int, count: Int, generation: UInt64, now: Int64) -> Int? {
        let end = min(start + count, entries.count)
        guard start < end else { return nil }
        for position in start..<end where entries[position].value != nil {
            if entries[position].generation < generation || entries[position].expires <= now { remove(position) }
        }
        return end
    }

    mutating func removeAll() {
        self = ProvenTable(key: hashKey, capacity: capacity, maximumBytes: maximumSize * 64)
    }

    // MARK: - Entries

    private func bucket(of digest: SHA256Value) -> Int {
        Int(truncatingIfNeeded: hashKey.hash(digest)) & (buckets.count - 1)
    }

    private func isLive(_ position: Int, generation: UInt64, now: Int64) -> Bool {
        entries[position].generation == generation && now < entries[position].expires
    }

    private func position(of digest: SHA256Value) -> Int? {
        var next = buckets[bucket(of: digest)]
        while next >= 0 {
            let position = Int(next)
            if entries[position].digest == digest { return position }
            next = entries[position].next
        }
        return nil
    }

    private mutating func remove(_ position: Int) {
        let bucket = bucket(of: entries[position].digest)
        let place = Int32(truncatingIfNeeded: position)
        if buckets[bucket] == place {
            buckets[bucket] = entries[position].next
        } else {
            var before = Int(buckets[bucket])
            while entries[before].next != place { before = Int(entries[before].next) }
            entries[before].next = entries[position].next
        }
        size -= Int(entries[position].size)
        count -= 1
        entries[position].value = nil
        entries[position].next = free
        free = place
    }

    /// Second chance: who was asked for since the hand last came by stays for one more round, the dead go. Where the hand
    /// meets nobody else, the last one it met goes.
    private mutating func evictOne(generation: UInt64, now: Int64) {
        var victim: Int?
        for _ in 0..<Self.probes {
            hand = hand + 1 < entries.count ? hand + 1 : 0
            guard entries[hand].value != nil else { continue }
            victim = hand
            guard entries[hand].isRecent, isLive(hand, generation: generation, now: now) else { break }
            entries[hand].isRecent = false
        }
        if let victim { remove(victim) }
    }

    private mutating func rechain(_ bucketCount: Int) {
        buckets = Array(repeating: Self.none, count: bucketCount)
        for position in entries.indices where entries[position].value != nil {
            let bucket = bucket(of: entries[position].digest)
            entries[position].next = buckets[bucket]
            buckets[bucket] = Int32(truncatingIfNeeded: position)
        }
    }
}
