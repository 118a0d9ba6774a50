import NIOCore
import TestKit
import Testing
import Wire

@Suite struct RequestParserTests {
    private let plain = "GET /a/b?c=d HTTP/1.1\r\nHost: h\r\nX-A:  b c\t \r\nX-Empty:\r\n\r\n"

    @Test func findsThePartsOfAHead() {
        let (progress, head) = parse(plain)
        let bytes = buffer(plain)
        #expect(progress == .complete)
        #expect(head.method == .get && head.form == .origin && head.minorVersion == 1)
        #expect(text(head.target, of: bytes) == "/a/b?c=d")
        #expect(text(head.path, of: bytes) == "/a/b")
        #expect(head.query.map { text($0, of: bytes) } == "c=d")
        #expect(text(head.authority, of: bytes) == "h")
        #expect(head.fields.map { text($0.name, of: bytes) } == ["Host", "X-A", "X-Empty"])
        #expect(head.fields.map { text($0.value, of: bytes) } == ["h", "b c", ""])
        #expect(head.fields.last?.end == UInt32(plain.utf8.count - 2))
        #expect(head.framing == .none && head.keepAlive && head.length == plain.utf8.count)
    }

    @Test func queryMayBeEmptyAndHoldQuestionMarks() {
        let empty = "GET /? HTTP/1.1\r\nHost: h\r\n\r\n"
        #expect(parse(empty).1.query.map { text($0, of: buffer(empty)) } == "")
        let double = "GET /a?b?c HTTP/1.1\r\nHost: h\r\n\r\n"
        #expect(parse(double).1.query.map { text($0, of: buffer(double)) } == "b?c")
    }

    @Test func knowsMethodsByCase() {
        let known: [(String, Method)] = [
            ("GET", .get), ("HEAD", .head), ("POST", .post), ("PUT", .put), ("PATCH", .patch), ("DELETE", .delete),
            ("OPTIONS", .options), ("TRACE", .trace), ("get", .other), ("PROPFIND", .other), ("X", .other),
            ("GETX", .other),
        ]
        for (name, method) in known {
            #expect(parse("\(name) / HTTP/1.1\r\nHost: h\r\n\r\n").1.method == method, "\(name)")
        }
    }

    /// Every way a start line can be wrong, and that it is refused at the byte that shows it.
    @Test(arguments: [
        (" ", MalformedRequest.badMethod), ("G@", .badMethod), ("GET\t", .badMethod), ("GET\r", .badMethod),
        ("GET\n", .bareLF),
        ("\n", .bareLF), ("\rX", .bareCR), ("\r\n\r\n\r", .tooManyEmptyLines),
        (String(repeating: "M", count: 33), .methodTooLong),
        ("GET  ", .badTarget), ("GET /a#", .badTarget), ("GET /a\"", .badTarget), ("GET /a<", .badTarget),
        ("GET /\u{80}", .badTarget), ("GET /\u{7F}", .badTarget), ("GET a ", .badTarget), ("GET /a\n", .bareLF),
        ("GET /a\r", .badVersion), ("GET / h", .badVersion), ("GET / HTTP/1,", .badVersion),
        ("GET / HTTP/x", .badVersion),
        ("GET / HTTP/1.1 ", .badVersion), ("GET / HTTP/1.11", .badVersion), ("GET / HTTP/1.1\n", .bareLF),
        ("GET / HTTP/1.1\rX", .bareCR), ("GET / HTTP/2.0", .unsupportedVersion),
        ("GET / HTTP/2.0", .unsupportedVersion),
        ("PRI * HTTP/2.0", .unsupportedVersion), ("GET * HTTP/1.1", .badTarget), ("GET / \n", .bareLF),
    ])
    func refusesStartLinesOnSight(_ bytes: String, _ reason: MalformedRequest) {
        #expect(parse(bytes).0 == .malformed(reason))
        var parser = RequestParser()
        var pending = ByteBuffer()
        let all = latin1(bytes)
        for byte in all.dropLast() {
            pending.writeInteger(byte)
            #expect(parser.parse(pending) == .incomplete)
        }
        pending.writeBytes(all.suffix(1))
        #expect(parser.parse(pending) == .malformed(reason))
        pending.writeStaticString("more")
        #expect(parser.parse(pending) == .malformed(reason))
    }

