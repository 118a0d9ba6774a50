import NIOCore
import TestKit
import Testing
import Wire

@Suite struct ResponseParserTests {
    @Test func findsThePartsOfAHead() {
        let raw = "HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\nX-A: \u{E9} \r\n\r\nabc"
        let (progress, head) = parseResponse(raw)
        #expect(progress == .complete)
        #expect(head.status == 404 && head.minorVersion == 1 && head.framing == .length(3) && head.keepAlive)
        #expect(text(head.reason, of: buffer(raw)) == "Not Found")
        #expect(head.fields.map { text($0.value, of: buffer(raw)) } == ["3", "\u{E9}"])
        #expect(head.length == latin1(raw).count - 3)
    }

    @Test func reasonMayBeMissing() {
        for (line, reason) in [
            ("HTTP/1.1 200", ""), ("HTTP/1.1 200 ", ""), ("HTTP/1.0 200 \u{E9}t\u{E9}", "\u{E9}t\u{E9}"),
        ] {
            let raw = line + "\r\n\r\n"
            let (progress, head) = parseResponse(raw)
            #expect(progress == .complete)
            #expect(text(head.reason, of: buffer(raw)) == reason)
        }
    }

    @Test(arguments: [
        ("x", MalformedResponse.badVersion), ("HTTP/1.1\r", .badStatus), ("HTTP/1.1\n", .bareLF),
        ("HTTP/2.0", .unsupportedVersion),
        ("\r", .badVersion), ("HTTP/1.1  ", .badStatus), ("HTTP/1.1 2x", .badStatus), ("HTTP/1.1 099", .badStatus),
        ("HTTP/1.1 600", .badStatus), ("HTTP/1.1 2000", .badStatus), ("HTTP/1.1 -", .badStatus),
        ("HTTP/1.1 200\n", .bareLF),
        ("HTTP/1.1 200 O\0", .badReason), ("HTTP/1.1 200 O\n", .bareLF), ("HTTP/1.1 200 O\rX", .bareCR),
        ("HTTP/1.1 200 O\r\nX ", .whitespaceBeforeColon), ("HTTP/1.1 200 O\r\n ", .obsoleteFold),
        ("HTTP/1.1 200 O\r\nFoo\r", .missingColon), ("HTTP/1.1 200 O\r\nX: a\r\n\t", .obsoleteFold),
        ("HTTP/1.1 200 O\r\nContent-Length: x\r\n", .badContentLength),
        ("HTTP/1.1 200 O\r\nTransfer-Encoding: x\r\n", .unknownTransferCoding),
        ("HTTP/1.1 200 O\r\nConnection: a b\r\n", .badConnection),
    ])
    func refusesOnSight(_ bytes: String, _ reason: MalformedResponse) {
        let all = latin1(bytes)
        var parser = ResponseParser()
        #expect(parser.parse(ByteBuffer(bytes: all.dropLast()), isAnswerToHEAD: false) == .incomplete)
        #expect(parser.parse(ByteBuffer(bytes: all), isAnswerToHEAD: false) == .malformed(reason))
        #expect(parseResponse(bytes).0 == .malformed(reason))
    }

    @Test func connectionOutlivesOnlyFramedAnswers() {
        func keepAlive(_ head: String) -> Bool { parseResponse(head + "\r\n").1.keepAlive }
        #expect(keepAlive("HTTP/1.1 200 X\r\nContent-Length: 0\r\n"))
        #expect(!keepAlive("HTTP/1.1 200 X\r\nContent-Length: 0\r\nConnection: close\r\n"))
        #expect(!keepAlive("HTTP/1.1 200 X\r\n"))
        #expect(!keepAlive("HTTP/1.0 200 X\r\nContent-Length: 0\r\n"))
        #expect(keepAlive("HTTP/1.0 200 X\r\nContent-Length: 0\r\nConnection: keep-alive\r\n"))
    }

    @Test func interimAnswersAreToldApart() {
        var parser = ResponseParser()
        var pending = buffer(
            "HTTP/1.1 103 Early\r\nLink: a\r\n\r\nHTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        #expect(parser.parse(pending, isAnswerToHEAD: false) == .complete)
        #expect(parser.head.isInterim && parser.head.framing == .none)
        pending.moveReaderIndex(forwardBy: parser.head.length)
        parser.reset()
        #expect(parser.parse(pending, isAnswerToHEAD: false) == .complete)
        #expect(parser.head.status == 101 && !parser.head.isInterim && parser.head.upgrade == 1)
    }

    @Test func limitsHold() {
        func verdict(_ text: String, _ limits: HeadLimits) -> ResponseProgress {
            var parser = ResponseParser(limits: limits)
            return parser.parse(buffer(text), isAnswerToHEAD: false)
        }
        let long = String(repeating: "r", count: 100)
        #expect(
            verdict("HTTP/1.1 200 \(long)\r\n\r\n", HeadLimits(maximumFieldBytes: 99)) == .malformed(.fieldTooLarge))
        #expect(verdict("HTTP/1.1 200 \(long)\r\n\r\n", HeadLimits(maximumFieldBytes: 100)) == .complete)
        #expect(verdict("HTTP/1.1 200 \(long)\r\n\r\n", HeadLimits(maximumHeadBytes: 100)) == .malformed(.headTooLarge))
        #expect(verdict("HTTP/1.1 200 X\r\nA: 1\r\n\r\n", HeadLimits(maximumFields: 0)) == .malformed(.tooManyFields))
    }
}
