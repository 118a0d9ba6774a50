import NIOCore
import TestKit
import Testing
import Wire

@Suite struct WebSocketScannerTests {
    /// A frame as its sender writes it.
    static func frame(_ count: Int, opcode: UInt8 = 0x1, isFinal: Bool = true, masked: Bool) -> [UInt8] {
        var bytes = [opcode | (isFinal ? 0x80 : 0)]
        let mask: UInt8 = masked ? 0x80 : 0
        switch count {
        case ..<126: bytes.append(UInt8(count) | mask)
        case ..<65536: bytes += [126 | mask, UInt8(count >> 8), UInt8(count & 0xff)]
        case _:
            bytes += [127 | mask, 0, 0, 0, 0]
            for shift in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: count >> shift)) }
        }
        if masked { bytes += [0x11, 0x22, 0x33, 0x44] }
        return bytes + [UInt8](repeating: 0x88, count: count)
    }

    private func scan(_ bytes: [UInt8], _ scanner: inout WebSocketScanner) -> Bool {
        scanner.scan(ByteBuffer(bytes: bytes).readableBytesSpan)
    }

    @Test(arguments: [0, 1, 125, 126, 127, 65535, 65536], [true, false])
    func everyLengthEndsWhereItsFrameDoes(_ count: Int, _ masked: Bool) {
        let bytes = Self.frame(count, masked: masked)
        var whole = WebSocketScanner(masked ? .client : .server)
        #expect(whole.isBetweenFrames)
        #expect(scan(bytes, &whole))
        #expect(whole.isBetweenFrames && !whole.hasClosed)
        var short = WebSocketScanner(masked ? .client : .server)
        #expect(scan(bytes.dropLast(), &short))
        #expect(!short.isBetweenFrames)
        var long = WebSocketScanner(masked ? .client : .server)
        #expect(scan(bytes + [0x81], &long))
        #expect(!long.isBetweenFrames)
    }

    @Test func boundariesDoNotDependOnHowBytesAreCut() {
        let frames = [Self.frame(3, isFinal: false, masked: false), Self.frame(0, opcode: 0x9, masked: false)]
        let all = (frames + [Self.frame(300, opcode: 0, masked: false)]).flatMap { $0 }
        let ends = Set(frames.indices.map { frames[...$0].joined().count } + [all.count])
        var scanner = WebSocketScanner(.server)
        for (index, byte) in all.enumerated() {
            #expect(scan([byte], &scanner))
            #expect(scanner.isBetweenFrames == ends.contains(index + 1), "after \(index + 1)")
        }
    }

    @Test func aCloseFrameIsNoticed() {
        var scanner = WebSocketScanner(.client)
        #expect(scan(Self.frame(2, opcode: 0x8, masked: true), &scanner))
        #expect(scanner.hasClosed && scanner.isBetweenFrames)
    }

    @Test(arguments: [
        "GET / HTTP/1.1\r\n", "POST /x HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "OPTIONS * HTTP/1.1\r\n",
    ])
    func noRequestPassesForFramesOfAClient(_ text: String) {
        var scanner = WebSocketScanner(.client)
        #expect(!scan(Array(text.utf8), &scanner))
        #expect(!scanner.isBetweenFrames)
        #expect(!scan(Self.frame(1, masked: true), &scanner), "it goes on as if nothing had been")
    }

    @Test func whatBreaksTheProtocolIsSeen() {
        var masked = WebSocketScanner(.server)
        #expect(!scan(Self.frame(1, masked: true), &masked))
        var endless = WebSocketScanner(.server)
        #expect(!scan([0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], &endless))
        var largest = WebSocketScanner(.server)
        #expect(scan([0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], &largest))
        #expect(!largest.isBetweenFrames)
    }
}

@Suite struct WebSocketCloseTests {
    @Test func towardsAClientItIsPlain() {
        var buffer = ByteBuffer()
        buffer.writeWebSocketClose(.policyViolation, reason: "no")
        #expect(Array(buffer.readableBytesView) == [0x88, 4, 0x03, 0xf0, 0x6e, 0x6f])
    }

    @Test func towardsAServerItIsMasked() {
        var buffer = ByteBuffer()
        buffer.writeWebSocketClose(.goingAway, reason: "abc", maskingKey: 0x0102_0304)
        let expected: [UInt8] = [0x88, 0x85, 1, 2, 3, 4, 0x02, 0xeb, 0x62, 0x66, 0x62]
        #expect(Array(buffer.readableBytesView) == expected)
    }

    @Test func whatItWritesIsOneFrame() {
        for key: UInt32? in [nil, 7] {
            var buffer = ByteBuffer()
            buffer.writeWebSocketClose(.protocolError, reason: "These are no WebSocket frames.", maskingKey: key)
            var scanner = WebSocketScanner(key == nil ? .server : .client)
            let isRight = scanner.scan(buffer.readableBytesSpan)
            #expect(isRight)
            #expect(scanner.isBetweenFrames && scanner.hasClosed)
        }
    }
}
