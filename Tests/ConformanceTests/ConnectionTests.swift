import Foundation
import StrictJSON
import TestKit
import Testing

extension Conformance {
    @Suite("When a peer breaks off, stalls or comes back", .serialized, .bodies)
    struct ConnectionTests {
        let fixture: Fixture

        init() throws {
            fixture = try #require(Fixture.current)
            fixture.origin.play(RawOrigin.echo)
            fixture.origin.closeConnections()
            _ = eventually { fixture.origin.closedConnections == fixture.origin.connections }
            _ = fixture.origin.takeRequests()
        }

        @Test("an answer that comes while the body is still sent reaches the client whole")
        func earlyAnswer() throws {
            let latch = Latch()
            fixture.origin.play { _ in
                .beforeBody([
                    .text("HTTP/1.1 413 Too Large\r\nX-Origin: 1\r\nContent-Length: 5\r\n\r\nlarge"), .await(latch),
                ])
            }
            let client = try fixture.gateway.connect()
            client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n")
            let sender = client.sender
            Thread.detachNewThread { _ = sender([UInt8](repeating: 65, count: 50_000_000)) }
            let answer = client.answer()
            latch.open()
            #expect(answer?.status == 413)
            #expect(answer?.text == "large")
        }

        @Test(
            "a client that finished sending gets the whole of an answer that it takes late",
            arguments: Array(stride(from: 3_200_000, through: 4_400_000, by: 200_000)))
        func lateReader(_ length: Int) throws {
            fixture.origin.play { _ in
                .afterBody { _ in
                    [
                        .text("HTTP/1.1 200 OK\r\nX-Origin: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
                        .text(String(length, radix: 16) + "\r\n"), .send([UInt8](repeating: 65, count: length)),
                        .text("\r\n0\r\n\r\n"),
                    ]
                }
            }
            let client = try fixture.gateway.connect(receiveBuffer: 8192)
            let plans = fixture.origin.finishedPlans
            // An old client knows the end of the body by that of the connection alone.
            client.send("GET /late HTTP/1.0\r\nHost: a\r\nX-Request-Id: late-\(length)\r\n\r\n")
            client.finishSending()
            // Where the kernel holds less than the answer it is not over before the client reads.
            _ = eventually(within: .milliseconds(500)) { fixture.origin.finishedPlans > plans }
            let answer = client.answer()
            #expect(answer?.status == 200)
            #expect(answer?.body.count == length)
        }

        @Test("a head that is cut leaves a record", arguments: [true, false])
        func cutHead(_ byReset: Bool) throws {
            let before = fixture.gateway.auditLines.count
            let client = try fixture.gateway.connect()
            client.send("GET /cut HTTP/1.1\r\nHost: a")
            if byReset { client.reset() } else { client.close() }
            #expect(eventually { fixture.gateway.auditLines.count > before })
            let line = try #require(fixture.gateway.auditLines.last)
            let record = try JSON.parse(line, limits: .configuration)
            #expect(record.member("outcome")?.string == "client-gone")
        }

        /// The status of an answer that somebody else got, or this client before, is not that of a head that never became whole.
        @Test("the record of a cut head names no earlier answer's status")
        func cutHeadBehindAnAnswer() throws {
            let first = try fixture.gateway.connect()
            first.send("GET /before HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(first.answer()?.status == 200)
            let before = fixture.gateway.auditLines.count
            first.send("GET /cut HTTP/1.1\r\nHost: a")
            first.close()
            #expect(
                eventually {
                    fixture.gateway.auditLines.dropFirst(before).contains {
                        String(decoding: $0, as: UTF8.self).contains("client-gone")
                    }
                })
            let line = try #require(
                fixture.gateway.auditLines.last { String(decoding: $0, as: UTF8.self).contains("client-gone") })
            let record = try JSON.parse(line, limits: .configuration)
            #expect(record.member("outcome")?.string == "client-gone")
            #expect(String(decoding: line, as: UTF8.self).contains("\"status\":0"))
        }

        @Test("an early answer from an origin that closes at once is not lost")
        func earlyAnswerAndClose() throws {
            fixture.origin.play { _ in
                .beforeBody([.text("HTTP/1.1 401 No\r\nX-Origin: 1\r\nContent-Length: 2\r\n\r\nno"), .close])
            }
            let client = try fixture.gateway.connect()
            client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
            #expect(client.answer()?.status == 401)
        }

        @Test("after an early answer the rest of the body is never taken for a request")
        func earlyAnswerDesync() throws {
            fixture.origin.play { request in
                request.target == "/early"
                    ? .beforeBody([.text("HTTP/1.1 200 OK\r\nX-Origin: 1\r\nContent-Length: 2\r\n\r\nok")])
                    : RawOrigin.echo(request)
            }
            let client = try fixture.gateway.connect()
            let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"
            client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: \(smuggled.utf8.count)\r\n\r\n")
            #expect(client.answer()?.text == "ok")
            client.send(smuggled)
            client.finishSending()
            _ = client.peerCloses()
            #expect(!fixture.origin.requests.contains { $0.target.contains("smuggled") })
        }

