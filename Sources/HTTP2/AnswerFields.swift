import NIOCore
import Wire

/// What the fields of one answer say (RFC 9113 §8.3.2), and the same answer as HTTP/1.1.
struct AnswerFields: Sendable {
    private(set) var status = 0
    private(set) var contentLength: Int64?
    private let isAnswerToHEAD: Bool

    init(_ list: HeaderList, stream: UInt32, isAnswerToHEAD: Bool, endsStream: Bool) throws(HTTP2Error) {
        self.isAnswerToHEAD = isAnswerToHEAD
        let octets = list.octets.span
        var isAfterFields = false
        for field in list.fields {
            let name = octets.extracting(field.name.range)
            let value = octets.extracting(field.value.range)
            if name.count > 0, name[0] == 0x3A {
                guard name.equals(":status"), status == 0, !isAfterFields, value.count == 3,
                    let number = FieldRules.length(value), (100...599).contains(number)
                else { throw .stream(stream, .protocolError, "The pseudo-header fields are not those of an answer.") }
                status = Int(number)
            } else {
                isAfterFields = true
                try FieldRules.check(name: name, value: value, stream: stream)
                guard name.equals("content-length") else { continue }
                guard contentLength == nil, let length = FieldRules.length(value) else {
                    throw .stream(stream, .protocolError, "Content-Length is no number, or sent twice.")
                }
                contentLength = length
            }
        }
        // 101 has no meaning in HTTP/2 (§8.6), and an interim answer ends nothing.
        guard status != 0, status != 101, !isInterim || !endsStream else {
            throw .stream(stream, .protocolError, "The answer has no status, or one that cannot be.")
        }
        if endsStream, hasContent, let contentLength, contentLength != 0 {
            throw .stream(stream, .protocolError, "A length is announced, and no content follows.")
        }
    }

    var isInterim: Bool { status < 200 }

    /// Whether an answer like this has content at all (RFC 9110 §6.4.1).
    private var hasContent: Bool { !(isAnswerToHEAD || isInterim || status == 204 || status == 304) }

    /// What DATA frames have to add up to; nil when anything will do.
    var remaining: Int64? { hasContent ? contentLength : 0 }

    func isChunked(endsStream: Bool) -> Bool { hasContent && contentLength == nil && !endsStream }

    func write(_ list: HeaderList, endsStream: Bool, to out: inout ByteBuffer) {
        out.append(reserving: list.octets.count + list.fields.count * 4 + 96) { out in
            let octets = list.octets.span
            out.append("HTTP/1.1 ")
            out.append(decimal: status)
            out.append(" \r\n")
            for field in list.fields {
                let name = octets.extracting(field.name.range)
                if name[0] == 0x3A { continue }
                out.append(name)
                out.append(": ")
                out.append(octets.extracting(field.value.range))
                out.append("\r\n")
            }
            if hasContent, contentLength == nil {
                out.append(endsStream ? "content-length: 0\r\n" : "transfer-encoding: chunked\r\n")
            }
            out.append("\r\n")
        }
    }
}
