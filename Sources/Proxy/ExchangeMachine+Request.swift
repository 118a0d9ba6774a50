import Gate
import NIOCore
import Wire

/// The request's body: towards the upstream as it can take it, or swallowed behind a refusal.
extension ExchangeMachine {
    /// The upstream connection is there; `advance` relays the body from now on.
    mutating func upstreamReady() {
        isUpstreamReady = true
        attempts += 1
    }

    mutating func relayRequestBody() -> ClientAction {
        let before = inbound.readableBytes
        guard before > 0 else { return .wait }
        var out = ByteBuffer()
        let progress: BodyRelay.Progress
        if let slice = requestBody.slice(&inbound) {
            out = slice
            progress = requestBody.isFinished ? .end : .more
        } else {
            progress = requestBody.relay(&inbound, into: &out)
        }
        bytesIn += before - inbound.readableBytes
        releaseIfEmpty()
        switch progress {
        case .more:
            break
        case .end:
            isRequestDone = true
        case .malformed(let reason):
            return hasAnswerBegun ? .abort : .refuse(.malformedBody(reason))
        }
        return out.readableBytes > 0 ? .sendUpstream(out) : .wait
    }

    // MARK: Behind a refusal

    /// Whether the body of a refused request can be swallowed so that the next request is found behind it.
    mutating func startDiscarding(_ framing: RequestFraming, expectsContinue: Bool) -> Bool {
        switch framing {
        case .none:
            phase = .head
            return true
        case .length(let length):
            guard length <= Self.maximumDiscarded, !expectsContinue else { return false }
        case .chunked:
            guard !expectsContinue else { return false }
        }
        phase = .discarding
        requestBody = BodyRelay(framing, output: .raw, maximumBytes: Self.maximumDiscarded)
        return true
    }

    mutating func discard() -> ClientAction {
        discarding.clear()
        let before = inbound.readableBytes
        let progress = requestBody.relay(&inbound, into: &discarding)
        // Nobody records them, but the client's pace is measured by them.
        bytesIn += before - inbound.readableBytes
        switch progress {
        case .more:
            guard hasInputEnded else { return .wait }
            parser.reset()
            return finish()
        case .malformed:
            return .close
        case .end:
            phase = .head
            parser.reset()
            releaseIfEmpty()
            return parseHead()
        }
    }
}
