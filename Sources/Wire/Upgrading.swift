package import NIOCore

/// `Upgrade` (RFC 9110 §7.8): a list of protocols, a name with or without a version each. Names are compared without
/// case, and a version is part of the name here.
extension RequestHead {
    /// Index in `known` of the first protocol that the client asks for and that is known; the client's order counts.
    ///
    /// `source` is the buffer the head was parsed from, its reader index still on the head's first byte. Nil at once when
    /// no upgrade is asked for.
    package func upgrade(among known: [[UInt8]], in source: borrowing ByteBuffer) -> Int? {
        guard let upgrade, upgrade < fields.count else { return nil }
        let bytes = source.readableBytesSpan
        var rest = fields[upgrade].value
        while let element = bytes.popElement(&rest) {
            if let index = known.firstIndex(where: { bytes.equalsIgnoringCase(element, $0) }) { return index }
        }
        return nil
    }

    /// Whether the request is a call of gRPC: its content is `application/grpc`, or a kind of it such as
    /// `application/grpc+proto`. `source` as above; linear in the number of fields.
    package func isGRPC(in source: borrowing ByteBuffer) -> Bool {
        let bytes = source.readableBytesSpan
        for field in fields where field.name.count == 12 && bytes.equalsIgnoringCase(field.name, "content-type") {
            let type = "application/grpc" as StaticString
            let end = field.value.range.lowerBound + type.utf8CodeUnitCount
            guard end <= field.value.range.upperBound,
                bytes.equalsIgnoringCase(ByteRange(field.value.range.lowerBound, end), type)
            else { return false }
            // gRPC-Web is framed otherwise.
            return end == field.value.range.upperBound || bytes.byte(end) != UInt8(ascii: "-")
        }
        return false
    }
}

extension ResponseHead {
    /// Whether the answer switches to exactly this protocol: 101, `Connection` lists `upgrade`, and `Upgrade` names it
    /// and nothing else. `source` as for a request.
    package func switches(to name: [UInt8], in source: borrowing ByteBuffer) -> Bool {
        guard status == 101, let upgrade, upgrade < fields.count else { return false }
        let bytes = source.readableBytesSpan
        var rest = fields[upgrade].value
        guard let element = bytes.popElement(&rest), bytes.equalsIgnoringCase(element, name) else { return false }
        return bytes.popElement(&rest) == nil
    }

    /// Whether the content is a stream of events, `text/event-stream` with or without parameters (HTML, server-sent
    /// events). Linear in the number of fields.
    package func isEventStream(in source: borrowing ByteBuffer) -> Bool {
        let bytes = source.readableBytesSpan
        for field in fields where field.name.count == 12 && bytes.equalsIgnoringCase(field.name, "content-type") {
            let value = field.value.range
            let type = "text/event-stream" as StaticString
            let end = value.lowerBound + type.utf8CodeUnitCount
            guard end <= value.upperBound else { return false }
            guard bytes.equalsIgnoringCase(ByteRange(value.lowerBound, end), type) else { return false }
            guard end < value.upperBound else { return true }
            let next = bytes.byte(end)
            return next == UInt8(ascii: ";") || next == ASCII.space || next == ASCII.tab
        }
        return false
    }
}

extension RawSpan {
    /// Takes the next element that is not empty from a comma-separated list, without the white space around it.
    fileprivate func popElement(_ rest: inout ByteRange) -> ByteRange? {
        var start = rest.range.lowerBound
        let limit = min(rest.range.upperBound, byteCount)
        while start < limit, byte(start) == ASCII.comma || byte(start).isBlank { start += 1 }
        guard start < limit else { return nil }
        var end = start
        while end < limit, byte(end) != ASCII.comma { end += 1 }
        rest = ByteRange(end, limit)
        while byte(end - 1).isBlank { end -= 1 }
        return ByteRange(start, end)
    }

    /// Whether a comma-separated list has an element, compared without case.
    func lists(_ element: StaticString, in list: ByteRange) -> Bool {
        var rest = list
        while let next = popElement(&rest) {
            if equalsIgnoringCase(next, element) { return true }
        }
        return false
    }

    fileprivate func equalsIgnoringCase(_ range: ByteRange, _ name: [UInt8]) -> Bool {
        guard range.count == name.count, range.range.upperBound <= byteCount else { return false }
        for (offset, expected) in zip(range.range, name) where byte(offset).lowercased != expected.lowercased {
            return false
        }
        return true
    }
}

extension UInt8 {
    fileprivate var isBlank: Bool { self == ASCII.space || self == ASCII.tab }
}
