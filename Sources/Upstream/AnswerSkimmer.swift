package import NIOCore
import Wire

/// Reads one answer and throws it away; what stays is its status, and whether its connection can be used again.
package struct AnswerSkimmer: ~Copyable, Sendable {
    /// How far the answer is.
    package enum Progress: Sendable, Equatable {
        case more
        case done(status: Int, isReusable: Bool)
        case malformed
    }

    /// The status of the final answer, once its head is there.
    package private(set) var status: Int?
    private var parser = ResponseParser()
    private var unread = ByteBuffer()
    private var thrownAway = ByteBuffer()
    private var body: BodyRelay?

    package init() {}

    /// Takes bytes of the answer to a GET or a request like it. Bytes behind its end make the connection unusable.
    package mutating func received(_ bytes: ByteBuffer, isAnswerToHEAD: Bool = false) -> Progress {
        unread.writeBytes(bytes.readableBytesSpan)
        while body == nil {
            switch parser.parse(unread, isAnswerToHEAD: isAnswerToHEAD) {
            case .incomplete: return .more
            case .malformed: return .malformed
            case .complete: break
            }
            unread.moveReaderIndex(forwardBy: min(parser.head.length, unread.readableBytes))
            if parser.head.isInterim {
                parser.reset()
            } else {
                status = parser.head.status
                body = BodyRelay(parser.head.framing, output: .raw)
            }
        }
        thrownAway.clear()
        if body?.isFinished != true, case .malformed? = body?.relay(&unread, into: &thrownAway) { return .malformed }
        unread.discardReadBytes()
        return body?.isFinished == true ? done(isReusable: parser.head.keepAlive && unread.readableBytes == 0) : .more
    }

    /// The connection ended in order, which ends some answers.
    package mutating func ended() -> Progress {
        thrownAway.clear()
        guard case .end? = body?.finishAtEOF(into: &thrownAway) else { return .malformed }
        return done(isReusable: false)
    }

    private func done(isReusable: Bool) -> Progress {
        .done(status: parser.head.status, isReusable: isReusable)
    }
}
