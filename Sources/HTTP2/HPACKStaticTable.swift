/// The static table of RFC 7541, appendix A.
struct HPACKStaticTable: Sendable {
    static let count = 61
    static let shared = HPACKStaticTable()

    /// Names and values one after another.
    let octets: [UInt8]
    private let entries: [(start: Int, nameCount: Int, valueCount: Int)]
    /// Open addressing over names, with the index of the first entry of a name.
    private let byName: [UInt8]

    private init() {
        var octets: [UInt8] = []
        var entries: [(start: Int, nameCount: Int, valueCount: Int)] = []
        for (name, value) in Self.rows {
            entries.append((octets.count, name.utf8.count, value.utf8.count))
            octets += Array(name.utf8) + Array(value.utf8)
        }
        var byName = [UInt8](repeating: 0, count: 256)
        for index in entries.indices where index == 0 || Self.rows[index].0 != Self.rows[index - 1].0 {
            let entry = entries[index]
            var slot = Self.slot(octets.span.extracting(entry.start..<entry.start + entry.nameCount))
            while byName[slot] != 0 { slot = (slot + 1) & 255 }
            byName[slot] = UInt8(index + 1)
        }
        self.octets = octets
        self.entries = entries
        self.byName = byName
    }

    /// Where the name and the value of the entry of an index from 1 to 61 stand in `octets`.
    func ranges(_ index: Int) -> (name: Range<Int>, value: Range<Int>)? {
        guard index >= 1, index <= entries.count else { return nil }
        let entry = entries[index - 1]
        let middle = entry.start + entry.nameCount
        return (entry.start..<middle, middle..<middle + entry.valueCount)
    }

    /// The index of the first entry with a name; 0 when there is none.
    func index(of name: Span<UInt8>) -> Int {
        guard name.count > 0 else { return 0 }
        var slot = Self.slot(name)
        while byName[slot] != 0 {
            let index = Int(byName[slot])
            if let ranges = ranges(index), name.hasSameOctets(as: octets.span.extracting(ranges.name)) { return index }
            slot = (slot + 1) & 255
        }
        return 0
    }

    private static func slot(_ name: Span<UInt8>) -> Int {
        guard name.count > 0 else { return 0 }
        let mix = Int(name[0]) &* 7 &+ Int(name[name.count - 1]) &* 31 &+ Int(name[name.count / 2]) &* 3
        return (mix &+ name.count &* 13) & 255
    }

    private static let rows: [(String, String)] = [
        (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
        (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
        (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
        ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
        ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
        ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
        ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""),
        ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""),
        ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""),
        ("last-modified", ""), ("link", ""), ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""),
        ("proxy-authorization", ""), ("range", ""), ("referer", ""), ("refresh", ""), ("retry-after", ""),
        ("server", ""), ("set-cookie", ""), ("strict-transport-security", ""), ("transfer-encoding", ""),
        ("user-agent", ""), ("vary", ""), ("via", ""), ("www-authenticate", ""),
    ]
}

extension Span<UInt8> {
    /// Whether two runs hold the same octets.
    func hasSameOctets(as other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        for index in 0..<count where self[index] != other[index] { return false }
        return true
    }
}

extension [UInt8] {
    /// Appends a run of octets.
    @inline(__always)
    mutating func append(_ octets: Span<UInt8>) {
        // Unsafe: the pointer is read during the call only.
        unsafe octets.withUnsafeBufferPointer { source in unsafe append(contentsOf: source) }
    }
}
