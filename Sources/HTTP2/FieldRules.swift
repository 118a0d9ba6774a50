import Wire

/// The rules of RFC 9113 §8.2 for one field, whatever it belongs to.
enum FieldRules {
    /// Throws when a field may stand in no HTTP/2 message. The name is not that of a pseudo-header field.
    static func check(name: Span<UInt8>, value: Span<UInt8>, stream: UInt32) throws(HTTP2Error) {
        guard name.count > 0, name.isLowerToken else {
            throw .stream(stream, .protocolError, "A field name is not a token in lower case.")
        }
        guard isValue(value) else {
            throw .stream(stream, .protocolError, "A field value holds a control character or white space around it.")
        }
        guard !isConnectionSpecific(name) else {
            throw .stream(stream, .protocolError, "A field is specific to HTTP/1.1 connections.")
        }
        if name.equals("te"), !value.equals("trailers") {
            throw .stream(stream, .protocolError, "TE says something else than trailers.")
        }
    }

    /// field-value of RFC 9110 §5.5, which RFC 9113 §8.2.1 lets a recipient insist on: no control character but HTAB, and
    /// none of SP and HTAB at either end.
    static func isValue(_ value: Span<UInt8>) -> Bool {
        guard value.count > 0 else { return true }
        return value.isFieldValue && !value[0].isBlank && !value[value.count - 1].isBlank
    }

    /// VCHAR only, and something: what may stand in a request line without ending it.
    static func isVisible(_ value: Span<UInt8>) -> Bool {
        for index in value.indices where value[index] <= 0x20 || value[index] >= 0x7F { return false }
        return value.count > 0
    }

    /// RFC 9113 §8.2.2.
    static func isConnectionSpecific(_ name: Span<UInt8>) -> Bool {
        switch name.count {
        case 7: name.equals("upgrade")
        case 10: name.equals("connection") || name.equals("keep-alive")
        case 16: name.equals("proxy-connection")
        case 17: name.equals("transfer-encoding")
        case _: false
        }
    }

    /// The value of `content-length`; nil when it is not a number that fits.
    static func length(_ value: Span<UInt8>) -> Int64? {
        guard value.count > 0 else { return nil }
        var number: Int64 = 0
        for index in value.indices {
            guard value[index] &- 0x30 < 10 else { return nil }
            let (product, overflowed) = number.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(Int64(value[index] &- 0x30))
            if overflowed || carried { return nil }
            number = sum
        }
        return number
    }

    /// Whether a trailer field is one that must not decide anything about the message any more (RFC 9110 §6.5.1).
    static func mayTrail(_ name: Span<UInt8>) -> Bool {
        !(name.equals("content-length") || name.equals("host") || name.equals("te") || name.equals("trailer"))
    }
}

extension UInt8 {
    var isBlank: Bool { self == 0x20 || self == 0x09 }
}

extension Span<UInt8> {
    /// Whether the run holds exactly a text.
    func equals(_ text: StaticString) -> Bool {
        guard count == text.utf8CodeUnitCount else { return false }
        // Unsafe: read below `utf8CodeUnitCount`, the length of the literal it points at.
        let expected = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        for index in 0..<count where unsafe self[index] != expected[index] { return false }
        return true
    }
}

extension Span<UInt8> {
    /// Whether two runs hold the same octets but for the case of ASCII letters.
    func isSameName(_ left: Range<Int>, _ right: Range<Int>) -> Bool {
        guard left.count == right.count else { return false }
        for index in 0..<left.count {
            let (a, b) = (self[left.lowerBound + index], self[right.lowerBound + index])
            if (a &- 0x41 < 26 ? a | 0x20 : a) != (b &- 0x41 < 26 ? b | 0x20 : b) { return false }
        }
        return true
    }
}
