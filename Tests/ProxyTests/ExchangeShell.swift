import Gate
import Identity
import NIOCore
import RateLimit
import Wire

@testable import Proxy

/// Plays the shell: admits every request, and collects what goes where.
extension ExchangeMachine {
    /// Bytes in a buffer of their own, which is given back before the action is carried out.
    mutating func received(_ bytes: ByteBuffer) -> ClientAction {
        var lent = bytes
        let action = received(&lent)
        giveBack(&lent)
        return action
    }

    mutating func answerReceived(
        _ bytes: ByteBuffer, fields: borrowing AnswerFields, into out: inout ByteBuffer
    ) -> AnswerAction {
        var lent = bytes
        return answerReceived(&lent, fields: fields, into: &out)
    }
}

final class ExchangeShell {
    var machine = ExchangeMachine(limits: HeadLimits())
    var toUpstream = ByteBuffer()
    var toClient = ByteBuffer()
    var heads = 0
    var refusals: [Refusal] = []
    var retries = 0
    var isClosed = false
    var isAborted = false
    var isLingering = false
    var isFinished = false
    let fields = AnswerFields(
        decision: DecisionID(high: 1, low: 2), limit: nil,
        lines: AnswerLines(LimitRules(quota: .standard, failures: .standard), unixNanoseconds: 0))

    func client(_ text: String, admits: Bool = true) {
        perform(machine.received(ByteBuffer(string: text)), admits: admits)
    }

    func perform(_ action: ExchangeMachine.ClientAction, admits: Bool = true) {
        switch action {
        case .wait: break
        case .decide:
            heads += 1
            guard admits else { return refuse(.forbidden) }
            if let refusal = machine.admit(maximumBodyBytes: 1000) { return refuse(refusal) }
            machine.upstreamReady()
            toUpstream.writeString("<head>")
            perform(machine.advance())
        case .refuse(let refusal): refuse(refusal)
        case .sendUpstream(var bytes): toUpstream.writeBuffer(&bytes)
        case .abort, .breakTunnel: isAborted = true
        case .finish: isFinished = true
        case .close: isClosed = true
        case .finishUpstream: break
        }
    }

    func refuse(_ refusal: Refusal) {
        refusals.append(refusal)
        let kept = machine.refuse(mustClose: refusal.answer.mustClose)
        perform(machine.refusalSent(kept: kept))
    }

    func perform(_ action: ExchangeMachine.NextAction) {
        switch action {
        case .advance: perform(machine.advance())
        case .linger: isLingering = true
        }
    }

    func origin(_ text: String) {
        var out = ByteBuffer()
        perform(machine.answerReceived(ByteBuffer(string: text), fields: fields, into: &out), &out)
    }

    func originCloses() {
        var out = ByteBuffer()
        perform(machine.upstreamEnded(into: &out), &out)
    }

    private func perform(_ action: ExchangeMachine.AnswerAction, _ out: inout ByteBuffer) {
        switch action {
        case .wait: break
        case .send(let tail):
            toClient.writeBuffer(&out)
            if let tail { toClient.writeBytes(tail.readableBytesSpan) }
        case .finish(let tail):
            toClient.writeBuffer(&out)
            if let tail { toClient.writeBytes(tail.readableBytesSpan) }
            perform(machine.exchangeFinished())
        case .retry:
            retries += 1
            machine.retrying()
            machine.upstreamReady()
        case .refuse(let refusal): refuse(refusal)
        case .abort, .breakTunnel: isAborted = true
        case .openTunnel, .finishClient: break
        }
    }

    func endsInHead() -> Bool { machine.endedInHead() }

    var sentToUpstream: String { String(buffer: toUpstream) }
    var sentToClient: String { String(buffer: toClient) }
}