        @Test(
            "a client that leaves in the middle of its body leaves no whole request behind", arguments: [true, false])
        func clientLeaves(_ byReset: Bool) throws {
            // A reset overtakes what was sent before it: the request must have reached the origin first.
            let latch = Latch()
            fixture.origin.play { request in
                if request.target == "/half" { latch.open() }
                return RawOrigin.echo(request)
            }
            let client = try fixture.gateway.connect()
            client.send(
                "POST /half HTTP/1.1\r\nHost: a\r\nX-Request-Id: gone-\(byReset)\r\nContent-Length: 10\r\n\r\nhello")
            #expect(eventually { latch.isOpen })
            if byReset { client.reset() } else { client.close() }
            #expect(eventually { fixture.origin.requests.contains { $0.target == "/half" } })
            #expect(fixture.origin.takeRequests().allSatisfy { $0.ending != .complete })
            let record = try fixture.auditRecord("gone-\(byReset)")
            // An orderly end looks like a client that sends no more but still listens, which is told of its mistake.
            let outcome = record.member("outcome")?.string
            #expect(outcome == "client-gone" || !byReset && outcome == "malformed")
            #expect(try fixture.gateway.get("/after")?.status == 200)
        }

        @Test("a client that leaves while the answer comes frees the origin's connection")
        func clientLeavesAnswer() throws {
            fixture.origin.play { request in
                request.target == "/endless"
                    ? .afterBody { _ in
                        [
                            .text("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"),
                            .sendMany([UInt8](repeating: 65, count: 65536), times: 1_000_000),
                        ]
                    } : RawOrigin.echo(request)
            }
            let client = try fixture.gateway.connect()
            client.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.head()?.status == 200)
            let closed = fixture.origin.closedConnections
            client.reset()
            #expect(eventually { fixture.origin.closedConnections > closed })
            #expect(try fixture.gateway.get("/after")?.status == 200)
        }

