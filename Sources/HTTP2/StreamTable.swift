/// What is kept for each open stream, by its identifier.
///
/// Identifiers of one side go up by two, so that half of one is as good as a hash: a place is found at once. Those that
/// clash stand in the order of their homes (Robin Hood hashing), so that a removal ends at the first that is at home. Bounded
/// by whoever inserts; grows to hold twice as many places as streams.
///
/// Inlinable, because rooms above keep objects of their own in it: without its body they would ask for its metadata at every
/// look.
@usableFromInline
package struct StreamTable<Value> {
    @usableFromInline
    struct Place {
        @usableFromInline
        var stream: UInt32
        @usableFromInline
        var value: Value?

        @inlinable
        init(_ stream: UInt32, _ value: Value?) {
            self.stream = stream
            self.value = value
        }
    }

    @usableFromInline
    var places: [Place]
    @usableFromInline
    var mask: Int
    @usableFromInline
    var used = 0

    @inlinable
    package init() {
        places = [Place](repeating: Place(0, nil), count: 8)
        mask = 7
    }

    /// How many streams are in the table.
    @inlinable
    package var count: Int { used }

    /// The value of a stream; setting nil removes it. Constant time.
    @inlinable
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
    @inlinable
    package mutating func update<Result>(_ stream: UInt32, _ body: (inout Value) -> Result) -> Result? {
        guard let index = index(of: stream), var value = places[index].value else { return nil }
        let result = body(&value)
        places[index].value = value
        return result
    }

    /// Every value, in no order.
    @inlinable
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

    @inlinable
    func home(_ stream: UInt32) -> Int { Int(stream >> 1) & mask }

    @inlinable
    func index(of stream: UInt32) -> Int? {
        var index = home(stream)
        while places[index].value != nil {
            if places[index].stream == stream { return index }
            index = (index &+ 1) & mask
        }
        return nil
    }

    @inlinable
    mutating func set(_ stream: UInt32, _ value: Value) {
        if let index = index(of: stream) {
            places[index].value = value
            return
        }
        if (used + 1) * 2 > places.count { grow() }
        insert(Place(stream, value))
        used += 1
    }

    /// Whoever is farther from home gets the place; the other goes on.
    @inlinable
    mutating func insert(_ place: Place) {
        var place = place
        var index = home(place.stream)
        var distance = 0
        while places[index].value != nil {
            let other = (index &- home(places[index].stream)) & mask
            if other < distance {
                swap(&place, &places[index])
                distance = other
            }
            index = (index &+ 1) & mask
            distance += 1
        }
        places[index] = place
    }

    @usableFromInline
    mutating func grow() {
        let old = places
        places = [Place](repeating: Place(0, nil), count: old.count * 2)
        mask = places.count - 1
        for place in old where place.value != nil { insert(place) }
    }

    /// Closes the gap, so that no mark of the removed is needed: those behind it move up, as far as none of them is at home.
    @inlinable
    mutating func remove(_ stream: UInt32) {
        guard var gap = index(of: stream) else { return }
        used -= 1
        var next = (gap &+ 1) & mask
        while places[next].value != nil, home(places[next].stream) != next {
            places[gap] = places[next]
            gap = next
            next = (next &+ 1) & mask
        }
        places[gap].value = nil
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
