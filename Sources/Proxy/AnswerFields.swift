import Gate
import Identity
import NIOCore
import RateLimit
import Wire

/// What the gateway adds to every answer, an upstream's or its own.
struct AnswerFields {
    enum Connection {
        case none, close, keepAlive
    }

    var decision: DecisionID
    var limit: LimitVerdict?
    var limitName: String.UTF8View
    var sendsLegacyFields: Bool

    /// Renders the head of an upstream's answer for the client: status line and kept fields as they came, then ours.
    func append(
        _ head: ResponseHead, of source: ByteBuffer, isAnswerToHEAD: Bool, isChunked: Bool, connection: Connection,
        to out: inout ByteBuffer
    ) {
        head.appendStatusLine(of: source, to: &out)
        var dropped = FieldSet.inAnswer
        if limit != nil { dropped.insert(FieldSet(.rateLimit)) }
        // A length without a body is information about the body (RFC 9110 §8.6), and must be left alone.
        let describesBody = isAnswerToHEAD || head.status == 304
        if describesBody { dropped.remove(FieldSet(.contentLength)) }
        head.appendFields(of: source, dropping: dropped, to: &out)
        switch head.framing {
        case .none:
            break
        case .length(let length):
            out.writeStaticString("content-length: ")
            out.writeDecimal(length)
            out.writeStaticString("\r\n")
        case .chunked, .untilClose:
            if isChunked { out.writeStaticString("transfer-encoding: chunked\r\n") }
        }
        append(connection, to: &out)
        appendOwn(to: &out)
        out.writeStaticString("\r\n")
    }

    func append(_ connection: Connection, to out: inout ByteBuffer) {
        switch connection {
        case .none: break
        case .close: out.writeStaticString("connection: close\r\n")
        case .keepAlive: out.writeStaticString("connection: keep-alive\r\n")
        }
    }

    /// `x-request-id` and the rate-limit fields (draft-ietf-httpapi-ratelimit-headers).
    func appendOwn(to out: inout ByteBuffer) {
        out.writeStaticString("x-request-id: ")
        out.write(decision)
        out.writeStaticString("\r\n")
        guard let limit else { return }
        out.writeStaticString("ratelimit-policy: \"")
        out.writeBytes(limitName)
        out.writeStaticString("\";q=")
        out.writeDecimal(Int64(limit.limit))
        out.writeStaticString(";w=60\r\nratelimit: \"")
        out.writeBytes(limitName)
        out.writeStaticString("\";r=")
        out.writeDecimal(Int64(limit.remaining))
        out.writeStaticString(";t=")
        out.writeDecimal(Int64(limit.secondsUntilMore))
        out.writeStaticString("\r\n")
        guard sendsLegacyFields else { return }
        out.writeStaticString("x-ratelimit-limit: ")
        out.writeDecimal(Int64(limit.limit))
        out.writeStaticString("\r\nx-ratelimit-remaining: ")
        out.writeDecimal(Int64(limit.remaining))
        out.writeStaticString("\r\nx-ratelimit-reset: ")
        out.writeDecimal(Int64(limit.secondsUntilMore))
        out.writeStaticString("\r\n")
    }
}

extension FieldSet {
    /// What never passes from an upstream to the client: hop-by-hop fields (RFC 9110 §7.6.1), the framing, which is
    /// rendered anew, and names that are ours.
    static let inAnswer = FieldSet.hopByHop.union(FieldSet(.contentLength, .transferEncoding, .identity, .requestID))
}
