/// Where a request's body ends (RFC 9112 §6.3).
package enum RequestFraming: Sendable, Equatable {
    /// No body.
    case none
    /// So many bytes, from `Content-Length`; may be 0.
    case length(Int64)
    /// The chunked transfer coding.
    case chunked
}

/// Where a response's body ends (RFC 9112 §6.3).
package enum ResponseFraming: Sendable, Equatable {
    /// No body, whatever the fields say: an answer to HEAD, 1xx, 204 or 304.
    case none
    /// So many bytes, from `Content-Length`; may be 0.
    case length(Int64)
    /// The chunked transfer coding.
    case chunked
    /// Everything until the upstream closes the connection.
    case untilClose
}

/// What a head says about its body, gathered field by field, and the one place that decides where the body ends.
///
/// RFC 9112 §6.3 leaves a recipient room to repair contradictions. Two recipients that repair differently are what
/// request smuggling is made of, so that nothing is repaired here: a length is sent once and is a number, a transfer
/// coding is sent once and is `chunked`, and the two exclude each other.
struct MessageFraming: Sendable {
    /// The value of `Content-Length`.
    private(set) var length: Int64?
    private(set) var isChunked = false

    /// Takes note of a framing field; other fields are ignored.
    @inline(__always)
    mutating func note(_ field: Field, in bytes: RawSpan, minorVersion: UInt8) -> FieldDefect? {
        if field.kind == .contentLength { return noteLength(field.value, in: bytes) }
        if field.kind == .transferEncoding { return noteCoding(field.value, in: bytes, minorVersion: minorVersion) }
        return nil
    }

    /// RFC 9112 §6.3 for a request: without a length or a coding there is no body.
    var ofRequest: RequestFraming {
        if isChunked { return .chunked }
        return if let length { .length(length) } else { .none }
    }

    /// RFC 9112 §6.3 for a response, in the order of its rules.
    func ofResponse(status: Int, isAnswerToHEAD: Bool) -> ResponseFraming {
        if isAnswerToHEAD || status < 200 || status == 204 || status == 304 { return .none }
        if isChunked { return .chunked }
        return if let length { .length(length) } else { .untilClose }
    }

    private mutating func noteLength(_ value: ByteRange, in bytes: RawSpan) -> FieldDefect? {
        if length != nil { return .conflictingLength }
        if isChunked { return .lengthWithTransferEncoding }
        if value.isEmpty { return .badContentLength }
        var number: Int64 = 0
        for offset in value.range {
            let byte = bytes.byte(offset)
            guard byte.isDigit else { return .badContentLength }
            let (product, overflowed) = number.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(Int64(byte &- ASCII.zero))
            if overflowed || carried { return .badContentLength }
            number = sum
        }
        length = number
        return nil
    }

    private mutating func noteCoding(_ value: ByteRange, in bytes: RawSpan, minorVersion: UInt8) -> FieldDefect? {
        if isChunked { return .badTransferEncoding }
        if length != nil { return .lengthWithTransferEncoding }
        if minorVersion == 0 { return .transferEncodingInHTTP10 }
        guard bytes.equalsIgnoringCase(value, "chunked") else { return codingDefect(value, in: bytes) }
        isChunked = true
        return nil
    }

    /// A list of tokens in which `chunked` stands nowhere but at the end can be framed and not decoded here; everything
    /// else cannot be framed by anyone.
    private func codingDefect(_ value: ByteRange, in bytes: RawSpan) -> FieldDefect {
        var list = TokenList(value)
        var hasChunked = false
        var isEmpty = true
        while let element = list.next(in: bytes) {
            guard case .token(let coding) = element, !hasChunked else { return .badTransferEncoding }
            hasChunked = bytes.equalsIgnoringCase(coding, "chunked")
            if isEmpty && hasChunked { return .badTransferEncoding }
            isEmpty = false
        }
        return isEmpty ? .badTransferEncoding : .unknownTransferCoding
    }
}
