import Gate
import Identity
import NIOCore
import RateLimit
import Testing
import Wire

@testable import Proxy

private let head = "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
private let switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
private let get = "GET /b HTTP/1.1\r\nHost: a\r\n\r\n"
/// A text frame of two bytes, as a client sends it and as a server does.
private let masked: [UInt8] = [0x81, 0x82, 1, 2, 3, 4, 0x60, 0x60]
private let plain: [UInt8] = [0x81, 2, 0x61, 0x62]

/// Plays the shell of one connection: admits every request, and collects what goes where.
private final class Shell {
    var machine = ExchangeMachine(limits: HeadLimits())
    var allowed: UpgradeProtocol? = .webSocket
    var toUpstream: [UInt8] = []
    var toClient = ByteBuffer()
    var heads = 0
    var statuses: [Int] = []
    var isOpen = false
    var isAborted = false
    var isBroken = false
    var isUpstreamFinished = false
    var isClientFinished = false
    let fields = AnswerFields(
        decision: DecisionID(high: 1, low: 2), limit: nil,
        lines: AnswerLines(LimitRules(quota: .standard, failures: .standard), unixNanoseconds: 0))

    func client(_ bytes: [UInt8]) { perform(machine.received(ByteBuffer(bytes: bytes))) }
    func client(_ text: String) { client(Array(text.utf8)) }
    func clientEnds() { perform(machine.receivedEOF()) }

    func origin(_ text: String, _ bytes: [UInt8] = []) {
        var out = ByteBuffer()
        perform(machine.answerReceived(ByteBuffer(bytes: Array(text.utf8) + bytes), fields: fields, into: &out), &out)
    }

    func originEnds() {
        var out = ByteBuffer()
        perform(machine.upstreamFinished(), &out)
    }

    func originIsGone(inOrder: Bool) {
        var out = ByteBuffer()
        perform(machine.upstreamEnded(inOrder: inOrder, into: &out), &out)
    }

    private func perform(_ action: ExchangeMachine.ClientAction) {
        switch action {
        case .wait: break
        case .decide:
            heads += 1
            let asked = machine.head.upgrade == nil ? nil : allowed
            if let refusal = machine.admit(maximumBodyBytes: nil, upgrade: asked) { return refuse(refusal) }
            machine.upstreamReady()
            perform(machine.advance())
        case .refuse(let refusal): refuse(refusal)
        case .sendUpstream(let bytes): toUpstream += bytes.readableBytesView
        case .abort, .close, .finish: isAborted = true
        case .finishUpstream: isUpstreamFinished = true
        case .breakTunnel: isBroken = true
        }
    }

    private func refuse(_ refusal: Refusal) {
        statuses.append(refusal.answer.status)
        if case .advance = machine.refusalSent(kept: machine.refuse(mustClose: refusal.answer.mustClose)) {
            perform(machine.advance())
        }
    }

    private func perform(_ action: ExchangeMachine.AnswerAction, _ out: inout ByteBuffer) {
        switch action {
        case .wait: break
        case .send(let tail): write(&out, tail)
        case .openTunnel(let tail):
            isOpen = true
            write(&out, tail)
            perform(machine.advance())
            if machine.hasInputEnded { perform(machine.receivedEOF()) }
        case .finish(let tail):
            write(&out, tail)
            if case .advance = machine.exchangeFinished() { perform(machine.advance()) }
        case .retry: isAborted = true
        case .refuse(let refusal): refuse(refusal)
        case .abort: isAborted = true
        case .finishClient: isClientFinished = true
        case .breakTunnel: isBroken = true
        }
    }

    private func write(_ out: inout ByteBuffer, _ tail: ByteBuffer?) {
        toClient.writeBuffer(&out)
        if let tail { toClient.writeBytes(tail.readableBytesSpan) }
    }

    var sentToClient: String { String(buffer: toClient) }
}

private func opened(_ allowed: UpgradeProtocol = .webSocket) -> Shell {
    let shell = Shell()
    shell.allowed = allowed
    shell.client(head.replacing("websocket", with: String(decoding: allowed.name, as: UTF8.self)))
    shell.origin(switched.replacing("websocket", with: String(decoding: allowed.name, as: UTF8.self)))
    #expect(shell.isOpen)
    shell.toClient = ByteBuffer()
    return shell
}

