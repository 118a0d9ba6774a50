/// The syntax of `Host` and of the authority in a request-target (RFC 3986 §3.2, narrowed to what names a server).
enum Authority {
    /// Whether a range is `host [":" port]` with a host that is not empty and a port of 0...65535.
    ///
    /// A colon without digits after it is legal (RFC 3986 §3.2.3) and passes. User information never does.
    static func isValid(_ range: ByteRange, in bytes: RawSpan) -> Bool {
        let lower = range.range.lowerBound
        let upper = range.range.upperBound
        guard lower < upper else { return false }
        var cursor = lower
        if bytes.byte(lower) == ASCII.openBracket {
            guard let close = bytes.firstOffset(of: ASCII.closeBracket, from: lower, to: upper),
                isIPv6(from: lower + 1, to: close, in: bytes)
            else { return false }
            cursor = close + 1
        } else {
            let host = ByteClass.host
            while cursor < upper, host.contains(bytes.byte(cursor)) { cursor += 1 }
            guard cursor > lower else { return false }
        }
        if cursor == upper { return true }
        return bytes.byte(cursor) == ASCII.colon && isPort(from: cursor + 1, to: upper, in: bytes)
    }

    private static func isPort(from: Int, to: Int, in bytes: RawSpan) -> Bool {
        var port = 0
        for offset in from..<to {
            let byte = bytes.byte(offset)
            guard byte.isDigit else { return false }
            port = port * 10 + Int(byte &- ASCII.zero)
            if port > 65535 { return false }
        }
        return true
    }

    /// IPv6address of RFC 3986 §3.2.2: eight groups, one `::` for at least one group, the last two perhaps as IPv4.
    ///
    /// Zone identifiers and IPvFuture are refused: neither names a server to anyone but the sender.
    private static func isIPv6(from: Int, to: Int, in bytes: RawSpan) -> Bool {
        var cursor = from
        var groups = 0
        var isCompressed = false
        while cursor < to {
            if bytes.byte(cursor) == ASCII.colon {
                guard cursor + 1 < to, bytes.byte(cursor + 1) == ASCII.colon, !isCompressed else { return false }
                isCompressed = true
                cursor += 2
                continue
            }
            var digits = 0
            while cursor + digits < to, digits < 5, bytes.byte(cursor + digits).hexadecimalValue != nil { digits += 1 }
            if cursor + digits < to, bytes.byte(cursor + digits) == ASCII.dot {
                guard isIPv4(from: cursor, to: to, in: bytes) else { return false }
                groups += 2
                cursor = to
                break
            }
            guard (1...4).contains(digits), groups < 8 else { return false }
            groups += 1
            cursor += digits
            if cursor == to { break }
            guard bytes.byte(cursor) == ASCII.colon, cursor + 1 < to else { return false }
            // A single colon separates two groups; a double one is the compression and stays for the next turn.
            if bytes.byte(cursor + 1) != ASCII.colon { cursor += 1 }
        }
        return isCompressed ? groups < 8 : groups == 8
    }

    private static func isIPv4(from: Int, to: Int, in bytes: RawSpan) -> Bool {
        var octets = 0
        var value = 0
        var digits = 0
        for offset in from..<to {
            let byte = bytes.byte(offset)
            if byte == ASCII.dot {
                guard digits > 0, octets < 3 else { return false }
                octets += 1
                value = 0
                digits = 0
            } else {
                // dec-octet has no leading zeros: some readers take them for octal.
                guard byte.isDigit, digits == 0 || value > 0 else { return false }
                value = value * 10 + Int(byte &- ASCII.zero)
                digits += 1
                if value > 255 { return false }
            }
        }
        return octets == 3 && digits > 0
    }
}
