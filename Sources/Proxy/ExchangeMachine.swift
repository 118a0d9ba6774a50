import Gate
import NIOCore
import Wire

/// One client connection as RFC 9112 §9 has it: requests one after another, each decided, forwarded and answered.
///
/// Sans-IO. Bytes and events go in, one action comes out; the shell carries it out and decides nothing. Nothing is
/// answered out of order, nothing is read past the body of a request before its answer is whole, and after anything
/// ambiguous the connection ends.
struct ExchangeMachine: ~Copyable {
    /// What the connection waits for; the shell holds one deadline for it.
    enum Waiting: Sendable {
        case request, restOfHead, clientToRead, verdict, upstream, requestBody, answer, peerToClose, nothing
        /// The next bytes of a tunnel, in either direction, or of a stream of events.
        case tunnel, events
        /// The last bytes of a tunnel that is ending.
        case endOfTunnel
    }

    enum ClientAction {
        case wait
        /// The head is whole: ask the gate, then call `admit` or `refuse`.
        case decide
        case refuse(Refusal)
        /// More of the request's body, framed for the upstream.
        case sendUpstream(ByteBuffer)
        /// The exchange cannot be completed and its answer has begun: reset both sides.
        case abort
        /// The client will send nothing more and is owed nothing more: close when everything written is sent.
        case finish
        case close
        /// The client will send nothing more through the tunnel: end the direction towards the upstream.
        case finishUpstream
        /// What came through the tunnel is not the protocol that was switched to.
        case breakTunnel
    }

    enum AnswerAction {
        case wait
        /// Send what was rendered, then the tail.
        case send(tail: ByteBuffer?)
        /// The same, and the answer is whole with it.
        case finish(tail: ByteBuffer?)
        /// Nothing of an answer was seen and the request can safely be sent again.
        case retry
        case refuse(Refusal)
        case abort
        /// The upstream switches protocols: send what was rendered and the tail, and write both directions down as a
        /// tunnel from now on.
        case openTunnel(tail: ByteBuffer?)
        /// The upstream will send nothing more through the tunnel: end the direction towards the client.
        case finishClient
        case breakTunnel
    }

    enum NextAction {
        /// Look at what else the client has sent.
        case advance
        /// Close the sending side, swallow what still comes, then close (RFC 9112 §9.6).
        case linger
    }

    enum Phase {
        case head, deciding, forwarding, discarding, tunnel, lingering, closed
    }

    enum AnswerPhase {
        case head, body, done
    }

    /// Bytes the client may send ahead of its turn before reading pauses.
    static let maximumAhead = 65536
    let maximumAhead: Int
    /// Body bytes swallowed after a refusal to keep the connection; a longer body ends it.
    static let maximumDiscarded: Int64 = 65536
    /// Bodies up to this size are copied behind the head of their answer: one buffer, one system call.
    static let maximumCopied = 16384
    static let maximumInterims = 16
    /// Bytes that an exchange at rest keeps for what has to wait: nearly all heads.
    static let maximumSpare = 4096
    static let maximumLingered = 4 << 20

    let limits: HeadLimits
    var phase = Phase.head
    var inbound = ByteBuffer()
    /// Whose buffer that is.
    var inboundOwner = BufferOwner.exchange
    /// The buffer that `received` was lent, when what was in it had to move out of it.
    var lent: ByteBuffer?
    /// What the last such copy was in, for the next one. An exchange rests with it, and there are no more of these than are needed.
    var spare = ByteBuffer()
    var parser: RequestParser
    var requestBody = BodyRelay(RequestFraming.none, output: .raw)
    var isRequestDone = true
    /// Whether a connection was found. Behind the rendered head goes what has arrived of the body.
    var isUpstreamReady = false
    var discarding = ByteBuffer()

    var answerPhase = AnswerPhase.done
    var answer = ByteBuffer()
    var answerParser: ResponseParser
    var answerBody = BodyRelay(ResponseFraming.none, output: .raw)
    var isAnswerReusable = false
    var interims = 0
    var attempts = 0
    var hasAnswerBegun = false
    var hasSentAnswer = false
    var status = 0
    /// The protocol that was asked for and may be switched to.
    var upgrade: UpgradeProtocol?
    /// There once protocols were switched.
    var tunnel: Tunnel?
    /// Whether the answer is one that may be silent for long and ends with its caller's credential.
    var isEventStream = false

