import NIOCore
import Wire

/// The end of an exchange, and what comes after it on its connection.
extension ExchangeMachine {
    /// Whether the upstream connection may serve another request: the answer ended cleanly, nothing came behind it,
    /// and the request was taken whole.
    var isUpstreamReusable: Bool {
        answerPhase == .done && answer.readableBytes == 0 && isRequestDone && hasAnswerBegun
            && isAnswerReusable
    }

    /// The answer was handed to the client's channel: what now.
    mutating func exchangeFinished() -> NextAction {
        let isRequestDone = self.isRequestDone
        finishExchange()
        guard !closesAfterAnswer, isRequestDone, !isInputExhausted else {
            phase = .lingering
            return .linger
        }
        phase = .head
        return .advance
    }

    /// A refusal was handed to the client's channel: what now.
    mutating func refusalSent(kept: Bool) -> NextAction {
        kept ? .advance : .linger
    }

    mutating func finishExchange() {
        if phase != .discarding { parser.reset() }
        if answer.storageCapacity > 0 { answer = ByteBuffer() }
        answerPhase = .done
        hasAnswerBegun = false
        hasSentAnswer = false
        isUpstreamReady = false
        isRequestDone = true
        upgrade = nil
        tunnel = nil
        isEventStream = false
    }
}
