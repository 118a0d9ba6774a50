import Gate
import NIOCore
import Wire

/// The upstream's side of an exchange: its answer, interim ones first, and what its end means.
extension ExchangeMachine {
    /// Bytes of the answer, in a buffer that is moved here and back, unless it goes to the client as it stands or has to wait. What
    /// is rendered for the client is appended to `out`.
    mutating func answerReceived(
        _ bytes: inout ByteBuffer, fields: borrowing AnswerFields, into out: inout ByteBuffer
    ) -> AnswerAction {
        if phase == .tunnel { return passToClient(bytes) }
        guard phase == .forwarding else { return .wait }
        let isLent = answer.readableBytes == 0
        defer { giveBackAnswer(&bytes, isLent: isLent) }
        if isLent {
            swap(&answer, &bytes)
        } else {
            answer.writeBytes(bytes.readableBytesSpan)
        }
        while answerPhase == .head {
            switch answerParser.parse(answer, isAnswerToHEAD: parser.head.isHEAD) {
            case .incomplete:
                keepAnswer(&bytes, isLent: isLent)
                return out.readableBytes > 0 ? .send(tail: nil) : .wait
            case .malformed(let reason):
                return .refuse(.upstream(.malformedAnswer(reason.detail)))
            case .complete:
                if let refusal = takeAnswerHead(fields: fields, into: &out) { return .refuse(refusal) }
            }
        }
        if phase == .tunnel { return beginTunnel() }
        return relayAnswerBody(into: &out)
    }

    /// The upstream connection ended. What that makes whole is appended to `out`.
    mutating func upstreamEnded(
        inOrder: Bool = true, mayResend: Bool = true, into out: inout ByteBuffer
    ) -> AnswerAction {
        if phase == .tunnel { return upstreamLeftTunnel() }
        guard phase == .forwarding else { return .wait }
        switch answerPhase {
        case .head:
            guard answer.readableBytes == 0, interims == 0 else { return .refuse(.upstream(.truncatedAnswer)) }
            return mayResend && mayRetry ? .retry : .refuse(.upstream(mayResend ? .closedEarly : .truncatedAnswer))
        case .body:
            // Only a body that lasts until the close is whole now (RFC 9112 §6.3 rule 8); a reset is no such close (§8).
            guard inOrder, case .end = answerBody.finishAtEOF(into: &out) else { return .abort }
            answerPhase = .done
            return .finish(tail: nil)
        case .done:
            return .wait
        }
    }

    /// Sent again only when that cannot do anything twice: an idempotent method, no body, no byte of an answer
    /// (RFC 9110 §9.2.2). Once: what failed when it was sent again is not sent a third time.
    private var mayRetry: Bool {
        guard attempts < 2, isRequestDone, case .none = parser.head.framing else { return false }
        switch parser.head.method {
        case .get, .head, .put, .delete, .options: return true
        case .post, .patch, .trace, .connect, .other: return false
        }
    }

    mutating func retrying() {
        isUpstreamReady = false
        answer = ByteBuffer()
        answerParser.reset()
    }

    private mutating func takeAnswerHead(fields: borrowing AnswerFields, into out: inout ByteBuffer) -> Refusal? {
        guard answerParser.head.status != 101 else {
            return switchProtocols(fields: fields, into: &out)
        }
        if answerParser.head.isInterim {
            interims += 1
            guard interims <= Self.maximumInterims else {
                return .upstream(.malformedAnswer("There are too many interim answers."))
            }
            if parser.head.minorVersion >= 1 {
                answerParser.head.appendStatusLine(of: answer, to: &out)
                answerParser.head.appendFields(of: answer, dropping: .inAnswer, to: &out)
                out.writeStaticString("\r\n")
            }
            answer.moveReaderIndex(forwardBy: min(answerParser.head.length, answer.readableBytes))
            answerParser.reset()
            return nil
        }
        status = answerParser.head.status
        hasAnswerBegun = true
        let isOldClient = parser.head.minorVersion == 0
        var isChunked = false
        closesAfterAnswer = !parser.head.keepAlive || isDraining || isInputExhausted || !isRequestDone
        switch answerParser.head.framing {
        case .none, .length: break
        case .chunked, .untilClose:
            if isOldClient { closesAfterAnswer = true } else { isChunked = true }
        }
        fields.append(
            answerParser.head, of: answer, isAnswerToHEAD: parser.head.isHEAD, isChunked: isChunked,
            connection: closesAfterAnswer ? .close : isOldClient ? .keepAlive : .none, to: &out)
        switch answerParser.head.framing {
        case .none, .length: break
        case .chunked, .untilClose: isEventStream = answerParser.head.isEventStream(in: answer)
        }
        isAnswerReusable = answerParser.head.keepAlive
        answerBody = BodyRelay(
            answerParser.head.framing, output: isChunked ? .chunked : .raw,
            passesTrailers: parser.head.acceptsTrailers && isChunked)
        answerPhase = answerBody.isFinished ? .done : .body
        answer.moveReaderIndex(forwardBy: min(answerParser.head.length, answer.readableBytes))
        return nil
    }

    private mutating func relayAnswerBody(into out: inout ByteBuffer) -> AnswerAction {
        guard answerPhase == .body else { return .finish(tail: nil) }
        var tail: ByteBuffer?
        var progress = BodyRelay.Progress.more
        if answer.readableBytes > Self.maximumCopied, let slice = answerBody.slice(&answer) {
            tail = slice
            if answerBody.isFinished { progress = .end }
        } else {
            progress = answerBody.relay(&answer, into: &out)
        }
        switch progress {
        case .more:
            guard out.readableBytes > 0 || tail != nil else { return .wait }
            hasSentAnswer = true
            return .send(tail: tail)
        case .end:
            answerPhase = .done
            return .finish(tail: tail)
        case .malformed(let reason):
            // Begun, but not yet sent: a whole answer of our own is still possible, and says more than a cut.
            return hasSentAnswer ? .abort : .refuse(.upstream(.malformedAnswer(reason.detail)))
        }
    }
}
