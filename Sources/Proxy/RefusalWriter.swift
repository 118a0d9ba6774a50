import Authentication
import Gate
import Identity
import NIOCore
import Wire

/// Puts a refusal into bytes: the head, and an RFC 9457 problem document unless the request was a HEAD. A call of gRPC is
/// answered in its own terms, by fields alone ("Trailers-Only").
enum RefusalWriter {
    static func append(
        _ answer: RefusalAnswer, fields: AnswerFields, connection: AnswerFields.Connection,
        accepts: CredentialSet, isAnswerToHEAD: Bool, isGRPC: Bool = false, to out: inout ByteBuffer
    ) {
        out.append(reserving: 1024) { out in
            out.append("HTTP/1.1 ")
            out.append(decimal: answer.status)
            out.append(" ")
            out.append(answer.title)
            out.append("\r\n")
            out.append(fields.lines.date)
            if isGRPC {
                out.append("content-type: application/grpc\r\ngrpc-status: ")
                out.append(decimal: answer.grpcStatus)
                out.append("\r\ngrpc-message: ")
                out.append(answer.detail)
                out.append("\r\ncache-control: no-store\r\n")
            } else {
                out.append("content-type: application/problem+json\r\ncache-control: no-store\r\n")
            }
            append(answer.challenge, accepts, to: &out)
            if let seconds = answer.retryAfter {
                out.append("retry-after: ")
                out.append(decimal: max(1, seconds))
                out.append("\r\n")
            }
            if let allow = answer.allow {
                out.append("allow: ")
                out.append(allow)
                out.append("\r\n")
            }
            fields.append(connection, to: &out)
            fields.appendOwn(to: &out)
            out.append("content-length: ")
            out.append(decimal: isGRPC ? 0 : bodyCount(answer, decision: fields.decision.count))
            out.append("\r\n\r\n")
            if !isAnswerToHEAD, !isGRPC { appendBody(answer, fields: fields, to: &out) }
        }
    }

    /// Bearer where the route takes a token of either kind. Basic is asked for where it is all there is or was tried: asked for
    /// it, a browser shows a form of its own (RFC 9110 §11.6.1, RFC 7617 §2).
    private static func append(
        _ challenge: RefusalAnswer.Challenge, _ accepts: CredentialSet, to out: inout ByteWriter
    ) {
        if case .none = challenge { return }
        out.append("www-authenticate: ")
        if accepts.contains(.jwt) || accepts.contains(.apiToken) || !accepts.contains(.basic) {
            out.append("Bearer realm=\"api\"")
            appendError(challenge, to: &out)
            if case .invalidSecret = challenge { out.append(", ") } else { return out.append("\r\n") }
        }
        out.append("Basic realm=\"api\", charset=\"UTF-8\"\r\n")
    }

    /// What RFC 6750 §3 has to say beyond the realm.
    private static func appendError(_ challenge: RefusalAnswer.Challenge, to out: inout ByteWriter) {
        switch challenge {
        case .none, .bare:
            break
        case .invalidRequest:
            out.append(", error=\"invalid_request\"")
        case .invalidToken(let description), .invalidSecret(let description):
            out.append(", error=\"invalid_token\", error_description=\"")
            out.append(description)
            out.append("\"")
        case .insufficientScope:
            out.append(", error=\"insufficient_scope\"")
        }
    }

    // The texts are constants of ours without quotes or control characters, and a decision id has neither: nothing in
    // here needs escaping.
    private static let pieces: (StaticString, StaticString, StaticString, StaticString, StaticString, StaticString) = (
        "{\"type\":\"", "\",\"title\":\"", "\",\"status\":", ",\"detail\":\"", "\",\"decision\":\"", "\"}\n"
    )

    private static func appendBody(
        _ answer: RefusalAnswer, fields: AnswerFields, to out: inout ByteWriter
    ) {
        out.append(pieces.0)
        out.append(answer.type)
        out.append(pieces.1)
        out.append(answer.title)
        out.append(pieces.2)
        out.append(decimal: answer.status)
        out.append(pieces.3)
        out.append(answer.detail)
        out.append(pieces.4)
        out.append(fields.decision)
        out.append(pieces.5)
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
