import Foundation
import StrictJSON
import TestKit
import Testing

extension Conformance {
    @Suite("Clients that stall or send too much", .serialized, .limited)
    struct LimitTests {
        let fixture: Fixture

        init() throws {
            fixture = try #require(Fixture.current)
            _ = fixture.origin.takeRequests()
        }

        /// What the gateway says, if anything, before it ends the connection; -1 when it does not end it.
        private func ending(of client: RawClient) -> Int {
            let answer = client.answer()
            guard client.peerCloses() else { return -1 }
            return answer?.status ?? 0
        }

        @Test("half a head: 408 or an end", arguments: ["GET /a HTTP/1.1\r\nHost: a\r\n", "G", "\r\n"])
        func halfHead(_ text: String) throws {
            let client = try fixture.gateway.connect()
            client.send(text)
            #expect([0, 408].contains(ending(of: client)))
        }

        @Test("a head that drips in byte by byte is not waited for without end")
        func drip() throws {
            let client = try fixture.gateway.connect()
            let sender = client.sender
            Thread.detachNewThread {
                guard sender(latin1("GET /drip HTTP/1.1\r\nHost: a\r\nX: ")) else { return }
                for _ in 0..<300 where sender([65]) { Thread.sleep(forTimeInterval: 0.1) }
            }
            #expect([0, 408].contains(ending(of: client)))
        }

        @Test("half a body: 408 or an end, and no whole request at the origin")
        func halfBody() throws {
            let client = try fixture.gateway.connect()
            client.send("POST /half HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello")
            #expect([0, 408].contains(ending(of: client)))
            #expect(fixture.origin.takeRequests().allSatisfy { $0.ending != .complete })
        }

        @Test("a body that drips in below the minimum rate: 408, and the record says why")
        func slowBody() throws {
            let client = try fixture.gateway.connect()
            client.send("POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nhello")
            var answer: Message?
            for _ in 0..<800 where answer == nil {
                client.send("x")
                answer = client.answer(within: .milliseconds(20))
            }
            let problem = try Problem(answer, status: 408)
            #expect(try reason(of: problem.decision, fixture) == "body-too-slow")
            #expect(client.peerCloses())
            #expect(fixture.origin.takeRequests().allSatisfy { $0.ending != .complete })
        }

        /// Whether a client that goes on and on with a byte at a time is let go of.
        private func isCutWhileDripping(_ client: RawClient) -> Bool {
            let isCut = Latch()
            let sender = client.sender
            Thread.detachNewThread {
                while sender([65]) { Thread.sleep(forTimeInterval: 0.05) }
                isCut.open()
            }
            return eventually { isCut.isOpen }
        }

        @Test("the body of a refused request that drips in is not swallowed for ever")
        func slowRefusedBody() throws {
            let client = try fixture.gateway.connect()
            client.send("POST /%zz HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n")
            _ = try Problem(client.answer(), status: 400)
            #expect(isCutWhileDripping(client))
        }

        @Test("a client that reads its answer below the minimum rate is cut off, and the record says why")
        func slowReader() throws {
            let fixture = try Fixture { origin in
                Configuration.oracle(origin).merging([
                    "limits": ["bodyTimeout": "1s", "minimumAnswerRate": "1MiB"]
                ])
            }
            fixture.origin.play { _ in
                let piece = [UInt8](repeating: 65, count: 1 << 20)
                return .beforeBody([
                    .text("HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n"),
                    .sendMany(piece, times: 1024),
                ])
            }
            let client = try fixture.gateway.connect(receiveBuffer: 8192)
            client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            let head = try #require(client.head())
            // Some 400 KB a second, however fast the machine is; and it never pauses for long.
            let one = client.rest.count + 1
            for _ in 0..<1000 where client.countBody(length: one, of: 65, within: .seconds(20)).count >= one {
                Thread.sleep(forTimeInterval: 0.02)
            }
            #expect(client.peerCloses())
            let decision = try #require(head.value("x-request-id"))
            #expect(try reason(of: decision, fixture) == "answer-too-slow")
        }

        /// What the audit record of a decision gives as the reason.
        private func reason(of decision: String, _ fixture: Fixture) throws -> String? {
            var reason: String?
            _ = try eventually {
                reason = try fixture.gateway.auditLines.lazy
                    .map { try JSON.parse($0, limits: .configuration) }
                    .first { $0.member("decision")?.string == decision }?.member("reason")?.string
                return reason != nil
            }
            return reason
        }