@Suite struct TunnelTests {
    @Test func theSwitchIsPassedOnWithItsFields() {
        let shell = Shell()
        shell.client(head)
        shell.origin("HTTP/1.1 103 Early Hints\r\n\r\n" + switched, plain)
        #expect(shell.isOpen)
        #expect(
            shell.sentToClient.hasPrefix(
                "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: "
                    + "websocket\r\nx-request-id: "))
        #expect(Array(shell.toClient.readableBytesView.suffix(plain.count)) == plain)
        #expect(shell.machine.status == 101)
    }

    @Test func theSwitchMayComeByteByByte() {
        let shell = Shell()
        shell.client(head)
        for byte in Array(switched.utf8) + plain { shell.origin("", [byte]) }
        #expect(shell.isOpen)
        #expect(Array(shell.toClient.readableBytesView.suffix(plain.count)) == plain)
    }

    @Test func nothingPassesBeforeTheSwitch() {
        let shell = Shell()
        shell.client(Array(head.utf8) + masked)
        shell.client(masked)
        #expect(shell.toUpstream.isEmpty)
        shell.origin(switched)
        #expect(shell.toUpstream == masked + masked)
        #expect(shell.machine.bytesIn == head.utf8.count + 2 * masked.count)
    }

    @Test func withoutASwitchWhatFollowsIsTheNextRequest() {
        let shell = Shell()
        shell.client(head + get)
        #expect(shell.heads == 1)
        shell.origin(ok)
        #expect(!shell.isOpen && shell.heads == 2 && shell.toUpstream.isEmpty)
        #expect(!shell.sentToClient.contains("upgrade"))
    }

    @Test(
        arguments: [
            "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n",
            "HTTP/1.1 101 S\r\nUpgrade: websocket\r\n\r\n", "HTTP/1.1 101 S\r\nConnection: upgrade\r\n\r\n",
            "HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: websocket, other\r\n\r\n",
        ])
    func aSwitchToAnythingElseIsA502(_ answer: String) {
        let shell = Shell()
        shell.client(head + get)
        shell.origin(answer)
        #expect(shell.statuses == [502])
        #expect(!shell.isOpen && shell.toUpstream.isEmpty && shell.heads == 2)
    }

    @Test func aSwitchNobodyMayAskForIsA502() {
        let shell = Shell()
        shell.allowed = nil
        shell.client(head)
        shell.origin(switched)
        #expect(shell.statuses == [502])
    }

    @Test func theNextRequestsSwitchIsNotCoveredByAnEarlierOne() {
        let shell = Shell()
        shell.client(head)
        shell.origin(ok)
        shell.client(get)
        shell.origin(switched)
        #expect(shell.statuses == [502] && !shell.isOpen)
    }

    @Test func requestsAreNoFrames() {
        let shell = opened()
        shell.client("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(shell.isBroken && shell.toUpstream.isEmpty)
        let origin = opened()
        origin.origin("HTTP/1.1 200 OK\r\n\r\n")
        #expect(!origin.isBroken, "0x48 0x54 are a header without a mask")
        origin.origin("", masked)
        #expect(!origin.isBroken, "still within that frame")
        let other = opened()
        other.origin("", masked)
        #expect(other.isBroken)
        let early = Shell()
        early.client(head)
        early.origin(switched, masked)
        #expect(early.statuses == [502])
    }

    @Test func eachDirectionEndsByItself() throws {
        let shell = opened(try #require(UpgradeProtocol("raw/1")))
        shell.clientEnds()
        #expect(shell.isUpstreamFinished && !shell.isClientFinished)
        #expect(shell.machine.tunnel?.isEnding == false)
        guard case .tunnel = shell.machine.waiting else {
            Issue.record("it does not go on")
            return
        }
        shell.origin("", [1, 2, 3])
        #expect(Array(shell.toClient.readableBytesView) == [1, 2, 3])
        shell.originEnds()
        #expect(shell.isClientFinished && shell.machine.tunnel?.isOver == true)
        #expect(shell.machine.tunnel?.end == .closed)
        guard case .endOfTunnel = shell.machine.waiting else {
            Issue.record("it is not ending")
            return
        }
    }

    @Test func anEndBeforeTheSwitchIsPassedOnAfterIt() {
        let shell = Shell()
        shell.client(Array(head.utf8) + masked)
        shell.clientEnds()
        #expect(!shell.isUpstreamFinished)
        shell.origin(switched)
        #expect(shell.toUpstream == masked && shell.isUpstreamFinished)
    }

    @Test func aWebSocketIsEndingWhenOneSideLeftOrBothClosed() {
        let left = opened()
        left.originEnds()
        #expect(left.machine.tunnel?.isEnding == true && left.machine.tunnel?.end == .upstreamGone)
        let gone = opened()
        gone.clientEnds()
        #expect(gone.machine.tunnel?.isEnding == true && gone.machine.tunnel?.end == .clientGone)
        let closing = opened()
        closing.origin("", [0x88, 0])
        #expect(closing.machine.tunnel?.isEnding == false)
        closing.client([0x88, 0x80, 1, 2, 3, 4])
        #expect(closing.machine.tunnel?.isEnding == true && closing.machine.tunnel?.end == .closed)
    }

    @Test func aLostUpstreamCutsUnlessItHadEnded() {
        let cut = opened()
        cut.originIsGone(inOrder: false)
        #expect(cut.isAborted)
        let ended = opened()
        ended.originEnds()
        ended.originIsGone(inOrder: true)
        #expect(!ended.isAborted && ended.machine.tunnel?.isOver == true)
    }

    @Test func theGatewayClosesBetweenFrames() {
        let shell = opened()
        shell.origin("", plain)
        shell.client(masked)
        #expect(shell.machine.tunnel?.canPart == true)
        let farewells = shell.machine.part(.revoked, maskingKey: 0x0102_0304)
        guard case .frame(let toClient) = farewells.toClient, case .frame(let toUpstream) = farewells.toUpstream else {
            Issue.record("no close frames: \(farewells)")
            return
        }
        let code: [UInt8] = [0x88, UInt8(toClient.readableBytes - 2), 0x03, 0xf0]
        #expect(Array(toClient.readableBytesView.prefix(4)) == code)
        let expected: [UInt8] = [0x88, 0x82, 1, 2, 3, 4, 0x02, 0xeb]
        #expect(Array(toUpstream.readableBytesView) == expected)
        guard case .peerToClose = shell.machine.waiting else {
            Issue.record("it does not wait for the client")
            return
        }
    }

    @Test func withinAFrameItResets() {
        let shell = opened()
        shell.origin("", Array(plain.dropLast()))
        #expect(shell.machine.tunnel?.canPart == false)
        let farewells = shell.machine.part(.expired, maskingKey: 0)
        guard case .reset = farewells.toClient, case .frame = farewells.toUpstream else {
            Issue.record("\(farewells)")
            return
        }
    }

    @Test func nobodyIsToldTwice() {
        let shell = opened()
        shell.origin("", [0x88, 0])
        shell.clientEnds()
        let farewells = shell.machine.part(.idle, maskingKey: 0)
        guard case .end = farewells.toClient, case .end = farewells.toUpstream else {
            Issue.record("\(farewells)")
            return
        }
    }

    @Test func anotherProtocolIsReset() throws {
        let shell = opened(try #require(UpgradeProtocol("raw")))
        shell.client("GET is its business\r\n")
        shell.origin("", masked)
        #expect(!shell.isBroken)
        let farewells = shell.machine.part(.expired, maskingKey: 0)
        guard case .reset = farewells.toClient, case .reset = farewells.toUpstream else {
            Issue.record("\(farewells)")
            return
        }
    }

    @Test func aStreamOfEventsStandsAndOtherAnswersDoNot() {
        for (type, stands) in [("text/event-stream", true), ("text/plain", false)] {
            let shell = Shell()
            shell.client(get)
            shell.origin("HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            #expect(shell.machine.isStanding == stands)
            shell.origin("0\r\n\r\n")
            #expect(!shell.machine.isStanding && shell.machine.isIdle)
        }
    }
}