    var hasInputEnded = false
    var isDraining = false
    /// The client does not take its answers: no other request of its is begun, lest they pile up here.
    var isHeldBack = false
    var closesAfterAnswer = false
    private var lingered = 0
    /// Bytes of the present request, head and body, taken from the client.
    var bytesIn = 0
    /// Bytes of a head that is refused because somebody else (HTTP/2) could not read it.
    var unreadableBytes = 0

    init(limits: HeadLimits, maximumAhead: Int = ExchangeMachine.maximumAhead) {
        self.limits = limits
        self.maximumAhead = maximumAhead
        self.parser = RequestParser(limits: limits)
        self.answerParser = ResponseParser(limits: limits)
    }

    /// The head that `decide` was returned for. Its ranges count from the reader index of `inbound`.
    var head: RequestHead {
        _read { yield parser.head }
    }

    /// The head and the buffer it is in, lent: whoever takes them as properties takes copies, which are counted references.
    @inline(__always)
    func withHead<Result: ~Copyable>(_ body: (borrowing RequestHead, borrowing ByteBuffer) -> Result) -> Result {
        body(parser.head, inbound)
    }

    /// Inlined, as all of these: to be lent to a function, a value of a class's that cannot be copied is moved to the stack as a
    /// whole.
    @inline(__always)
    var waiting: Waiting {
        switch phase {
        case .head: isHeldBack ? .clientToRead : inbound.readableBytes == 0 ? .request : .restOfHead
        case .deciding: .verdict
        case .forwarding: !isRequestDone ? .requestBody : isEventStream ? .events : .answer
        case .discarding: .requestBody
        case .tunnel: tunnel?.isEnding ?? true ? .endOfTunnel : .tunnel
        case .lingering: .peerToClose
        case .closed: .nothing
        }
    }

    /// Whether the shell should go on reading from the client.
    @inline(__always)
    var wantsClientBytes: Bool {
        switch phase {
        case .head: !isHeldBack
        case .discarding, .lingering: true
        case .deciding, .forwarding: inbound.readableBytes < maximumAhead && !hasInputEnded
        case .tunnel: !hasInputEnded
        case .closed: false
        }
    }

    /// Whether what the client sends goes on to the upstream.
    @inline(__always)
    var passesClientBytes: Bool {
        switch phase {
        case .forwarding: !isRequestDone
        case .tunnel: true
        case .head, .deciding, .discarding, .lingering, .closed: false
        }
    }

    /// Whether a request is under way that an audit record is owed for.
    var isExchanging: Bool {
        switch phase {
        case .deciding, .forwarding, .tunnel: true
        case .head, .discarding, .lingering, .closed: false
        }
    }

    /// Whether nothing more will come than what is here already.
    var isInputExhausted: Bool { hasInputEnded && inbound.readableBytes == 0 }

    /// Whether the request is with an upstream, or waits for one.
    var isForwarding: Bool { phase == .forwarding }

    /// Whether the connection is between two requests.
    @inline(__always)
    var isIdle: Bool {
        if case .head = phase { inbound.readableBytes == 0 } else { false }
    }

    // MARK: The client's side

    /// Bytes of the client's, in a buffer that is given back by `giveBack` once the action is carried out: it is moved, not
    /// shared, because each share would be counted, and kept only where copying what has to wait would cost more.
    mutating func received(_ bytes: inout ByteBuffer) -> ClientAction {
        switch phase {
        case .lingering:
            lingered += bytes.readableBytes
            return lingered > Self.maximumLingered ? .close : .wait
        case .closed:
            return .wait
        case .tunnel:
            return passUpstream(bytes)
        case .head, .deciding, .forwarding, .discarding:
            if inbound.readableBytes == 0 {
                releaseIfEmpty()
                swap(&inbound, &bytes)
                inboundOwner = .lender
            } else {
                inbound.writeBytes(bytes.readableBytesSpan)
            }
            let action = advance()
            if case .wait = action { keepInbound() }
            return action
        }
    }

    /// Goes on with what was received before.
    mutating func advance() -> ClientAction {
        switch phase {
        case .head: isHeldBack ? .wait : parseHead()
        case .deciding, .closed, .lingering: .wait
        case .forwarding: isRequestDone || !isUpstreamReady ? .wait : relayRequestBody()
        case .discarding: discard()
        case .tunnel: passAhead()
        }
    }