        @Test("an idle connection is ended in order")
        func idle() throws {
            let client = try fixture.gateway.connect()
            client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.answer()?.status == 200)
            #expect(client.peerCloses())
            #expect(!client.wasReset)
            #expect(client.rest.isEmpty)
            let silent = try fixture.gateway.connect()
            #expect(silent.peerCloses())
        }

        @Test("a body over the bound: 413 by its length, never whole in chunks")
        func largeBody() throws {
            let client = try fixture.gateway.connect()
            client.send("POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n")
            _ = try Problem(client.answer(), status: 413)
            let chunked = try fixture.gateway.connect()
            let chunk = "100\r\n" + String(repeating: "x", count: 256) + "\r\n"
            chunked.send("POST /large HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
            chunked.send(String(repeating: chunk, count: 5) + "0\r\n\r\n")
            let status = chunked.answer()?.status
            #expect(status == 413 || status == nil && chunked.isEnded)
            #expect(fixture.origin.takeRequests().allSatisfy { $0.ending != .complete })
            let fits = try fixture.gateway.request("POST", "/fits", body: [UInt8](repeating: 1, count: 1000))
            #expect(fits?.status == 200)
        }

        @Test("heads over the bounds: 431 and 414, in the form of every refusal")
        func largeHead() throws {
            for (head, status) in [
                ("GET /a HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X-A: b\r\n", count: 40), 431),
                ("GET /a HTTP/1.1\r\nHost: a\r\nX-A: " + String(repeating: "b", count: 3000) + "\r\n", 431),
                ("GET /" + String(repeating: "b", count: 600) + " HTTP/1.1\r\nHost: a\r\n", 414),
            ] {
                let client = try fixture.gateway.connect()
                client.send(head + "\r\n")
                _ = try Problem(client.answer(), status: status)
                #expect(client.peerCloses())
            }
        }

        @Test("a client that goes on dripping after its refusal is let go of", arguments: ["G G G\r\n\r\n", "G"])
        func dripAfterRefusal(_ start: String) throws {
            let client = try fixture.gateway.connect()
            client.send(start)
            #expect(isCutWhileDripping(client))
        }

        @Test("a client that does not read its answers is not served on: they would pile up in the gateway")
        func unreadAnswers() throws {
            let body = [UInt8](repeating: 65, count: 20000)
            fixture.origin.play { _ in
                .afterBody { _ in
                    [.text("HTTP/1.1 200 OK\r\nX-Origin: 1\r\nContent-Length: 20000\r\n\r\n"), .send(body)]
                }
            }
            let padding = String(repeating: "b", count: 1000)
            let request = "GET /unread HTTP/1.1\r\nHost: a\r\nX-A: \(padding)\r\n\r\n"
            let requests = latin1(String(repeating: request, count: 20000))
            let client = try fixture.gateway.connect(receiveBuffer: 8192)
            #expect(!client.sender(requests), "the gateway should have stopped reading, and then the connection")
            let served = fixture.origin.takeRequests().count
            #expect((1..<2000).contains(served), "\(served) answers were made that nobody reads")
            fixture.origin.play(RawOrigin.echo)
        }

        @Test("hundreds of stalled connections do not keep others out, and are ended")
        func many() throws {
            let stalled = try (0..<300).map { _ in
                let client = try fixture.gateway.connect()
                client.send("GET /a HTTP/1.1\r\nHost: a\r\nX-Half")
                return client
            }
            #expect(try fixture.gateway.get("/a")?.status == 200)
            for client in stalled { #expect(client.peerCloses()) }
        }
    }
}

extension Trait where Self == Fixtures {
    /// The gateway of the oracle with narrow bounds.
    static var limited: Self {
        Fixtures {
            try Fixture { origin in
                Configuration.oracle(origin).merging([
                    "limits": [
                        "headerTimeout": "1s", "bodyTimeout": "1s", "idleTimeout": "1s", "maximumBodyBytes": 1000,
                        "maximumFields": 20, "maximumFieldBytes": 1024, "maximumTargetBytes": 512,
                        "maximumHeadBytes": 4096,
                    ]
                ])
            }
        }
    }
}
