import NIOCore
import Testing
import Wire

@Suite struct SerialisingTests {
    private func forwarded(_ text: String, dropping dropped: FieldSet) -> String {
        var parser = RequestParser()
        let source = buffer(text)
        #expect(parser.parse(source) == .complete)
        var out = ByteBuffer()
        parser.head.appendFields(of: source, dropping: dropped, to: &out)
        return rendered(out)
    }

    private func rendered(_ buffer: ByteBuffer) -> String { text(buffer.readableBytesView) }

    @Test func keptLinesAreVerbatim() {
        let head = "\r\nGET / HTTP/1.1\r\nA:1\r\nHost: h\r\nB:  \u{E9}\t \r\nC: 3\r\nTE: x\r\nD: 4\r\n\r\nrest"
        #expect(forwarded(head, dropping: FieldSet(.host, .te)) == "A:1\r\nB:  \u{E9}\t \r\nC: 3\r\nD: 4\r\n")
        #expect(forwarded(head, dropping: []) == "A:1\r\nHost: h\r\nB:  \u{E9}\t \r\nC: 3\r\nTE: x\r\nD: 4\r\n")
    }

    @Test func nothingMayBeLeft() {
        #expect(forwarded("GET / HTTP/1.1\r\nHost: h\r\n\r\n", dropping: .inboundStripped) == "")
        #expect(forwarded("GET / HTTP/1.0\r\n\r\n", dropping: []) == "")
    }

    @Test func whatNeverTravelsIsDropped() {
        let head =
            "GET / HTTP/1.1\r\nHost: h\r\nX-Hop: 1\r\nConnection: x-hop, upgrade\r\nUpgrade: a\r\nKeep-Alive: 1\r\n"
            + "Proxy-Connection: 1\r\nX_Tollgate_Subject: a\r\nX-Tollgate-Subject: b\r\nContent_Length: 3\r\nStay: 1\r\n"
            + "Transfer_Encoding: chunked\r\nX-Original-URL: /\r\nCookie: c\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n"
        #expect(forwarded(head, dropping: .inboundStripped) == "Stay: 1\r\nCookie: c\r\nX-Forwarded-For: 1.2.3.4\r\n")
        #expect(forwarded(head, dropping: [.inboundStripped, .forwarding]) == "Stay: 1\r\nCookie: c\r\n")
    }

    @Test func responsesAreWrittenAnew() {
        var parser = ResponseParser()
        let source = buffer(
            "HTTP/1.0 404 Not \u{E9}\r\nSet-Cookie: a\r\nConnection: x\r\nSet-Cookie: b\r\nX: 1\r\n\r\n")
        #expect(parser.parse(source, isAnswerToHEAD: false) == .complete)
        var out = ByteBuffer()
        parser.head.appendStatusLine(of: source, to: &out)
        parser.head.appendFields(of: source, dropping: .hopByHop, to: &out)
        #expect(rendered(out) == "HTTP/1.1 404 Not \u{E9}\r\nSet-Cookie: a\r\nSet-Cookie: b\r\n")
    }

    /// A head whose buffer has been consumed in the meantime yields nothing instead of someone else's bytes.
    @Test func wrongSourceIsHarmless() {
        var parser = RequestParser()
        #expect(parser.parse(buffer("GET / HTTP/1.1\r\nHost: h\r\n\r\n")) == .complete)
        var out = ByteBuffer()
        parser.head.appendFields(of: ByteBuffer(), dropping: [], to: &out)
        #expect(out.readableBytes == 0)
    }

    @Test func numbers() {
        let numbers: [Int64] = [0, 1, 9, 10, 15, 16, 255, 256, 4096, 1_234_567_890, .max, .max - 1]
        for number in numbers {
            var decimal = ByteBuffer()
            decimal.writeDecimal(number)
            #expect(rendered(decimal) == String(number))
            var hexadecimal = ByteBuffer()
            hexadecimal.writeHexadecimal(number)
            #expect(rendered(hexadecimal) == String(number, radix: 16))
        }
        var negative = ByteBuffer()
        negative.writeDecimal(Int64.min)
        negative.writeHexadecimal(-1)
        #expect(rendered(negative) == "00")
    }
}
