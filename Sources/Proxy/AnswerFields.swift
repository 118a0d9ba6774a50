import Gate
import Identity
import NIOCore
import RateLimit
import Wire

/// What the gateway adds to every answer, an upstream's or its own.
struct AnswerFields {
    enum Connection {
        case none, close, keepAlive
        case upgrade(UpgradeProtocol)
    }

    var decision: DecisionID
    var limit: LimitVerdict?
    let rules: LimitLines

    /// Renders the head of an upstream's answer for the client: status line and kept fields as they came, then ours.
    func append(
        _ head: ResponseHead, of source: ByteBuffer, isAnswerToHEAD: Bool, isChunked: Bool, connection: Connection,
        to out: inout ByteBuffer
    ) {
        var dropped = limit == nil ? FieldSet.inAnswer : FieldSet.inLimitedAnswer
        // A length without a body is information about the body (RFC 9110 §8.6), and must be left alone.
        if isAnswerToHEAD || head.status == 304 { dropped.remove(FieldSet(.contentLength)) }
        let raw = source.readableBytesSpan
        out.append(reserving: head.length + 512) { out in
            head.appendStatusLine(of: raw, to: &out)
            head.appendFields(of: raw, dropping: dropped, to: &out)
            switch head.framing {
            case .none:
                break
            case .length(let length):
                out.append("content-length: ")
                out.append(decimal: Int(length))
                out.append("\r\n")
            case .chunked, .untilClose:
                if isChunked { out.append("transfer-encoding: chunked\r\n") }
            }
            append(connection, to: &out)
            appendOwn(to: &out)
            out.append("\r\n")
        }
    }

    func append(_ connection: Connection, to out: inout ByteWriter) {
        switch connection {
        case .none: break
        case .close: out.append("connection: close\r\n")
        case .keepAlive: out.append("connection: keep-alive\r\n")
        case .upgrade(let switched):
            out.append("connection: upgrade\r\nupgrade: ")
            out.append(switched.name)
            out.append("\r\n")
        }
    }

    /// `x-request-id` and the rate-limit fields (draft-ietf-httpapi-ratelimit-headers).
    func appendOwn(to out: inout ByteWriter) {
        out.append("x-request-id: ")
        out.append(decision)
        out.append("\r\n")
        guard let limit else { return }
        out.append(rules.policy)
        out.append(decimal: limit.limit)
        out.append(rules.remaining)
        out.append(decimal: limit.remaining)
        out.append(";t=")
        out.append(decimal: limit.secondsUntilMore)
        out.append("\r\n")
        guard rules.sendsLegacyFields else { return }
        out.append("x-ratelimit-limit: ")
        out.append(decimal: limit.limit)
        out.append("\r\nx-ratelimit-remaining: ")
        out.append(decimal: limit.remaining)
        out.append("\r\nx-ratelimit-reset: ")
        out.append(decimal: limit.secondsUntilMore)
        out.append("\r\n")
    }
}

/// The parts of the rate-limit fields that are the same for every answer under one configuration.
final class LimitLines {
    /// `ratelimit-policy: "default";q=`
    let policy: [UInt8]
    /// `;w=60`, the line end and `ratelimit: "default";r=`
    let remaining: [UInt8]
    let sendsLegacyFields: Bool

    init(_ limits: LimitRules) {
        policy = Array("ratelimit-policy: \"\(limits.name)\";q=".utf8)
        remaining = Array(";w=\(LimitVerdict.windowSeconds)\r\nratelimit: \"\(limits.name)\";r=".utf8)
        sendsLegacyFields = limits.sendsLegacyFields
    }
}

extension FieldSet {
    /// What never passes from an upstream to the client: hop-by-hop fields (RFC 9110 §7.6.1), the framing, which is
    /// rendered anew, and names that are ours.
    static let inAnswer = FieldSet.hopByHop.union(FieldSet(.contentLength, .transferEncoding, .identity, .requestID))

    /// The same where the rate-limit fields are ours.
    static let inLimitedAnswer = FieldSet.inAnswer.union(FieldSet(.rateLimit))
}
