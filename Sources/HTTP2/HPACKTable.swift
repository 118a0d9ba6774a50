/// The dynamic table of RFC 7541 §2.3.2: entries in the order of their insertion, the oldest evicted first.
///
/// The octets lie one after another in one array, from whose front evicted ones are cut now and then, so that an entry is
/// always one run. It holds at most twice the limit.
struct HPACKTable: Sendable {
    /// Octets an entry counts beyond its name and value (§4.1).
    static let overhead = 32

    private struct Entry: Sendable {
        /// Position in everything that was ever inserted.
        var start = 0
        var nameCount = 0
        var valueCount = 0
        var hash: UInt32 = 0
    }

    private(set) var octets: [UInt8] = []
    /// Position of the first octet of `octets`.
    private var base = 0
    /// A ring; as many places as the smallest entries of a full table need.
    private var entries: [Entry]
    private var newest = 0
    private(set) var count = 0
    private(set) var size = 0
    /// What the encoder has chosen, at most the limit.
    private(set) var maximumSize: Int
    private let limit: Int
    private let mask: Int

    /// An empty table that will never be larger than `limit`.
    init(limit: Int) {
        var places = 1
        while places * Self.overhead < limit { places *= 2 }
        self.limit = limit
        self.maximumSize = limit
        self.mask = places - 1
        self.entries = [Entry](repeating: Entry(), count: places)
    }

    /// Where the name and the value of an entry stand in `octets`; 0 is the newest. Nil when there is no such entry.
    func ranges(_ index: Int) -> (name: Range<Int>, value: Range<Int>)? {
        guard index >= 0, index < count else { return nil }
        let entry = entries[(newest - index) & mask]
        let start = entry.start - base
        let middle = start + entry.nameCount
        return (start..<middle, middle..<middle + entry.valueCount)
    }

    /// Puts an entry in front, evicting what no longer fits. One that is larger than the table empties it (§4.4).
    mutating func insert(name: Span<UInt8>, value: Span<UInt8>, hash: UInt32 = 0) {
        let needed = name.count + value.count + Self.overhead
        evict(to: maximumSize - needed)
        guard needed <= maximumSize else { return }
        cutFront(room: name.count + value.count)
        newest = (newest + 1) & mask
        entries[newest] = Entry(
            start: base + octets.count, nameCount: name.count, valueCount: value.count, hash: hash)
        octets.append(name)
        octets.append(value)
        count += 1
        size += needed
    }

    /// Changes the maximum, evicting what no longer fits (§4.3). A size beyond the limit is the limit.
    mutating func resize(to newSize: Int) {
        maximumSize = min(max(newSize, 0), limit)
        evict(to: maximumSize)
    }

    /// The newest entry with this hash, name and value.
    func firstIndex(hash: UInt32, name: Span<UInt8>, value: Span<UInt8>) -> Int? {
        for index in 0..<count where entries[(newest - index) & mask].hash == hash {
            guard let ranges = ranges(index) else { return nil }
            if name.hasSameOctets(as: octets.span.extracting(ranges.name)),
                value.hasSameOctets(as: octets.span.extracting(ranges.value))
            {
                return index
            }
        }
        return nil
    }

    private mutating func evict(to bound: Int) {
        while count > 0, size > bound {
            let oldest = entries[(newest - (count - 1)) & mask]
            size -= oldest.nameCount + oldest.valueCount + Self.overhead
            count -= 1
        }
    }

    private mutating func cutFront(room: Int) {
        guard octets.count + room > 2 * limit else { return }
        let start = count == 0 ? octets.count : entries[(newest - (count - 1)) & mask].start - base
        octets.removeFirst(start)
        base += start
    }
}
