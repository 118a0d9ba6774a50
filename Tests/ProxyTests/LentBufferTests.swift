import Gate
import NIOCore
import Testing
import Wire

@testable import Proxy

/// Receive buffers that are lent again and again, and what of them stays for as long as an exchange lasts.
@Suite struct LentBufferTests {
    /// A stream of events may last for days: what its head once waited in is not kept for it.
    @Test(arguments: [20_000, 60_000]) func aStreamOfEventsKeepsNoBufferOfItsBeginning(_ size: Int) {
        var machine = ExchangeMachine(limits: HeadLimits())
        _ = machine.received(ByteBuffer(string: "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"))
        let refusal = machine.admit(maximumBodyBytes: nil)
        #expect(refusal == nil)
        machine.upstreamReady()
        let fields = ExchangeShell().fields
        var lent = ByteBufferAllocator().buffer(capacity: 65536)
        let event = "data: " + String(repeating: "x", count: size) + "\n\n"
        let parts = [
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-",
            "stream\r\nTransfer-Encoding: chunked\r\n\r\n" + String(event.utf8.count, radix: 16) + "\r\n" + event
                + "\r\n",
            "8\r\ndata: x\n\r\n", "8\r\ndata: y\n\r\n",
        ]
        for part in parts {
            lent.clear()
            lent.writeString(part)
            var out = ByteBuffer()
            _ = machine.answerReceived(&lent, fields: fields, into: &out)
        }
        let (isStream, waiting, kept) = (
            machine.isEventStream, machine.answer.readableBytes, machine.answer.storageCapacity
        )
        #expect(isStream)
        #expect(waiting == 0)
        #expect(kept < 4096)
    }

    /// Nor one that is downloaded slowly.
    @Test func aSlowDownloadKeepsNoBufferOfItsBeginning() {
        var machine = ExchangeMachine(limits: HeadLimits())
        _ = machine.received(ByteBuffer(string: "GET /a HTTP/1.1\r\nHost: a\r\n\r\n"))
        _ = machine.admit(maximumBodyBytes: nil)
        machine.upstreamReady()
        let fields = ExchangeShell().fields
        var lent = ByteBufferAllocator().buffer(capacity: 65536)
        for part in [
            "HTTP/1.1 200 OK\r\nContent-Length: 999", "999\r\n\r\n" + String(repeating: "x", count: 60_000), "more",
        ] {
            lent.clear()
            lent.writeString(part)
            var out = ByteBuffer()
            _ = machine.answerReceived(&lent, fields: fields, into: &out)
        }
        let kept = machine.answer.storageCapacity
        #expect(kept < 4096)
    }

    /// Nor a tunnel, which keeps none at all.
    @Test func aTunnelKeepsNoBufferOfInterimAnswers() {
        var machine = ExchangeMachine(limits: HeadLimits())
        _ = machine.received(
            ByteBuffer(string: "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"))
        let refusal = machine.admit(maximumBodyBytes: nil, upgrade: UpgradeProtocol("websocket"))
        #expect(refusal == nil)
        machine.upstreamReady()
        let fields = ExchangeShell().fields
        var lent = ByteBufferAllocator().buffer(capacity: 65536)
        let link = "Link: " + String(repeating: "x", count: 6000) + "\r\n"
        for part in [
            "HTTP/1.1 103 Early", " Hints\r\n" + link + link + "\r\n",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        ] {
            lent.clear()
            lent.writeString(part)
            var out = ByteBuffer()
            _ = machine.answerReceived(&lent, fields: fields, into: &out)
        }
        let (phase, kept) = (machine.phase, machine.answer.storageCapacity)
        #expect(phase == .tunnel)
        #expect(kept == 0)
    }

    /// What the shell does with a request that another follows: few bytes wait behind it, for as long as it takes.
    @Test func aFewBytesBehindARequestDoNotKeepTheReceiveBuffer() {
        var machine = ExchangeMachine(limits: HeadLimits())
        var lent = ByteBufferAllocator().buffer(capacity: 65536)
        lent.writeString("GET /events HTTP/1.1\r\nHost: a\r\n\r\nGET /b HT")
        guard case .decide = machine.received(&lent) else {
            Issue.record("no request")
            return
        }
        let refusal = machine.admit(maximumBodyBytes: nil)
        #expect(refusal == nil)
        machine.upstreamReady()
        _ = machine.advance()
        machine.giveBack(&lent)
        let (waiting, kept) = (machine.inbound.readableBytes, machine.inbound.storageCapacity)
        #expect(waiting == 9)
        #expect(kept < 8192)
    }
}