    /// The client closed its sending side. What it asked for is still answered.
    mutating func receivedEOF() -> ClientAction {
        hasInputEnded = true
        switch phase {
        case .head:
            return isHeldBack && inbound.readableBytes > 0 ? .wait : finish()
        case .discarding:
            parser.reset()
            return finish()
        case .lingering:
            return finish()
        case .closed, .deciding:
            return .wait
        case .tunnel:
            tunnel?.end(.client)
            return .finishUpstream
        case .forwarding:
            guard !isRequestDone else { return .wait }
            discarding.clear()
            guard case .malformed(let reason) = requestBody.finishAtEOF(into: &discarding) else { return .wait }
            return hasAnswerBegun ? .abort : .refuse(.malformedBody(reason))
        }
    }

    /// No new request is taken after the present one.
    mutating func drain() {
        isDraining = true
    }

    /// The connection ended: whether it did within a head, for which a record is owed.
    mutating func endedInHead() -> Bool {
        switch phase {
        case .head, .lingering:
            guard !parser.isIdle else { return false }
            // That of an earlier answer, which may be somebody else's.
            status = 0
            bytesIn = inbound.readableBytes
            return true
        case .deciding, .forwarding, .discarding, .tunnel, .closed:
            return false
        }
    }

    mutating func closed() {
        phase = .closed
        tunnel = nil
        dropInbound()
        answer = ByteBuffer()
    }

    /// No other request is looked at.
    mutating func finish() -> ClientAction {
        phase = .lingering
        return .finish
    }

    mutating func parseHead() -> ClientAction {
        guard inbound.readableBytes > 0 else { return hasInputEnded ? finish() : .wait }
        switch parser.parse(inbound) {
        case .incomplete:
            return hasInputEnded ? finish() : .wait
        case .malformed(let reason):
            return .refuse(.malformed(reason))
        case .complete:
            phase = .deciding
            status = 0
            bytesIn = 0
            return .decide
        }
    }

    // MARK: The verdict

    /// The gate admitted the request: its head leaves the buffer, its body follows as the upstream can take it.
    /// `upgrade` is the protocol that the request may switch to.
    mutating func admit(maximumBodyBytes: Int64?, upgrade: UpgradeProtocol? = nil) -> Refusal? {
        let framing = parser.head.framing
        if case .length(let length) = framing, let maximumBodyBytes, length > maximumBodyBytes {
            return .malformedBody(.bodyTooLarge)
        }
        consumeHead()
        phase = .forwarding
        self.upgrade = upgrade
        let output: BodyRelay.Output = if case .chunked = framing { .chunked } else { .raw }
        requestBody = BodyRelay(framing, output: output, maximumBytes: maximumBodyBytes)
        isRequestDone = requestBody.isFinished
        answerPhase = .head
        answerParser.reset()
        interims = 0
        attempts = 0
        isUpstreamReady = false
        return nil
    }

    /// Whether the request that is decided about or forwarded has a body of which something is still to come.
    var awaitsRequestBody: Bool {
        switch phase {
        case .deciding: parser.head.framing != .none && parser.head.framing != .length(0)
        case .forwarding: !isRequestDone
        case .head, .discarding, .tunnel, .lingering, .closed: false
        }
    }

    /// The gateway answers by itself. Returns whether the connection can be kept: only if what follows is surely the
    /// next request (RFC 9112 §9.3).
    mutating func refuse(mustClose: Bool) -> Bool {
        var keeps = !mustClose && !isDraining
        if hasInputEnded {
            // Kept for what was sent ahead.
            keeps = keeps && inbound.readableBytes > (phase == .deciding ? parser.head.length : 0)
        }
        switch phase {
        case .deciding:
            keeps = keeps && parser.head.keepAlive
            keeps = keeps && startDiscarding(parser.head.framing, expectsContinue: parser.head.expectsContinue)
            consumeHead()
        case .forwarding:
            keeps = keeps && parser.head.keepAlive && isRequestDone
        case .head:
            bytesIn = inbound.readableBytes + unreadableBytes
            unreadableBytes = 0
            keeps = false
        case .discarding, .tunnel, .lingering, .closed:
            keeps = false
        }
        if !keeps { phase = .lingering } else if phase == .forwarding { phase = .head }
        finishExchange()
        return keeps
    }

    mutating func consumeHead() {
        bytesIn = parser.head.length
        inbound.moveReaderIndex(forwardBy: min(parser.head.length, inbound.readableBytes))
        releaseIfEmpty()
    }
}
