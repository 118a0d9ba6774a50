import Gate
import NIOCore
import Wire

/// From the answer that switches protocols to the end of the tunnel.
///
/// Nothing of the client's goes to the upstream as a tunnel's bytes before the 101 was seen: else an upstream that does not
/// switch would read them as requests that nobody has decided about. For the same reason a WebSocket's frames are looked
/// at before they pass: no HTTP request looks like the masked frames that clients send (RFC 6455 §5.1).
///
/// `Sec-WebSocket-Key` and `-Version` are left to the upstream, which answers 400 or 426 with what it speaks (§4.4), and
/// `-Accept` to the client: the tunnel depends on nothing but the 101 and its `Upgrade`.
extension ExchangeMachine {
    /// Whether something is under way that must not outlive what admitted it.
    var isStanding: Bool {
        switch phase {
        case .tunnel: true
        case .forwarding: isEventStream
        case .head, .deciding, .discarding, .lingering, .closed: false
        }
    }

    /// A head of status 101: the tunnel, when it is what was asked for.
    mutating func switchProtocols(fields: borrowing AnswerFields, into out: inout ByteBuffer) -> Refusal? {
        guard let upgrade, answerParser.head.switches(to: upgrade.name, in: answer) else {
            return .upstream(.malformedAnswer("The answer switches protocols without having been asked to."))
        }
        fields.append(
            answerParser.head, of: answer, isAnswerToHEAD: false, isChunked: false, connection: .upgrade(upgrade),
            to: &out)
        answer.moveReaderIndex(forwardBy: min(answerParser.head.length, answer.readableBytes))
        status = answerParser.head.status
        hasAnswerBegun = true
        answerPhase = .done
        phase = .tunnel
        tunnel = Tunnel(upgrade)
        return nil
    }

    /// What the upstream sent behind its head is the first of the tunnel. HTTP is over on this connection: what the
    /// parsers hold is given back, because a tunnel may be open for days.
    mutating func beginTunnel() -> AnswerAction {
        let tail = answer
        answer = ByteBuffer()
        parser = RequestParser(limits: limits)
        answerParser = ResponseParser(limits: limits)
        guard tail.readableBytes > 0 else { return .openTunnel(tail: nil) }
        return tunnel?.pass(tail, from: .upstream) == true
            ? .openTunnel(tail: tail) : .refuse(.upstream(.malformedAnswer("The WebSocket begins with no frame.")))
    }

    /// What the client sent behind its request, before anybody knew that it is a tunnel's.
    mutating func passAhead() -> ClientAction {
        guard inbound.readableBytes > 0 else { return .wait }
        let bytes = inbound
        inbound = ByteBuffer()
        return passUpstream(bytes)
    }

    mutating func passUpstream(_ bytes: ByteBuffer) -> ClientAction {
        guard tunnel?.pass(bytes, from: .client) == true else { return .breakTunnel }
        bytesIn += bytes.readableBytes
        return .sendUpstream(bytes)
    }

    mutating func passToClient(_ bytes: ByteBuffer) -> AnswerAction {
        tunnel?.pass(bytes, from: .upstream) == true ? .send(tail: bytes) : .breakTunnel
    }

    /// The upstream closed its sending side.
    mutating func upstreamFinished() -> AnswerAction {
        guard phase == .tunnel else { return .wait }
        tunnel?.end(.upstream)
        return .finishClient
    }

    /// The upstream's connection is gone. That is no cut when it had said all it had to say.
    mutating func upstreamLeftTunnel() -> AnswerAction {
        guard let tunnel, !tunnel.isOver else { return .wait }
        guard tunnel.isEnding || tunnel.hasUpstreamEnded else { return .abort }
        self.tunnel?.end(.upstream)
        self.tunnel?.end(.client)
        return .finishClient
    }

    /// The gateway ends the tunnel.
    mutating func part(
        _ end: StreamEnd, maskingKey: UInt32
    ) -> (toClient: Tunnel.Farewell, toUpstream: Tunnel.Farewell) {
        let farewells = tunnel?.farewells(end, maskingKey: maskingKey) ?? (.reset, .reset)
        tunnel = nil
        if case .reset = farewells.toClient { phase = .closed } else { phase = .lingering }
        return farewells
    }
}
