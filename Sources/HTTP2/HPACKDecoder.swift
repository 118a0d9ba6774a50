import Wire

/// Decodes header blocks (RFC 7541). One per connection and direction: blocks depend on those before.
///
/// Every length is compared with what is there before anything is copied. Any error is one of the connection, for the table
/// is unknown after it (RFC 9113 §4.3).
package struct HPACKDecoder: Sendable {
    private var table: HPACKTable
    private let limit: Int
    private let statics = HPACKStaticTable.shared
    private let huffman = HuffmanCode.shared

    /// `maximumTableSize`: what SETTINGS_HEADER_TABLE_SIZE says to the encoder.
    package init(maximumTableSize: Int = 4096) {
        self.limit = maximumTableSize
        self.table = HPACKTable(limit: maximumTableSize)
    }

    /// Decodes one whole block into an emptied list. O(octets of the block and of the fields).
    package mutating func decode(_ block: Span<UInt8>, into list: inout HeaderList) throws(HTTP2Error) {
        list.clear()
        var cursor = 0
        var updates = 0
        var mayUpdate = true
        while cursor < block.count {
            let first = block[cursor]
            if first & 0xE0 == 0x20 {
                // §4.2: at the beginning of a block only, and at most two: the smallest size in between, and the last.
                guard mayUpdate, updates < 2 else { throw Self.misplacedUpdate }
                let size = try Self.integer(block, &cursor, prefix: 5)
                guard size <= limit else {
                    throw .connection(.compressionError, "A table size update is over the limit.")
                }
                table.resize(to: size)
                updates += 1
                continue
            }
            mayUpdate = false
            if first & 0x80 != 0 {
                try copyEntry(try Self.integer(block, &cursor, prefix: 7), to: &list)
            } else if first & 0x40 != 0 {
                try decodeLiteral(block, &cursor, prefix: 6, indexes: true, isNeverIndexed: false, into: &list)
            } else {
                try decodeLiteral(
                    block, &cursor, prefix: 4, indexes: false, isNeverIndexed: first & 0x10 != 0, into: &list)
            }
        }
    }

    private static let misplacedUpdate = HTTP2Error.connection(
        .compressionError, "A table size update stands where none may.")
    private static let badIndex = HTTP2Error.connection(.compressionError, "An index names no entry.")
    private static let cut = HTTP2Error.connection(.compressionError, "A header block ends within a field.")

    /// §6.1.
    private func copyEntry(_ index: Int, to list: inout HeaderList) throws(HTTP2Error) {
        let start = list.octets.count
        if let ranges = statics.ranges(index) {
            guard try list.admit(ranges.name.count + ranges.value.count) else { return }
            list.octets.append(statics.octets.span.extracting(ranges.name.lowerBound..<ranges.value.upperBound))
            try list.appendField(from: start, middle: start + ranges.name.count, isNeverIndexed: false)
        } else if let ranges = table.ranges(index - HPACKStaticTable.count - 1) {
            guard try list.admit(ranges.name.count + ranges.value.count) else { return }
            list.octets.append(table.octets.span.extracting(ranges.name.lowerBound..<ranges.value.upperBound))
            try list.appendField(from: start, middle: start + ranges.name.count, isNeverIndexed: false)
        } else {
            throw Self.badIndex
        }
    }

    /// §6.2.
    private mutating func decodeLiteral(
        _ block: Span<UInt8>, _ cursor: inout Int, prefix: Int, indexes: Bool, isNeverIndexed: Bool,
        into list: inout HeaderList
    ) throws(HTTP2Error) {
        let index = try Self.integer(block, &cursor, prefix: prefix)
        let start = list.octets.count
        if index == 0 {
            try string(block, &cursor, to: &list.octets)
        } else if let ranges = statics.ranges(index) {
            list.octets.append(statics.octets.span.extracting(ranges.name))
        } else if let ranges = table.ranges(index - HPACKStaticTable.count - 1) {
            list.octets.append(table.octets.span.extracting(ranges.name))
        } else {
            throw Self.badIndex
        }
        let middle = list.octets.count
        try string(block, &cursor, to: &list.octets)
        if indexes {
            let octets = list.octets.span
            table.insert(name: octets.extracting(start..<middle), value: octets.extracting(middle..<octets.count))
        }
        try list.appendField(from: start, middle: middle, isNeverIndexed: isNeverIndexed)
    }

    /// §5.2.
    private func string(
        _ block: Span<UInt8>, _ cursor: inout Int, to octets: inout [UInt8]
    ) throws(HTTP2Error) {
        guard cursor < block.count else { throw Self.cut }
        let isCoded = block[cursor] & 0x80 != 0
        let length = try Self.integer(block, &cursor, prefix: 7)
        guard length <= block.count - cursor else { throw Self.cut }
        let coded = block.extracting(cursor..<cursor + length)
        cursor += length
        if !isCoded {
            octets.append(coded)
        } else if !huffman.decode(coded, to: &octets) {
            throw .connection(.compressionError, "A Huffman-coded string is wrong.")
        }
    }

    /// §5.1. Nothing in a block is as large as 2^21, so that three octets behind the prefix are more than enough; a fourth
    /// is borne for encoders that pad with zeros.
    private static func integer(
        _ block: Span<UInt8>, _ cursor: inout Int, prefix: Int
    ) throws(HTTP2Error) -> Int {
        guard cursor < block.count else { throw cut }
        let mask = 1 << prefix - 1
        var value = Int(block[cursor]) & mask
        cursor += 1
        guard value == mask else { return value }
        for shift in stride(from: 0, through: 21, by: 7) {
            guard cursor < block.count else { throw cut }
            let octet = Int(block[cursor])
            cursor += 1
            value += (octet & 0x7F) << shift
            if octet & 0x80 == 0 { return value }
        }
        throw .connection(.compressionError, "An integer is too large.")
    }
}
