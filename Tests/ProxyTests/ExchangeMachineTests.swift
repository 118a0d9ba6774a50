import Gate
import Identity
import NIOCore
import RateLimit
import Testing
import Wire

@testable import Proxy

private let get = "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"
private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

@Suite struct ExchangeMachineTests {
    @Test func aRequestIsAnsweredAndTheConnectionKept() {
        let shell = ExchangeShell()
        shell.client(get)
        #expect(shell.sentToUpstream == "<head>")
        shell.origin(ok)
        #expect(shell.sentToClient.hasSuffix("\r\n\r\nhello"))
        #expect(shell.machine.isUpstreamReusable == false, "there is no answer any more")
        #expect(shell.machine.isIdle == true)
        shell.client(get)
        #expect(shell.heads == 2)
    }

    /// Else the record of a client that leaves before its answer would tell of the answer before.
    @Test func nothingOfTheLastAnswerIsLeftWhenTheNextRequestBegins() {
        let shell = ExchangeShell()
        shell.client("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        shell.origin(ok)
        #expect(shell.machine.status == 200)
        #expect(shell.machine.bytesIn > 5)
        var machine = ExchangeMachine(limits: HeadLimits())
        swap(&machine, &shell.machine)
        guard case .decide = machine.received(ByteBuffer(string: get)) else {
            Issue.record("the second request is not decided")
            return
        }
        #expect(machine.status == 0)
        #expect(machine.bytesIn == 0)
    }

    @Test func aRequestFedByteByByteIsDecidedOnce() {
        let shell = ExchangeShell()
        for byte in "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" { shell.client(String(byte)) }
        #expect(shell.heads == 1)
        #expect(shell.sentToUpstream == "<head>hello")
        for byte in ok { shell.origin(String(byte)) }
        #expect(shell.sentToClient.hasSuffix("\r\n\r\nhello"))
        #expect(shell.machine.isIdle == true)
    }

    @Test func pipelinedRequestsWaitForTheirTurn() {
        let shell = ExchangeShell()
        shell.client(get + get + "GET /b")
        #expect(shell.heads == 1)
        shell.origin(ok)
        #expect(shell.heads == 2)
        shell.origin(ok)
        #expect(shell.heads == 2)
        #expect(shell.machine.isIdle == false)
        shell.client(" HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(shell.heads == 3)
    }

    @Test func chunksAreFramedAnewForTheUpstream() {
        let shell = ExchangeShell()
        shell.client("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhe")
        shell.client("llo\r\n0\r\nX-Trailer: 1\r\n\r\n")
        #expect(shell.sentToUpstream == "<head>2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n")
    }

    @Test func aBrokenBodyIsRefusedBeforeAndCutAfterTheAnswerBegan() {
        let head = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        let before = ExchangeShell()
        before.client(head + "zz\r\n")
        #expect(before.refusals.map(\.answer.status) == [400])
        #expect(before.isLingering)
        let after = ExchangeShell()
        after.client(head + "1\r\nx\r\n")
        after.origin("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")
        after.client("zz\r\n")
        #expect(after.isAborted)
    }

    @Test func tooLongABodyIsRefusedByItsLengthOrByItsBytes() {
        let length = ExchangeShell()
        length.client("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
        #expect(length.refusals.map(\.answer.status) == [413])
        let chunked = ExchangeShell()
        chunked.client("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n")
        #expect(chunked.refusals.map(\.answer.status) == [413])
    }

    @Test func theBodyOfARefusedRequestIsNeverTakenForARequest() {
        let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
        let head = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: \(smuggled.utf8.count)\r\n"
        let kept = ExchangeShell()
        kept.client(head + "\r\n" + smuggled + get, admits: false)
        #expect(kept.heads == 2)
        #expect(kept.refusals.count == 1)
        let expecting = ExchangeShell()
        expecting.client(head + "Expect: 100-continue\r\n\r\n" + smuggled, admits: false)
        #expect(expecting.heads == 1)
        #expect(expecting.isLingering)
        let late = ExchangeShell()
        late.client(head + "\r\n", admits: false)
        late.client(smuggled)
        #expect(late.heads == 1)
        #expect(late.machine.isIdle == true)
    }

    @Test func interimAnswersArePassedOnAndBounded() {
        let shell = ExchangeShell()
        shell.client(get)
        shell.origin("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Request-Id: theirs\r\n\r\n" + ok)
        #expect(shell.sentToClient.hasPrefix("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"))
        let flood = ExchangeShell()
        flood.client(get)
        flood.origin(String(repeating: "HTTP/1.1 103 Early Hints\r\n\r\n", count: 20))
        #expect(flood.refusals.map(\.answer.status) == [502])
        let old = ExchangeShell()
        old.client("GET /a HTTP/1.0\r\nHost: a\r\n\r\n")
        old.origin("HTTP/1.1 103 Early Hints\r\n\r\n" + ok)
        #expect(old.sentToClient.hasPrefix("HTTP/1.1 200 OK\r\n"))
    }

    @Test func anUnaskedSwitchOfProtocolsIsNoTunnel() {
        let shell = ExchangeShell()
        shell.client(get)
        shell.origin("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nraw")
        #expect(shell.refusals.map(\.answer.status) == [502])
    }

    @Test func aCloseDelimitedAnswerBecomesChunksAndEndsWithTheConnection() {
        let shell = ExchangeShell()
        shell.client(get)
        shell.origin("HTTP/1.1 200 OK\r\n\r\nhel")
        shell.origin("lo")
        shell.originCloses()
        #expect(shell.sentToClient.contains("transfer-encoding: chunked\r\n"))
        #expect(shell.sentToClient.hasSuffix("\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"))
        #expect(shell.machine.isIdle == true)
    }

    @Test func anOldClientGetsRawBytesAndTheEndOfTheConnection() {
        let shell = ExchangeShell()
        shell.client("GET /a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n")
        shell.origin("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        #expect(shell.sentToClient.contains("connection: close\r\n"))
        #expect(shell.sentToClient.hasSuffix("\r\n\r\nhello"))
        #expect(shell.isLingering)
    }

    @Test func aTruncatedAnswerIsCutAndNeverCompleted() {
        let shell = ExchangeShell()
        shell.client(get)
        shell.origin("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello")
        shell.originCloses()
        #expect(shell.isAborted)
        let chunked = ExchangeShell()
        chunked.client(get)
        chunked.origin("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel")
        chunked.originCloses()
        #expect(chunked.isAborted)
        #expect(!chunked.sentToClient.hasSuffix("0\r\n\r\n"))
    }

    @Test func aBodyThatIsBrokenBeforeAnythingWasSentIsA502() {
        let shell = ExchangeShell()
        shell.client(get)
        shell.origin("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        #expect(shell.refusals.map(\.answer.status) == [502])
        #expect(shell.sentToClient.isEmpty)
        let late = ExchangeShell()
        late.client(get)
        late.origin("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        late.origin("zz\r\n")
        #expect(late.isAborted)
    }

    @Test func onlyWhatCanBeRepeatedIsRepeated() {
        let shell = ExchangeShell()
        shell.client(get)
        shell.originCloses()
        #expect(shell.retries == 1)
        shell.originCloses()
        #expect(shell.retries == 1)
        #expect(shell.refusals.map(\.answer.status) == [502])
        let post = ExchangeShell()
        post.client("POST /a HTTP/1.1\r\nHost: a\r\n\r\n")
        post.originCloses()
        #expect(post.retries == 0)
        let started = ExchangeShell()
        started.client(get)
        started.origin("HTTP/1.1 2")
        started.originCloses()
        #expect(started.retries == 0)
        #expect(started.refusals.map(\.answer.status) == [502])
    }

    @Test func bytesBehindAnAnswerSpoilTheConnectionToTheUpstream() {
        var machine = ExchangeMachine(limits: HeadLimits())
        _ = machine.received(ByteBuffer(string: get))
        let refusal = machine.admit(maximumBodyBytes: nil)
        #expect(refusal == nil)
        machine.upstreamReady()
        var out = ByteBuffer()
        let fields = ExchangeShell().fields
        _ = machine.answerReceived(ByteBuffer(string: ok), fields: fields, into: &out)
        #expect(machine.isUpstreamReusable == true)
        var poisoned = ExchangeMachine(limits: HeadLimits())
        _ = poisoned.received(ByteBuffer(string: get))
        let other = poisoned.admit(maximumBodyBytes: nil)
        #expect(other == nil)
        poisoned.upstreamReady()
        _ = poisoned.answerReceived(ByteBuffer(string: ok + ok), fields: fields, into: &out)
        #expect(poisoned.isUpstreamReusable == false)
    }

    @Test func aClientThatFinishedSendingIsStillAnswered() {
        let shell = ExchangeShell()
        shell.client(get)
        shell.perform(shell.machine.receivedEOF())
        #expect(!shell.isClosed)
        shell.origin(ok)
        #expect(shell.sentToClient.hasSuffix("hello"))
        #expect(!shell.isClosed, "closing would drop what of the answer is still queued")
        #expect(shell.isLingering)
    }

    @Test func allThatAClientAskedForBeforeItFinishedSendingIsAnswered() {
        let shell = ExchangeShell()
        shell.client(get + get + get)
        shell.perform(shell.machine.receivedEOF())
        shell.origin(ok)
        #expect(!shell.sentToClient.contains("connection: close\r\n"))
        shell.origin(ok)
        #expect(shell.heads == 3)
        #expect(!shell.isLingering)
        shell.origin(ok)
        #expect(shell.sentToClient.contains("connection: close\r\n"))
        #expect(shell.isLingering)
        let refused = ExchangeShell()
        refused.client(get)
        refused.client(get + get)
        refused.perform(refused.machine.receivedEOF())
        refused.refuse(.forbidden)
        #expect(refused.heads == 2)
        #expect(!refused.isLingering)
    }

    @Test func anEndAfterAnAnswerLetsWhatIsQueuedGoOut() {
        let shell = ExchangeShell()
        shell.client(get)
        shell.origin(ok)
        shell.perform(shell.machine.receivedEOF())
        #expect(shell.isFinished)
        #expect(!shell.isClosed)
    }

    @Test func noOtherRequestIsBegunForAClientThatDoesNotReadItsAnswers() {
        let shell = ExchangeShell()
        shell.client(get + get)
        shell.machine.isHeldBack = true
        shell.origin(ok)
        #expect(shell.heads == 1)
        #expect(shell.machine.wantsClientBytes == false)
        guard case .clientToRead = shell.machine.waiting else {
            Issue.record("the deadline has to be that of the reader")
            return
        }
        shell.machine.isHeldBack = false
        shell.perform(shell.machine.advance())
        #expect(shell.heads == 2)
    }

    @Test func aHeadThatIsCutIsOwedARecordAndAnEmptyConnectionIsNot() {
        let shell = ExchangeShell()
        let emptyEnd = shell.endsInHead()
        #expect(!emptyEnd)
        shell.client("\r\n")
        let lineEnd = shell.endsInHead()
        #expect(!lineEnd)
        shell.client("GET /a HT")
        shell.perform(shell.machine.receivedEOF())
        #expect(shell.isFinished)
        let shellEnd = shell.endsInHead()
        #expect(shellEnd)
        #expect(shell.machine.bytesIn == 11)
        let answered = ExchangeShell()
        answered.client(get)
        answered.origin(ok)
        let answeredEnd = answered.endsInHead()
        #expect(!answeredEnd)
        let refused = ExchangeShell()
        refused.client("GET /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe", admits: false)
        refused.perform(refused.machine.receivedEOF())
        let refusedEnd = refused.endsInHead()
        #expect(!refusedEnd)
    }

    @Test func aBodyCutShortIsNotTakenForWhole() {
        let shell = ExchangeShell()
        shell.client("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhello")
        shell.perform(shell.machine.receivedEOF())
        #expect(shell.refusals.map(\.answer.status) == [400])
    }

    @Test func drainingTellsTheClientToGo() {
        let shell = ExchangeShell()
        shell.client(get)
        shell.machine.drain()
        shell.origin(ok)
        #expect(shell.sentToClient.contains("connection: close\r\n"))
        #expect(shell.isLingering)
    }

    @Test func answersToHEADHaveALengthAndNoBody() {
        let shell = ExchangeShell()
        shell.client("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n")
        shell.origin("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
        #expect(shell.sentToClient.contains("Content-Length: 5\r\n"))
        #expect(shell.machine.isIdle == true)
    }

    @Test func whatASlowClientHasSentDoesNotHoldTheReceiveBuffer() {
        var machine = ExchangeMachine(limits: HeadLimits())
        var shared = ByteBufferAllocator().buffer(capacity: 65536)
        shared.writeString("GET /a HTTP/1.1\r\n")
        _ = machine.received(shared)
        #expect(machine.inbound.readableBytes == 17)
        #expect(machine.inbound.storageCapacity < 4096)
        shared.clear()
        shared.writeString("Host: a\r\n\r\n")
        guard case .decide = machine.received(shared) else {
            Issue.record("the head is whole")
            return
        }
        #expect(String(buffer: machine.inbound) == get)
    }

    @Test func aClientFarAheadOfItsTurnIsNotRead() {
        let shell = ExchangeShell()
        shell.client(get)
        #expect(shell.machine.wantsClientBytes == true)
        shell.client(String(repeating: "x", count: ExchangeMachine.maximumAhead))
        #expect(shell.machine.wantsClientBytes == false)
    }
}