        @Test(
            "an origin that breaks off: the client sees the cut, never a completed answer",
            arguments: ["Content-Length: 10\r\n\r\nhello", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"],
            [true, false])
        func originBreaksOff(_ rest: String, _ byReset: Bool) throws {
            let latch = Latch()
            fixture.origin.play { _ in
                .afterBody { _ in
                    [.text("HTTP/1.1 200 OK\r\nX-Origin: 1\r\n" + rest), .await(latch), byReset ? .reset : .close]
                }
            }
            let client = try fixture.gateway.connect()
            client.send("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n")
            let head = client.head()
            latch.open()
            #expect(head?.status == 200)
            #expect(client.peerCloses())
            let seen = fromLatin1(client.rest)
            #expect(seen.contains("hello"))
            #expect(!seen.hasSuffix("0\r\n\r\n"))
        }

        @Test("an answer that ends with the connection is cut by a reset, not ended by it")
        func resetIsNoEnd() throws {
            let latch = Latch()
            fixture.origin.play { _ in
                .afterBody { _ in [.text("HTTP/1.1 200 OK\r\nX-Origin: 1\r\n\r\nhello"), .await(latch), .reset] }
            }
            let client = try fixture.gateway.connect()
            client.send("GET /cut HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.head()?.status == 200)
            latch.open()
            #expect(client.peerCloses())
            #expect(!fromLatin1(client.rest).hasSuffix("0\r\n\r\n"))
        }

        @Test("an origin that resets before its head: 502")
        func originResets() throws {
            fixture.origin.play { _ in .afterBody { _ in [.text("HTTP/1.1 200 OK\r\nCont"), .reset] } }
            _ = try Problem(try fixture.gateway.get("/reset"), status: 502)
        }

        @Test("the connection to the origin is used again")
        func reuse() throws {
            let before = fixture.origin.connections
            let client = try fixture.gateway.connect()
            for number in 0..<50 {
                client.send("GET /r/\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(client.answer()?.status == 200)
            }
            #expect(fixture.origin.connections - before == 1)
        }

        @Test("no connection is shared by two requests at once")
        func exclusive() throws {
            let latch = Latch()
            fixture.origin.play { request in
                .afterBody { request in
                    [.await(latch), .text("HTTP/1.1 200 OK\r\nContent-Length: \(request.target.utf8.count)\r\n\r\n")]
                        + [.text(request.target)]
                }
            }
            let clients = try (0..<20).map { _ in try fixture.gateway.connect() }
            for (number, client) in clients.enumerated() {
                client.send("GET /x/\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
            }
            #expect(eventually { fixture.origin.requests.count == 20 })
            #expect(Set(fixture.origin.requestsByConnection.map(\.connection)).count == 20)
            latch.open()
            for (number, client) in clients.enumerated() { #expect(client.answer()?.text == "/x/\(number)") }
        }

        @Test("idle connections that the origin closed are not used")
        func stalePool() throws {
            for round in 0..<5 {
                #expect(try fixture.gateway.get("/s/\(round)")?.status == 200)
                fixture.origin.closeConnections()
            }
            #expect(try fixture.gateway.get("/s/last")?.status == 200)
        }

        @Test("a GET on a pooled connection that dies without an answer is sent again once; a POST is not")
        func retry() throws {
            let origin = fixture.origin
            origin.play { _ in
                .afterBody { request in
                    // A connection serves one request and ends at the second.
                    let seen = origin.requestsByConnection
                    let mine = seen.last { $0.message.rawHead == request.rawHead }?.connection
                    let isFirst = seen.count { $0.connection == mine } == 1
                    return isFirst
                        ? [.text("HTTP/1.1 200 OK\r\nX-Origin: 1\r\nContent-Length: 0\r\n\r\n")] : [.close]
                }
            }
            let client = try fixture.gateway.connect()
            client.send("GET /first HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.answer()?.status == 200)
            client.send("GET /second HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.answer()?.status == 200)
            #expect(origin.requests.count { $0.target == "/second" } == 2)
            client.send("POST /third HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
            #expect(client.answer()?.status == 502)
            #expect(origin.requests.count { $0.target == "/third" } == 1)
        }

        @Test("an origin that nobody listens on: 502 or 503, and back again when it listens")
        func originDown() throws {
            let port = try Socket.freePort()
            let configuration: @Sendable (RawOrigin) -> Literal = { origin in
                Configuration.oracle(origin).merging(["upstreams": ["origin": Configuration.impatient(port: port)]])
            }
            let down = try Fixture(configuration)
            for _ in 0..<3 {
                let answer = try down.gateway.get("/x")
                #expect([502, 503].contains(answer?.status ?? 0))
                if answer?.status == 503 { #expect(answer?.value("retry-after") != nil) }
            }
            let late = try RawOrigin(port: port)
            let recovered = try eventually(within: .seconds(60)) { try down.gateway.get("/x")?.status == 200 }
            #expect(recovered)
            late.stop()
        }

        @Test("a client that does not read holds the origin back, not the gateway's memory")
        func backPressureDown() throws {
            let total = 200 << 20
            let fixture = try Fixture(Configuration.oracle) { _ in
                .afterBody { _ in
                    [
                        .text("HTTP/1.1 200 OK\r\nX-Origin: 1\r\nContent-Length: \(total)\r\n\r\n"),
                        .sendMany([UInt8](repeating: 66, count: 1 << 20), times: 200),
                    ]
                }
            }
            let before = try #require(fixture.gateway.memory("VmRSS"))
            let client = try fixture.gateway.connect(receiveBuffer: 32768)
            client.send("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.head()?.status == 200)
            // Time for a gateway without back-pressure to show it; one that has it passes however long this takes.
            _ = eventually(within: .seconds(3)) { fixture.origin.finishedPlans > 0 }
            #expect(fixture.origin.finishedPlans == 0, "the origin could send everything")
            let (count, isRight) = client.countBody(length: total, of: 66, within: .seconds(600))
            #expect(count == total)
            #expect(isRight)
            let peak = try #require(fixture.gateway.memory("VmHWM"))
            #expect(peak - before < 32 * 1024, "grew by \(peak - before) KiB")
        }

        @Test("an origin that does not read holds the client back, not the gateway's memory")
        func backPressureUp() throws {
            let total = 200 << 20
            let latch = Latch()
            let fixture = try Fixture(Configuration.oracle) { _ in
                .beforeBody([.await(latch), .text("HTTP/1.1 200 OK\r\nX-Origin: 1\r\nContent-Length: 0\r\n\r\n")])
            }
            let before = try #require(fixture.gateway.memory("VmRSS"))
            let client = try fixture.gateway.connect()
            client.send("POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: \(total)\r\n\r\n")
            let sender = client.sender
            let sent = Latch()
            Thread.detachNewThread {
                let piece = [UInt8](repeating: 66, count: 1 << 20)
                for _ in 0..<200 where !sender(piece) { break }
                sent.open()
            }
            _ = eventually(within: .seconds(3)) { sent.isOpen }
            #expect(!sent.isOpen, "the client could send everything")
            latch.open()
            sent.wait()
            #expect(client.answer()?.status == 200)
            let peak = try #require(fixture.gateway.memory("VmHWM"))
            #expect(peak - before < 32 * 1024, "grew by \(peak - before) KiB")
        }
    }
}
