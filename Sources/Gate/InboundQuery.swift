import NIOCore

/// Takes `x-ditto-pre-authenticated` out of a query: Ditto believes it there as it does in a field, so a client must not
/// be able to send it.
enum InboundQuery {
    private static let name = Array("x-ditto-pre-authenticated".utf8)

    /// Whether a parameter of the query has the name, in whatever case or percent-encoding. One pass, no allocation.
    static func namesIdentity(_ query: Span<UInt8>) -> Bool {
        guard query.count >= name.count else { return false }
        var start = 0
        while start < query.count {
            let end = endOfParameter(query, from: start)
            if isIdentity(query, start..<end) { return true }
            start = end + 1
        }
        return false
    }

    /// Appends `?` and the other parameters as they came; nothing when there are none.
    static func appendWithoutIdentity(_ query: Span<UInt8>, to out: inout ByteBuffer) {
        var separator = UInt8(ascii: "?")
        var start = 0
        while start < query.count {
            let end = endOfParameter(query, from: start)
            if !isIdentity(query, start..<end) {
                out.writeInteger(separator)
                separator = UInt8(ascii: "&")
                for index in start..<end { out.writeInteger(query[index]) }
            }
            start = end + 1
        }
    }

    /// Some servers separate parameters with `;`, so that both count.
    private static func endOfParameter(_ query: Span<UInt8>, from start: Int) -> Int {
        var end = start
        while end < query.count, query[end] != UInt8(ascii: "&"), query[end] != UInt8(ascii: ";") { end += 1 }
        return end
    }

    private static func isIdentity(_ query: Span<UInt8>, _ range: Range<Int>) -> Bool {
        var index = range.lowerBound
        var matched = 0
        while index < range.upperBound, query[index] != UInt8(ascii: "=") {
            var byte = query[index]
            index += 1
            if byte == UInt8(ascii: "%"), index + 1 < range.upperBound,
                let high = hex(query[index]), let low = hex(query[index + 1])
            {
                byte = high << 4 | low
                index += 2
            }
            if (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) { byte |= 0x20 }
            if byte == UInt8(ascii: "_") { byte = UInt8(ascii: "-") }
            guard matched < name.count, byte == name[matched] else { return false }
            matched += 1
        }
        return matched == name.count
    }

    private static func hex(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case _: nil
        }
    }
}
