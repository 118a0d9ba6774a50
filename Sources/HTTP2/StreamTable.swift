/// What is kept for each open stream, by its identifier.
///
/// Identifiers of one side go up by two, so that half of one is as good as a hash: a place is found at once. Bounded by
/// whoever inserts; grows to hold twice as many places as streams.
package struct StreamTable<Value> {
    fileprivate struct Place {
        var stream: UInt32
        var value: Value?
    }

    private var places: [Place]
    private var mask: Int
    /// How many streams are in the table.
    package private(set) var count = 0

    package init() {
        places = (0..<8).map { _ in Place(stream: 0, value: nil) }
        mask = 7
    }

    /// The value of a stream; setting nil removes it. Constant time.
    package subscript(stream: UInt32) -> Value? {
        get {
            guard let index = index(of: stream) else { return nil }
            return places[index].value
        }
        set {
            if let newValue { set(stream, newValue) } else { remove(stream) }
        }
    }

    /// Changes a stream's value in place; nil when it is not there.
    package mutating func update<Result>(_ stream: UInt32, _ body: (inout Value) -> Result) -> Result? {
        guard let index = index(of: stream), var value = places[index].value else { return nil }
        let result = body(&value)
        places[index].value = value
        return result
    }

    /// Every value, in no order.
    package func forEach(_ body: (UInt32, Value) -> Void) {
        for place in places {
            if let value = place.value { body(place.stream, value) }
        }
    }

    /// Changes every value in place.
    mutating func updateAll(_ body: (inout Value) -> Void) {
        for index in places.indices {
            guard var value = places[index].value else { continue }
            body(&value)
            places[index].value = value
        }
    }

    private func home(_ stream: UInt32) -> Int { Int(stream >> 1) & mask }

    private func index(of stream: UInt32) -> Int? {
        var index = home(stream)
        while places[index].value != nil {
            if places[index].stream == stream { return index }
            index = (index + 1) & mask
        }
        return nil
    }

    private mutating func set(_ stream: UInt32, _ value: Value) {
        if let index = index(of: stream) {
            places[index].value = value
            return
        }
        if (count + 1) * 2 > places.count { grow() }
        insert(stream, value)
        count += 1
    }

    private mutating func insert(_ stream: UInt32, _ value: Value) {
        var index = home(stream)
        while places[index].value != nil { index = (index + 1) & mask }
        places[index] = Place(stream: stream, value: value)
    }

    private mutating func grow() {
        let old = places
        places = (0..<old.count * 2).map { _ in Place(stream: 0, value: nil) }
        mask = places.count - 1
        for place in old {
            if let value = place.value { insert(place.stream, value) }
        }
    }

    /// Closes the gap, so that no mark of the removed is needed: those behind it move up unless they are at home.
    private mutating func remove(_ stream: UInt32) {
        guard var gap = index(of: stream) else { return }
        count -= 1
        places[gap].value = nil
        var index = (gap + 1) & mask
        while places[index].value != nil {
            let home = home(places[index].stream)
            if (index &- home) & mask >= (index &- gap) & mask {
                places.swapAt(index, gap)
                gap = index
            }
            index = (index + 1) & mask
        }
    }
}

extension StreamTable: Sendable where Value: Sendable {}
extension StreamTable.Place: Sendable where Value: Sendable {}

/// How the streams ended that ended last: frames that were under way are told from frames that are wrong (RFC 9113 §5.1).
struct ClosedStreams: Sendable {
    enum Ending: Sendable {
        /// Both sides said END_STREAM.
        case finished
        case resetByPeer
        case resetByUs
    }

    private static let maximumCount = 512
    private var endings: [(stream: UInt32, ending: Ending)] = []
    private var next = 0

    mutating func note(_ stream: UInt32, _ ending: Ending) {
        if endings.count < Self.maximumCount {
            endings.append((stream, ending))
        } else {
            endings[next] = (stream, ending)
            next = (next + 1) % Self.maximumCount
        }
    }

    /// Linear, and asked only when a peer sends what it hardly should.
    func ending(of stream: UInt32) -> Ending? {
        endings.last { $0.stream == stream }?.ending
    }
}
