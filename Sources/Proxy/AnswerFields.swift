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
    let lines: AnswerLines

    /// Renders the head of an upstream's answer for the client: status line and kept fields as they came, then ours.
    func append(
        _ head: borrowing ResponseHead, of source: borrowing ByteBuffer, isAnswerToHEAD: Bool, isChunked: Bool,
        connection: Connection, to out: inout ByteBuffer
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
            // A change of protocols is no answer of the origin's yet, and needs none.
            if !head.hasDate, head.status != 101 { out.append(lines.date) }
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
        out.append(lines.policy)
        out.append(decimal: limit.limit)
        out.append(lines.remaining)
        out.append(decimal: limit.remaining)
        out.append(";t=")
        out.append(decimal: limit.secondsUntilMore)
        out.append("\r\n")
        guard lines.sendsLegacyFields else { return }
        out.append("x-ratelimit-limit: ")
        out.append(decimal: limit.limit)
        out.append("\r\nx-ratelimit-remaining: ")
        out.append(decimal: limit.remaining)
        out.append("\r\nx-ratelimit-reset: ")
        out.append(decimal: limit.secondsUntilMore)
        out.append("\r\n")
    }
}

/// What stands in every answer of one loop under one configuration.
final class AnswerLines {
    /// `ratelimit-policy: "default";q=`
    let policy: [UInt8]
    /// `;w=60`, the line end and `ratelimit: "default";r=`
    let remaining: [UInt8]
    let sendsLegacyFields: Bool
    /// The `date` field with its line end, of answers that have none (RFC 9110 §6.6.1).
    private(set) var date: [UInt8] = []
    private var second = Int64.min

    init(_ limits: LimitRules, unixNanoseconds: Int64) {
        policy = Array("ratelimit-policy: \"\(limits.name)\";q=".utf8)
        remaining = Array(";w=\(LimitVerdict.windowSeconds)\r\nratelimit: \"\(limits.name)\";r=".utf8)
        sendsLegacyFields = limits.sendsLegacyFields
        renew(unixNanoseconds: unixNanoseconds)
    }

    /// Time has passed.
    func renew(unixNanoseconds: Int64) {
        let second = unixNanoseconds / 1_000_000_000
        guard second != self.second else { return }
        self.second = second
        let text = HTTPDate.text(ofUnixSecond: second)
        date = text.isEmpty ? [] : Array("date: ".utf8) + text + Array("\r\n".utf8)
    }
}

extension FieldSet {
    /// What never passes from an upstream to the client: hop-by-hop fields (RFC 9110 §7.6.1), the framing, which is
    /// rendered anew, and names that are ours.
    static let inAnswer = FieldSet.hopByHop.union(FieldSet(.contentLength, .transferEncoding, .identity, .requestID))

    /// The same where the rate-limit fields are ours.
    static let inLimitedAnswer = FieldSet.inAnswer.union(FieldSet(.rateLimit))
}
