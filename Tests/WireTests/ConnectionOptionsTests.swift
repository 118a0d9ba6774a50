import Testing
import Wire

@Suite struct ConnectionOptionsTests {
    private func head(_ lines: String, minor: Int = 1) -> KeptRequestHead {
        parse("GET / HTTP/1.\(minor)\r\nHost: h\r\n\(lines)\r\n").1
    }

    @Test func keepAliveByVersion() {
        #expect(head("").keepAlive)
        #expect(head("Connection: keep-alive\r\n").keepAlive)
        #expect(!head("Connection: Close\r\n").keepAlive)
        #expect(!head("Connection: keep-alive\r\nConnection: x, ,close\r\n").keepAlive)
        #expect(!head("", minor: 0).keepAlive)
        #expect(head("Connection: Keep-Alive\r\n", minor: 0).keepAlive)
        #expect(!head("Connection: keep-alive, close\r\n", minor: 0).keepAlive)
    }

    @Test func namedFieldsAreMarked() {
        let head = head("X-Hop: 1\r\nx-stay: 2\r\nConnection: x-hop, keep-alive, TE\r\nTE: trailers\r\nX-HOP: 3\r\n")
        #expect(head.fields.map(\.isNominated) == [false, true, false, false, true, true])
    }

    @Test(arguments: [
        "authorization", "cookie", "host", "content-length", "Transfer-Encoding", "x-tollgate-x", "x-cr-api-token",
        "x-forwarded-for", "X-Request-ID", "traceparent", "expect", "x-ditto-pre-authenticated", "via",
    ])
    func protectedNamesAreRefused(_ name: String) {
        let (progress, _) = parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: a, \(name)\r\n\r\n")
        #expect(progress == .malformed(.protectedFieldNominated))
        // A response names whatever it likes; end-to-end fields stay.
        let (response, head) = parseResponse(
            "HTTP/1.1 200 X\r\nConnection: \(name), x\r\n\(name): chunked\r\nX: 1\r\n\r\n")
        if response == .complete { #expect(head.fields.map(\.isNominated) == [false, false, true]) }
    }

    @Test func manyOptionsAreRefused() {
        func list(_ count: Int) -> String { Array(repeating: "x", count: count).joined(separator: ",") }
        #expect(parse("GET / HTTP/1.0\r\nConnection: \(list(64))\r\n\r\n").0 == .complete)
        #expect(parse("GET / HTTP/1.0\r\nConnection: \(list(65))\r\n\r\n").0 == .malformed(.badConnection))
        #expect(
            parse("GET / HTTP/1.0\r\nConnection: \(list(40))\r\nConnection: \(list(40))\r\n\r\n").0
                == .malformed(.badConnection))
    }

    @Test func upgradeNeedsConnectionAndHTTP11() {
        #expect(head("Connection: Upgrade\r\nUpgrade: websocket\r\n").upgrade == 2)
        #expect(head("Upgrade: websocket\r\n").upgrade == nil)
        #expect(head("Connection: upgrade\r\n").upgrade == nil)
        #expect(head("Connection: upgrade\r\nUpgrade: websocket\r\n", minor: 0).upgrade == nil)
        #expect(head("Connection: upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n").upgrade == nil)
    }

    @Test func trailersAreTakenByWhoSaysSo() {
        #expect(head("TE: trailers\r\n").acceptsTrailers)
        #expect(head("TE: gzip;q=0.5 ,\tTrailers\r\n").acceptsTrailers)
        #expect(head("TE: gzip\r\nTE: trailers\r\n").acceptsTrailers)
        for value in ["", "gzip", "trailers2", "x-trailers", "trailers;q=1"] {
            #expect(!head("TE: \(value)\r\n").acceptsTrailers)
        }
        #expect(!head("X-TE: trailers\r\n").acceptsTrailers)
    }
}
