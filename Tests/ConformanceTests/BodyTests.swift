import Foundation
import TestKit
import Testing

extension Conformance {
    @Suite("Bodies and framing", .serialized, .bodies)
    struct BodyTests {
        let fixture: Fixture

        init() throws {
            fixture = try #require(Fixture.current)
            fixture.origin.play(RawOrigin.echo)
            _ = fixture.origin.takeRequests()
        }

        static func chunked(_ bytes: [UInt8], seed: UInt64) -> [UInt8] {
            var random = SeededGenerator(seed: seed)
            var result: [UInt8] = []
            var start = 0
            while start < bytes.count {
                let end = min(bytes.count, start + Int.random(in: 1...100_000, using: &random))
                result += latin1(String(end - start, radix: 16) + "\r\n") + bytes[start..<end] + [13, 10]
                start = end
            }
            return result + latin1("0\r\n\r\n")
        }

        /// Sends on a thread of its own, so that the answer can be read meanwhile.
        private func sendAside(_ bytes: [UInt8], on client: RawClient) {
            let sender = client.sender
            Thread.detachNewThread { _ = sender(bytes) }
        }

        @Test("10 MB up and down with Content-Length")
        func length() throws {
            let body = BodyPattern.bytes(10_000_000)
            let client = try fixture.gateway.connect()
            sendAside(
                latin1("POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\r\n") + body, on: client)
            let answer = client.answer(within: .seconds(120))
            #expect(answer?.status == 200)
            #expect(answer?.body == body)
            #expect(fixture.origin.takeRequests().first?.body == body)
        }

        @Test("10 MB up and down in chunks")
        func chunks() throws {
            let body = BodyPattern.bytes(10_000_000)
            let framed = Self.chunked(body, seed: 7)
            fixture.origin.play { _ in
                .afterBody { request in
                    let framed = Self.chunked(request.body, seed: 8)
                    return [
                        .text("HTTP/1.1 200 OK\r\nX-Origin: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), .send(framed),
                    ]
                }
            }
            let client = try fixture.gateway.connect()
            sendAside(
                latin1("POST /up HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n") + framed, on: client)
            let answer = client.answer(within: .seconds(120))
            #expect(answer?.status == 200)
            #expect(answer?.ending == .complete)
            #expect(answer?.body == body)
            #expect(fixture.origin.takeRequests().first?.body == body)
            client.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.answer()?.status == 200)
        }

        @Test("an answer that ends with the connection is whole for the client, and framed")
        func untilClose() throws {
            let body = BodyPattern.bytes(1_000_000)
            fixture.origin.play { _ in
                .afterBody { _ in [.text("HTTP/1.1 200 OK\r\nX-Origin: 1\r\n\r\n"), .send(body), .close] }
            }
            let answer = try fixture.gateway.get("/close")
            #expect(answer?.body == body)
            #expect(answer?.ending == .complete)
        }

