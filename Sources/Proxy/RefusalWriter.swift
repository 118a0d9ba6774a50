import Gate
import Identity
import NIOCore
import Wire

/// Puts a refusal into bytes: the head, and an RFC 9457 problem document unless the request was a HEAD.
enum RefusalWriter {
    static func append(
        _ answer: RefusalAnswer, fields: borrowing AnswerFields, connection: AnswerFields.Connection,
        isAnswerToHEAD: Bool, to out: inout ByteBuffer
    ) {
        out.writeStaticString("HTTP/1.1 ")
        out.writeDecimal(Int64(answer.status))
        out.writeStaticString(" ")
        out.writeStaticString(answer.title)
        out.writeStaticString("\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n")
        append(answer.challenge, to: &out)
        if let seconds = answer.retryAfter {
            out.writeStaticString("retry-after: ")
            out.writeDecimal(Int64(max(1, seconds)))
            out.writeStaticString("\r\n")
        }
        if let allow = answer.allow {
            out.writeStaticString("allow: ")
            out.writeBytes(allow)
            out.writeStaticString("\r\n")
        }
        fields.append(connection, to: &out)
        fields.appendOwn(to: &out)
        out.writeStaticString("content-length: ")
        out.writeDecimal(Int64(bodyCount(answer, decision: fields.decision.count)))
        out.writeStaticString("\r\n\r\n")
        if !isAnswerToHEAD { appendBody(answer, fields: fields, to: &out) }
    }

    private static func append(_ challenge: RefusalAnswer.Challenge, to out: inout ByteBuffer) {
        switch challenge {
        case .none:
            return
        case .bare:
            out.writeStaticString("www-authenticate: Bearer realm=\"api\"\r\n")
        case .invalidRequest:
            out.writeStaticString("www-authenticate: Bearer realm=\"api\", error=\"invalid_request\"\r\n")
        case .invalidToken(let description):
            out.writeStaticString(
                "www-authenticate: Bearer realm=\"api\", error=\"invalid_token\", error_description=\"")
            out.writeStaticString(description)
            out.writeStaticString("\"\r\n")
        case .insufficientScope:
            out.writeStaticString("www-authenticate: Bearer realm=\"api\", error=\"insufficient_scope\"\r\n")
        }
    }

    // The texts are constants of ours without quotes or control characters, and a decision id has neither: nothing in
    // here needs escaping.
    private static let pieces: (StaticString, StaticString, StaticString, StaticString, StaticString, StaticString) = (
        "{\"type\":\"", "\",\"title\":\"", "\",\"status\":", ",\"detail\":\"", "\",\"decision\":\"", "\"}\n"
    )

    private static func appendBody(
        _ answer: RefusalAnswer, fields: borrowing AnswerFields, to out: inout ByteBuffer
    ) {
        out.writeStaticString(pieces.0)
        out.writeStaticString(answer.type)
        out.writeStaticString(pieces.1)
        out.writeStaticString(answer.title)
        out.writeStaticString(pieces.2)
        out.writeDecimal(Int64(answer.status))
        out.writeStaticString(pieces.3)
        out.writeStaticString(answer.detail)
        out.writeStaticString(pieces.4)
        out.write(fields.decision)
        out.writeStaticString(pieces.5)
    }

    private static func bodyCount(_ answer: RefusalAnswer, decision: Int) -> Int {
        let frame =
            pieces.0.utf8CodeUnitCount + pieces.1.utf8CodeUnitCount + pieces.2.utf8CodeUnitCount
            + pieces.3.utf8CodeUnitCount + pieces.4.utf8CodeUnitCount + pieces.5.utf8CodeUnitCount
        // Every status has three digits.
        return frame + answer.type.utf8CodeUnitCount + answer.title.utf8CodeUnitCount + 3
            + answer.detail.utf8CodeUnitCount + decision
    }
}