    @Test(arguments: [
        ("X-A ", MalformedRequest.whitespaceBeforeColon), ("X\t", .whitespaceBeforeColon), (" ", .obsoleteFold),
        ("\t", .obsoleteFold),
        (":", .badFieldName), ("X(", .badFieldName), ("X\u{E9}", .badFieldName), ("X\0", .badFieldName),
        ("X\r", .missingColon),
        ("X\n", .bareLF), ("\n", .bareLF), ("X: a\n", .bareLF), ("X: a\rb", .bareCR), ("X: a\0", .badFieldValue),
        ("X: \u{7F}", .badFieldValue), ("X: \u{B}", .badFieldValue), ("\rX", .bareCR), ("X: a\r\n ", .obsoleteFold),
        ("Host: a\r\n", .duplicateHost), ("Content-Length: 1\r\nContent-Length: 1\r\n", .conflictingLength),
        ("Authorization: a\r\nAuthorization: a\r\n", .duplicateAuthorization),
        ("X-CR-Api-Token: a\r\nx-cr-api-token: a\r\n", .duplicateAPIToken),
        ("Expect: 100-continue\r\nExpect: 100-continue\r\n", .duplicateExpect),
        ("Expect: x\r\n", .unsupportedExpectation),
        ("Expect:\r\n", .unsupportedExpectation), ("Connection: host\r\n", .protectedFieldNominated),
        ("Connection: close, X-TollGate-Subject\r\n", .protectedFieldNominated),
        ("Connection: a b\r\n", .badConnection),
        ("Connection: \"a\"\r\n", .badConnection),
    ])
    func refusesFieldsOnSight(_ lines: String, _ reason: MalformedRequest) {
        let start = "GET / HTTP/1.1\r\nHost: h\r\n"
        let all = latin1(start + lines)
        var parser = RequestParser()
        #expect(parser.parse(ByteBuffer(bytes: all.dropLast())) == .incomplete)
        #expect(parser.parse(ByteBuffer(bytes: all)) == .malformed(reason))
        #expect(parse(start + lines).0 == .malformed(reason))
    }

    @Test func missingHostIsForHTTP10Only() {
        #expect(parse("GET / HTTP/1.1\r\n\r\n").0 == .malformed(.missingHost))
        let (progress, head) = parse("GET / HTTP/1.0\r\n\r\n")
        #expect(progress == .complete && head.authority.isEmpty && head.minorVersion == 0 && !head.keepAlive)
    }

    @Test func singletonsAreFound() {
        let (_, head) = parse(
            "GET / HTTP/1.1\r\nHost: h\r\nAuthorization: a\r\nX-CR-Api-Token: b\r\nX-Request-Id: c\r\ntraceparent: d\r\n\r\n"
        )
        #expect(head.authorization == 1 && head.apiToken == 2 && head.requestID == 3 && head.traceparent == 4)
        #expect(head.firstIndex(of: .traceparent) == 4 && head.firstIndex(of: .via) == nil)
    }

    @Test func expectationNeedsABodyAndHTTP11() {
        let field = "Host: h\r\nExpect: 100-Continue\r\n"
        #expect(parse("PUT / HTTP/1.1\r\n\(field)Content-Length: 1\r\n\r\n").1.expectsContinue)
        #expect(parse("PUT / HTTP/1.1\r\n\(field)Transfer-Encoding: chunked\r\n\r\n").1.expectsContinue)
        #expect(!parse("PUT / HTTP/1.1\r\n\(field)Content-Length: 0\r\n\r\n").1.expectsContinue)
        #expect(!parse("GET / HTTP/1.1\r\n\(field)\r\n").1.expectsContinue)
        #expect(!parse("PUT / HTTP/1.0\r\n\(field)Content-Length: 1\r\n\r\n").1.expectsContinue)
    }

    @Test func readsOneRequestAfterTheOther() {
        var parser = RequestParser()
        var pending = buffer("\r\nGET /1 HTTP/1.1\r\nHost: h\r\nAuthorization: x\r\n\r\nGET /2 HTTP/1.0\r\n\r\nGE")
        #expect(parser.isIdle == true)
        #expect(parser.parse(pending) == .complete)
        #expect(parser.parse(pending) == .complete)
        #expect(text(parser.head.target, of: pending) == "/1")
        pending.moveReaderIndex(forwardBy: parser.head.length)
        parser.reset()
        #expect(parser.parse(pending) == .complete)
        #expect(text(parser.head.target, of: pending) == "/2")
        #expect(parser.head.authorization == nil && parser.head.fields.isEmpty)
        pending.moveReaderIndex(forwardBy: parser.head.length)
        parser.reset()
        #expect(parser.parse(pending) == .incomplete)
        #expect(pending.readableBytes == 2 && !parser.isIdle)
    }

    /// The fields of the second request lie where those of the first lay: nothing is allocated for them.
    @Test func storageIsReused() {
        var parser = RequestParser()
        #expect(parser.parse(buffer(plain)) == .complete)
        let capacity = parser.head.fields.capacity
        for _ in 0..<3 {
            parser.reset()
            #expect(parser.head.fields.isEmpty && parser.head.fields.capacity == capacity)
            #expect(parser.parse(buffer(plain)) == .complete)
        }
    }
}
