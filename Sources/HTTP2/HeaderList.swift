package import Wire

/// Decoded header fields: octets in one run, names and values as ranges of it. Used again for every block.
package struct HeaderList: Sendable {
    /// One field. Its ranges count from the first of `octets`.
    package struct Field: Sendable {
        package var name: ByteRange
        package var value: ByteRange
        /// Whether no intermediary may put it into a table (RFC 7541 §7.1.3).
        package var isNeverIndexed: Bool
    }

    package internal(set) var octets: [UInt8] = []
    package private(set) var fields: [Field] = []
    /// Octets of names and values and 32 for each field (RFC 9113 §6.5.2), of fields that were dropped as well.
    package private(set) var size = 0
    /// Whether the list was over its bound: what came beyond was dropped.
    package private(set) var isTooLarge = false

    private let maximumSize: Int
    private let maximumFields: Int

    package init(maximumSize: Int = 32768, maximumFields: Int = 100) {
        self.maximumSize = maximumSize
        self.maximumFields = maximumFields
    }

    /// Whether the method, as far as the list was kept, is HEAD.
    var asksForHEAD: Bool {
        let octets = octets.span
        for field in fields where octets.extracting(field.name.range).equals(":method") {
            return octets.extracting(field.value.range).equals("HEAD")
        }
        return false
    }

    /// Empties the list and keeps its storage.
    package mutating func clear() {
        octets.removeAll(keepingCapacity: true)
        fields.removeAll(keepingCapacity: true)
        size = 0
        isTooLarge = false
    }

    /// Makes a field of the octets that were appended from `start`, with the value from `middle`.
    mutating func appendField(from start: Int, middle: Int, isNeverIndexed: Bool) throws(HTTP2Error) {
        try count(octets.count - start)
        guard !isTooLarge else {
            octets.removeLast(octets.count - start)
            return
        }
        fields.append(
            Field(
                name: ByteRange(start, middle), value: ByteRange(middle, octets.count),
                isNeverIndexed: isNeverIndexed))
    }

    /// Counts a field of so many octets before they are copied; false when it is not to be kept.
    mutating func admit(_ count: Int) throws(HTTP2Error) -> Bool {
        if isTooLarge || size + count + HPACKTable.overhead > maximumSize {
            try self.count(count)
            return false
        }
        return true
    }

    /// A list that is somewhat too large is refused by itself; the decoder has to go on for the sake of its table. One that
    /// is far too large is an attack on just that, with entries of the table named over and over.
    private mutating func count(_ count: Int) throws(HTTP2Error) {
        size += count + HPACKTable.overhead
        if size > maximumSize || fields.count >= maximumFields { isTooLarge = true }
        guard size <= 8 * maximumSize else {
            throw .connection(.enhanceYourCalm, "A header list is far larger than SETTINGS_MAX_HEADER_LIST_SIZE.")
        }
    }
}
