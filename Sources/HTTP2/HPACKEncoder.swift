/// Encodes header blocks (RFC 7541). One per connection and direction.
///
/// Fields that will come again go into the dynamic table and cost an octet or two afterwards; values that are new each
/// time do not push them out. Strings are sent as they are: Huffman coding saves a third of the octets of what is sent
/// once, and costs more than they do.
package struct HPACKEncoder: Sendable {
    /// What the peer may do with a field.
    package enum Indexing: Sendable {
        /// It will come again with this value.
        case index
        /// Its value is another one each time.
        case pass
        /// It is a secret, and must not be found out by what compresses well (RFC 7541 §7.1).
        case never
    }

    /// More than this is not asked of a peer, whatever it offers.
    private static let limit = 4096

    /// The block that is being made.
    package private(set) var block: [UInt8] = []
    private var table = HPACKTable(limit: HPACKEncoder.limit)
    private let statics = HPACKStaticTable.shared
    /// The field that was last sent under a name, by hash: only what comes a second time goes into the table.
    private var recent = [UInt32](repeating: 0, count: 64)
    /// Sizes that the next block has to begin with (§4.2): the smallest since the last block, and the one in force.
    private var update: (smallest: Int, last: Int)?

    package init() {}

    /// The peer's SETTINGS_HEADER_TABLE_SIZE.
    package mutating func setMaximumTableSize(_ size: Int) {
        let size = min(size, Self.limit)
        guard size != table.maximumSize || update != nil else { return }
        table.resize(to: size)
        update = (min(update?.smallest ?? size, size), size)
    }

    /// Begins a block.
    package mutating func begin() {
        block.removeAll(keepingCapacity: true)
        guard let update else { return }
        self.update = nil
        if update.smallest < update.last { appendInteger(update.smallest, prefix: 5, first: 0x20) }
        appendInteger(update.last, prefix: 5, first: 0x20)
    }

    /// Adds a field; the name in lower case.
    package mutating func append(name: Span<UInt8>, value: Span<UInt8>, _ indexing: Indexing) {
        let nameIndex = statics.index(of: name)
        switch indexing {
        case .index where name.count > 0:
            let hash = Self.hash(name, value)
            if let index = table.firstIndex(hash: hash, name: name, value: value) {
                return appendInteger(index + HPACKStaticTable.count + 1, prefix: 7, first: 0x80)
            }
            if let index = staticIndex(from: nameIndex, name: name, value: value) {
                return appendInteger(index, prefix: 7, first: 0x80)
            }
            let place = (name.count &* 7 &+ Int(name[0]) &+ Int(name[name.count - 1]) &* 31) & 63
            guard recent[place] == hash else {
                recent[place] = hash
                return appendLiteral(name: name, nameIndex: nameIndex, value: value, prefix: 4, first: 0x00)
            }
            appendLiteral(name: name, nameIndex: nameIndex, value: value, prefix: 6, first: 0x40)
            table.insert(name: name, value: value, hash: hash)
        case .pass, .index:
            appendLiteral(name: name, nameIndex: nameIndex, value: value, prefix: 4, first: 0x00)
        case .never:
            appendLiteral(name: name, nameIndex: nameIndex, value: value, prefix: 4, first: 0x10)
        }
    }

    /// Adds `:status` (RFC 9113 §8.3.2): one octet for the usual ones.
    package mutating func append(status: Int) {
        switch status {
        case 200: block.append(0x88)
        case 204: block.append(0x89)
        case 206: block.append(0x8A)
        case 304: block.append(0x8B)
        case 400: block.append(0x8C)
        case 404: block.append(0x8D)
        case 500: block.append(0x8E)
        case _:
            // The name of index 8, three digits.
            block.append(0x08)
            block.append(3)
            block.append(UInt8(truncatingIfNeeded: status / 100 % 10) + 0x30)
            block.append(UInt8(truncatingIfNeeded: status / 10 % 10) + 0x30)
            block.append(UInt8(truncatingIfNeeded: status % 10) + 0x30)
        }
    }

    private func staticIndex(from first: Int, name: Span<UInt8>, value: Span<UInt8>) -> Int? {
        guard first > 0 else { return nil }
        var index = first
        while let ranges = statics.ranges(index), name.hasSameOctets(as: statics.octets.span.extracting(ranges.name)) {
            if value.hasSameOctets(as: statics.octets.span.extracting(ranges.value)) { return index }
            index += 1
        }
        return nil
    }

    private mutating func appendLiteral(
        name: Span<UInt8>, nameIndex: Int, value: Span<UInt8>, prefix: Int, first: UInt8
    ) {
        appendInteger(nameIndex, prefix: prefix, first: first)
        if nameIndex == 0 { appendString(name) }
        appendString(value)
    }

    private mutating func appendString(_ octets: Span<UInt8>) {
        appendInteger(octets.count, prefix: 7, first: 0x00)
        block.append(octets)
    }

    private mutating func appendInteger(_ value: Int, prefix: Int, first: UInt8) {
        let mask = 1 << prefix - 1
        guard value >= mask else { return block.append(first | UInt8(truncatingIfNeeded: value)) }
        block.append(first | UInt8(truncatingIfNeeded: mask))
        var rest = value - mask
        while rest >= 0x80 {
            block.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        block.append(UInt8(truncatingIfNeeded: rest))
    }

    /// FNV-1a over the ends: enough to tell the few entries of a table apart before they are compared.
    private static func hash(_ name: Span<UInt8>, _ value: Span<UInt8>) -> UInt32 {
        var hash: UInt32 = 0x811C_9DC5
        hash = (hash ^ UInt32(truncatingIfNeeded: name.count &* 257 &+ value.count)) &* 0x0100_0193
        for index in 0..<min(name.count, 12) { hash = (hash ^ UInt32(name[index])) &* 0x0100_0193 }
        for index in max(0, value.count - 12)..<value.count {
            hash = (hash ^ UInt32(value[index])) &* 0x0100_0193
        }
        return hash
    }
}
