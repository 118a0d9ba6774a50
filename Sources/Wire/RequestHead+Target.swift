extension RequestHead {
    /// Finds the form of `target` and its parts (RFC 9112 §3.2); false when it has no form its method allows.
    ///
    /// Asterisk-form is let through for any method; the parser decides on it once it has seen the version.
    mutating func readTarget(_ bytes: RawSpan) -> Bool {
        guard !target.isEmpty else { return false }
        let lower = target.range.lowerBound
        if method == .connect {
            form = .authority
            authority = target
            return Authority.isValid(target, in: bytes) && hasPort(bytes)
        }
        if bytes.byte(lower) == ASCII.slash {
            form = .origin
            splitQuery(from: lower, bytes)
            return true
        }
        if target.count == 1 && bytes.byte(lower) == ASCII.asterisk {
            form = .asterisk
            return true
        }
        return readAbsolute(bytes)
    }

    /// absolute-form with a scheme of `http` or `https`; anything else is no target of a gateway.
    private mutating func readAbsolute(_ bytes: RawSpan) -> Bool {
        let lower = target.range.lowerBound
        let upper = target.range.upperBound
        let start: Int
        if bytes.equalsIgnoringCase(ByteRange(lower, min(lower + 7, upper)), "http://") {
            start = lower + 7
        } else if bytes.equalsIgnoringCase(ByteRange(lower, min(lower + 8, upper)), "https://") {
            start = lower + 8
            namesHTTPS = true
        } else {
            return false
        }
        form = .absolute
        var end = start
        while end < upper, bytes.byte(end) != ASCII.slash, bytes.byte(end) != ASCII.question { end += 1 }
        authority = ByteRange(start, end)
        splitQuery(from: end, bytes)
        return Authority.isValid(authority, in: bytes)
    }

    private mutating func splitQuery(from start: Int, _ bytes: RawSpan) {
        let upper = target.range.upperBound
        if let mark = bytes.firstOffset(of: ASCII.question, from: start, to: upper) {
            path = ByteRange(start, mark)
            query = ByteRange(mark + 1, upper)
        } else {
            path = ByteRange(start, upper)
        }
    }

    /// CONNECT has no default port (RFC 9110 §9.3.6).
    private func hasPort(_ bytes: RawSpan) -> Bool {
        bytes.byte(target.range.upperBound - 1).isDigit
            && bytes.firstOffset(
                of: ASCII.colon, from: portSearchStart(bytes), to: target.range.upperBound) != nil
    }

    /// The colons inside brackets are not the port's.
    private func portSearchStart(_ bytes: RawSpan) -> Int {
        bytes.firstOffset(of: ASCII.closeBracket, from: target.range.lowerBound, to: target.range.upperBound)
            ?? target.range.lowerBound
    }
}