        @Test("100-continue: the client is told to go on, and the body arrives")
        func expectContinue() throws {
            let client = try fixture.gateway.connect()
            client.send("POST /up HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
            #expect(client.head()?.status == 100)
            client.send("hello")
            let answer = client.answer()
            #expect(answer?.status == 200)
            #expect(answer?.text == "hello")
            #expect(fixture.origin.takeRequests().count == 1)
        }

        @Test("100-continue refused: the final answer comes without a 100, and the body is not awaited")
        func expectRefused() throws {
            let client = try fixture.gateway.connect()
            client.send("POST /admin/x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
            #expect(client.head()?.status == 403)
            #expect(fixture.origin.takeRequests().isEmpty)
        }

        @Test("HEAD: the length of a body that does not come; the connection goes on")
        func head() throws {
            fixture.origin.play { _ in .answer("HTTP/1.1 200 OK\r\nX-Origin: 1\r\nContent-Length: 1234\r\n\r\n") }
            let client = try fixture.gateway.connect()
            client.send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = client.answer(toHEAD: true)
            #expect(answer?.value("content-length") == "1234")
            fixture.origin.play(RawOrigin.echo)
            client.send("GET /b HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.answer()?.status == 200)
        }

        @Test(
            "HEAD: no body either where the head itself is refused (RFC 9110 §9.3.2)",
            arguments: [
                ("HEAD /a HTTP/1.1\r\nHost : a\r\n\r\n", 400), ("HEAD /a HTTP/1.1\r\n\r\n", 400),
                ("HEAD /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400), ("HEAD /a HTTP/2.0\r\nHost: a\r\n\r\n", 505),
                ("HEAD /a HTTP/1.1\r\nHost: a\r\nExpect: b\r\n\r\n", 417),
                ("HEAD /\(String(repeating: "a", count: 20_000)) HTTP/1.1\r\n", 414),
                ("HEAD /a HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "a", count: 40_000))", 431),
            ])
        func refusedHead(_ head: String, _ status: Int) throws {
            let client = try fixture.gateway.connect()
            client.send(head)
            let answer = client.answer(toHEAD: true)
            #expect(answer?.status == status)
            #expect(answer?.value("content-length") != nil)
            #expect(client.peerCloses())
            #expect(client.rest.isEmpty, "\(client.rest.count) bytes of a body")
        }

        @Test("CONNECT: refused, and what is meant for a tunnel is no request")
        func tunnel() throws {
            let client = try fixture.gateway.connect()
            client.send("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = client.answer()
            #expect(answer?.status == 405)
            #expect(answer?.value("connection") == "close")
            #expect(answer?.value("allow")?.isEmpty == false)
            #expect(client.peerCloses())
            #expect(fixture.origin.takeRequests().isEmpty)
        }

        @Test("a request is sent again once, not twice (RFC 9110 §9.2.2)")
        func again() throws {
            fixture.origin.play { _ in .beforeBody([.close]) }
            for (method, times) in [("GET", 2), ("OPTIONS", 2), ("PATCH", 1)] {
                let client = try fixture.gateway.connect()
                client.send("\(method) /a HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(client.answer()?.status == 502)
                #expect(fixture.origin.takeRequests().count == times, "\(method)")
            }
        }

        @Test(
            "answers that have no body by their status",
            arguments: [
                "204 No Content\r\n", "304 Not Modified\r\n", "304 Not Modified\r\nContent-Length: 5\r\n",
                "204 No Content\r\nETag: \"1\"\r\n",
            ])
        func bodiless(_ lines: String) throws {
            fixture.origin.play { _ in .answer("HTTP/1.1 \(lines)X-Origin: 1\r\n\r\n") }
            let client = try fixture.gateway.connect()
            client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.answer()?.status == Int(lines.prefix(3)))
            fixture.origin.play(RawOrigin.echo)
            client.send("POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nnew")
            #expect(client.answer()?.text == "new")
        }

        @Test("interim answers are handed on or dropped, the final one comes once")
        func interim() throws {
            fixture.origin.play { _ in
                .answer(
                    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            }
            let client = try fixture.gateway.connect()
            client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            var interim: [Int] = []
            #expect(client.answer { interim.append($0.status) }?.text == "ok")
            #expect(interim == [] || interim == [103])
        }

        @Test("HTTP/1.0: no chunks, and the connection ends with the answer")
        func oldClient() throws {
            fixture.origin.play { _ in
                .answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
            }
            let client = try fixture.gateway.connect()
            client.send("GET /old HTTP/1.0\r\nHost: a\r\n\r\n")
            let answer = client.answer()
            #expect(answer?.values("transfer-encoding") == [])
            #expect(answer?.text == "hello")
            #expect(client.peerCloses())
            #expect(fixture.origin.takeRequests().first?.startLine == "GET /old HTTP/1.1")
        }

        @Test("Connection: close is honoured towards the client and does not travel on")
        func close() throws {
            let client = try fixture.gateway.connect()
            client.send("GET /a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            let answer = client.answer()
            #expect(answer?.status == 200)
            #expect(answer?.value("connection")?.lowercased() == "close")
            #expect(client.peerCloses())
            let named = fixture.origin.takeRequests().first?.value("connection")?.lowercased()
            #expect(named == nil || named == "keep-alive")
        }

        @Test("pipelined requests are answered in their order, bodies and all")
        func pipelining() throws {
            let client = try fixture.gateway.connect()
            var bytes: [UInt8] = []
            for number in 0..<30 {
                let body = BodyPattern.bytes(number * 997)
                let head = "POST /p/\(number) HTTP/1.1\r\nHost: a\r\n"
                if number % 3 == 0 {
                    bytes += latin1(head + "Transfer-Encoding: chunked\r\n\r\n")
                    bytes += Self.chunked(body, seed: UInt64(number))
                } else {
                    bytes += latin1(head + "Content-Length: \(body.count)\r\n\r\n") + body
                }
            }
            sendAside(bytes, on: client)
            for number in 0..<30 {
                #expect(client.answer()?.body == BodyPattern.bytes(number * 997), "answer \(number)")
            }
            #expect(fixture.origin.takeRequests().map(\.target) == (0..<30).map { "/p/\($0)" })
        }

        @Test("many small chunks arrive as what they carry")
        func smallChunks() throws {
            let client = try fixture.gateway.connect()
            let body = BodyPattern.bytes(3000)
            let framed = body.flatMap { latin1("1\r\n") + [$0, 13, 10] } + latin1("0\r\n\r\n")
            sendAside(latin1("POST /s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n") + framed, on: client)
            #expect(client.answer()?.body == body)
        }

        @Test("query, case, order and obs-text of what is forwarded stay as they came")
        func verbatim() throws {
            let client = try fixture.gateway.connect()
            client.send(
                "GET /v/a%20b?q=%2F..%2F&x=a+b%00 HTTP/1.1\r\nHost: a\r\nX-Two: 1\r\nX-oNe: \u{E9}\r\nX-Two: 2\r\n\r\n")
            #expect(client.answer()?.status == 200)
            let request = try #require(fixture.origin.takeRequests().first)
            #expect(request.target == "/v/a%20b?q=%2F..%2F&x=a+b%00")
            let head = fromLatin1(request.rawHead)
            #expect(head.contains("X-oNe: \u{E9}\r\n"))
            #expect(request.values("x-two") == ["1", "2"])
            #expect(request.value("host") == "a")
        }
    }
}

extension Trait where Self == Fixtures {
    /// The gateway of the oracle with one worker, for tests that put their own scripts into the origin.
    static var bodies: Self { Fixtures { try Fixture(Configuration.oracle) } }
}
