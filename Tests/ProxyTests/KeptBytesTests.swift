import NIOCore
import TestKit
import Testing
import Wire

@testable import Proxy

private let ok = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

/// Where a buffer has its bytes.
private func place(of buffer: ByteBuffer) -> UInt {
    // Unsafe: the address is compared and not used.
    unsafe buffer.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) }
}

/// What a client sends ahead of what the gateway is at, and where it waits.
@Suite struct KeptBytesTests {
    /// A head that comes slowly behind a body waits alone.
    @Test func whatASlowClientHasSentDoesNotHoldTheBufferOfABodyThatWaitedBefore() {
        var machine = ExchangeMachine(limits: HeadLimits())
        let size = 60_000
        var shared = ByteBufferAllocator().buffer(capacity: 65536)
        shared.writeString("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n")
        _ = machine.received(shared)
        // While a proof runs.
        machine.keepInbound()
        _ = machine.received(ByteBuffer(string: String(repeating: "x", count: size) + "GET /b"))
        let refusal = machine.admit(maximumBodyBytes: nil)
        #expect(refusal == nil)
        machine.upstreamReady()
        guard case .sendUpstream(let body) = machine.advance() else {
            Issue.record("the body is not sent")
            return
        }
        #expect(body.readableBytes == size)
        var out = ByteBuffer()
        _ = machine.answerReceived(ByteBuffer(string: ok), fields: ExchangeShell().fields, into: &out)
        _ = machine.exchangeFinished()
        _ = machine.advance()
        _ = machine.received(ByteBuffer(string: " HTTP"))
        #expect(String(buffer: machine.inbound) == "GET /b HTTP")
        #expect(machine.inbound.storageCapacity < 8192)
    }

    /// Whoever keeps a receive buffer costs the next read an allocation of 64 KiB.
    @Test(
        arguments: [
            "GET /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.1\r\nHost",
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
            "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe", "nothing that is HTTP\r\n\r\n",
            "GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HT",
        ], [true, false])
    func theReceiveBufferIsGivenBack(_ text: String, waits: Bool) {
        var machine = ExchangeMachine(limits: HeadLimits())
        var lent = ByteBufferAllocator().buffer(capacity: 65536)
        lent.writeString(text)
        let storage = place(of: lent)
        let action = machine.received(&lent)
        if case .decide = action, waits {
            machine.keepInbound()
        } else if case .decide = action {
            let refusal = machine.admit(maximumBodyBytes: nil)
            #expect(refusal == nil)
            machine.upstreamReady()
            _ = machine.advance()
        } else if case .refuse = action {
            _ = machine.refuse(mustClose: true)
            machine.closed()
        }
        let rest = Array(buffer: machine.inbound)
        machine.giveBack(&lent)
        lent.clear()
        lent.writeString(String(repeating: "#", count: 60_000))
        #expect(place(of: lent) == storage)
        #expect(Array(buffer: machine.inbound) == rest)
    }

    /// Requests of one connection, which come in pieces and at any time, each with what nobody else has.
    @Test(arguments: [1, 2, 3, 4] as [UInt64]) func nothingOfOneRequestGetsIntoAnother(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let requests = (0..<200).map { number in
            let count = Bool.random(using: &random) ? 0 : Int.random(in: 1..<9000, using: &random)
            let letter = Character(UnicodeScalar(UInt8(0x41 + number % 26)))
            let padding = String(repeating: letter, count: Int.random(in: 0..<3000, using: &random))
            return (
                head: "POST /\(number) HTTP/1.1\r\nHost: a\r\nX-Pad: \(padding)\r\nContent-Length: \(count)\r\n\r\n",
                body: String(repeating: letter, count: count)
            )
        }
        let sent = Array(requests.map { $0.head + $0.body }.joined().utf8)
        var machine = ExchangeMachine(limits: HeadLimits())
        var shared = ByteBufferAllocator().buffer(capacity: 65536)
        var (position, heads, isReady) = (0, [String](), false)
        var bodies: [[UInt8]] = []
        let fields = ExchangeShell().fields
        func perform(_ action: ExchangeMachine.ClientAction) {
            if case .sendUpstream(let bytes) = action { bodies[bodies.count - 1] += Array(buffer: bytes) }
        }
        func admit() {
            if Bool.random(using: &random) { machine.keepInbound() }
            heads.append(
                machine.withHead { head, bytes in
                    String(decoding: Array(buffer: bytes).prefix(head.length), as: UTF8.self)
                })
            bodies.append([])
            _ = machine.admit(maximumBodyBytes: nil)
            isReady = false
        }
        func connect() {
            isReady = true
            machine.upstreamReady()
            perform(machine.advance())
        }
        for _ in 0..<200_000 where bodies.count < requests.count || machine.isForwarding {
            switch Int.random(in: 0..<4, using: &random) {
            case 0 where machine.wantsClientBytes && position < sent.count:
                let end = min(sent.count, position + Int.random(in: 1..<5000, using: &random))
                shared.clear()
                shared.writeBytes(sent[position..<end])
                position = end
                let action = machine.received(&shared)
                perform(action)
                // What a request comes to at once comes to it while the buffer is lent.
                if case .decide = action, Bool.random(using: &random) {
                    admit()
                    if Bool.random(using: &random) { connect() }
                }
                machine.giveBack(&shared)
            case 1 where machine.isExchanging && !machine.isForwarding:
                admit()
            case 2 where machine.isForwarding && !isReady:
                connect()
            case 3 where machine.isForwarding && isReady && !machine.awaitsRequestBody:
                var out = ByteBuffer()
                _ = machine.answerReceived(ByteBuffer(string: ok), fields: fields, into: &out)
                _ = machine.exchangeFinished()
                perform(machine.advance())
            default: break
            }
        }
        #expect(heads == requests.map(\.head))
        #expect(bodies.map { String(decoding: $0, as: UTF8.self) } == requests.map(\.body))
    }
}
