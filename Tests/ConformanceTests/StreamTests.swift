import Foundation
import HTTP2
import NIOConcurrencyHelpers
import StrictJSON
import TestKit
import Testing

extension Conformance {
    @Suite("WebSockets, other tunnels and event streams", .serialized)
    struct StreamTests {
        private static let key = ("x-cr-api-token", Configuration.otherToken)
        private static let switched =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
        private static let hangup = SIGHUP

        /// A frame of text as a client sends it, with a key of zeros.
        private static func masked(_ text: String) -> [UInt8] {
            [0x81, 0x80 | UInt8(text.utf8.count), 0, 0, 0, 0] + text.utf8
        }

        private static func plain(_ text: String) -> [UInt8] { [0x81, UInt8(text.utf8.count)] + text.utf8 }

        private static func request(
            _ target: String, _ fields: [(String, String)] = [key], protocol name: String = "websocket"
        ) -> String {
            "GET \(target) HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: \(name)\r\n"
                + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                + fields.map { "\($0): \($1)\r\n" }.joined() + "\r\n"
        }

        /// The contract with another protocol on one route and other limits.
        private static func configuration(
            _ origin: RawOrigin, limits: Literal = [:], solutions: Literal? = nil
        ) -> Literal {
            let base = Configuration.contract(origin)
            var changes: Literal = [
                "workers": 1, "limits": limits,
                "routes": [
                    [
                        "name": "things", "match": ["path": "/api/2/things/**"], "upstream": "origin",
                        "authenticate": ["jwt", "apiToken", "basic"], "requireSolution": true,
                        "policy": ["use": "things", "resource": "thing:/{rest}"],
                    ],
                    Configuration.route("any", "/any/**", ["jwt", "apiToken", "basic"]),
                    Configuration.route("public", "/public/**", []),
                    Configuration.route("raw", "/raw/**", []).merging(["upgrades": ["raw"]]),
                    Configuration.route("none", "/none/**", []).merging(["upgrades": []]),
                ],
            ]
            if let solutions { changes = changes.merging(["solutions": solutions]) }
            return base.merging(changes)
        }

        /// A gateway whose origin switches protocols, says "hi", and holds the tunnel until the latch opens.
        private func tunnelled(
            limits: Literal = [:], greeting: [UInt8] = plain("hi"), until latch: Latch = Latch()
        ) throws -> Fixture {
            try Fixture({ Self.configuration($0, limits: limits) }) { request in
                guard let name = request.value("upgrade") else { return RawOrigin.echo(request) }
                return .afterBody { _ in
                    [
                        .text(Self.switched.replacing("websocket", with: name)), .send(greeting), .await(latch),
                    ]
                }
            }
        }

        private func open(_ fixture: Fixture, _ request: String = request("/any/socket")) throws -> RawClient {
            let client = try fixture.gateway.connect()
            client.send(request)
            let head = try #require(client.head())
            #expect(head.status == 101)
            return client
        }

        private func records(_ fixture: Fixture, _ decision: String) throws -> [JSON] {
            try fixture.gateway.auditLines.map { try JSON.parse($0, limits: .configuration) }
                .filter { $0.member("decision")?.string == decision }
        }

        /// Both records of a stream once they are written.
        private func records(_ fixture: Fixture, of answer: Message) throws -> [JSON] {
            let decision = try #require(answer.value("x-request-id"))
            #expect(try eventually { try records(fixture, decision).count == 2 })
            return try records(fixture, decision)
        }

        /// The code of the close frame that came, behind the greeting if that was there already; nil when there is none.
        private func closeCode(_ client: RawClient) -> Int? {
            let greeting = Self.plain("hi")
            let frame = client.rest.dropFirst(client.rest.starts(with: greeting) ? greeting.count : 0)
            guard frame.first == 0x88, frame.count >= 4 else { return nil }
            return frame.dropFirst(2).prefix(2).reduce(0) { $0 << 8 | Int($1) }
        }

        @Test("a WebSocket is admitted once, passes both ways, and leaves two records")
        func both() throws {
            let fixture = try Fixture({ Self.configuration($0) }) { _ in
                .afterBody { _ in [.text(Self.switched), .send(Self.plain("hi")), .hang] }
            }
            let client = try fixture.gateway.connect()
            client.send(Self.request("/any/socket"))
            let answer = try #require(client.head())
            #expect(answer.status == 101)
            #expect(answer.value("upgrade") == "websocket")
            #expect(answer.value("connection") == "upgrade")
            #expect(answer.value("sec-websocket-accept") != nil)
            let seen = try #require(fixture.origin.requests.first)
            #expect(seen.values("upgrade") == ["websocket"] && seen.values("connection") == ["upgrade"])
            #expect(seen.value("sec-websocket-key") != nil && seen.value("x-cr-api-token") == nil)
            #expect(seen.value("x-tollgate-solution") == "other")
            #expect(try eventually { try fixture.hasMetric(#"tollgate_streams{kind="websocket"} 1"#) })
            client.send(Self.masked("hello"))
            client.send([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8])
            client.finishSending()
            #expect(client.peerCloses())
            #expect(client.rest == Self.plain("hi"))
            let records = try records(fixture, of: answer)
            #expect(records.map { $0.member("phase")?.string } == ["open", "close"])
            #expect(records.map { $0.member("status")?.number?.integer } == [101, 101])
            #expect(records.map { $0.member("outcome")?.string } == ["admitted", "admitted"])
            #expect(records.last?.member("reason")?.string == "closed")
            let count = Int64(Self.request("/any/socket").utf8.count)
            #expect(records.map { $0.member("bytesIn")?.number?.integer } == [count, count + 11 + 8])
            #expect(try eventually { try fixture.hasMetric(#"tollgate_streams{kind="websocket"} 0"#) })
            #expect(try fixture.hasMetric(#"tollgate_streams_closed_total{kind="websocket",reason="closed"} 1"#))
        }

        @Test("where it is not allowed, the origin is not asked to switch", arguments: ["/none/x", "/raw/x"])
        func notAllowed(_ target: String) throws {
            let fixture = try Fixture { Self.configuration($0) }
            let client = try fixture.gateway.connect()
            client.send(Self.request(target))
            #expect(client.answer()?.status == 200)
            let seen = try #require(fixture.origin.requests.first)
            #expect(seen.value("upgrade") == nil && seen.value("connection") == nil)
        }

        @Test("what is pipelined behind the request waits: a tunnel's after 101, a request after anything else")
        func pipelined() throws {
            let latch = Latch()
            let fixture = try Fixture({ Self.configuration($0) }) { request in
                guard request.target == "/public/socket" else { return RawOrigin.echo(request) }
                return .afterBody { _ in [.await(latch), .text("HTTP/1.1 426 No\r\nContent-Length: 0\r\n\r\n")] }
            }
            let client = try fixture.gateway.connect()
            client.send(Self.request("/public/socket", []) + "GET /any/smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(eventually { fixture.origin.requests.count == 1 })
            latch.open()
            #expect(client.answer()?.status == 426)
            #expect(client.answer()?.status == 401, "it was not decided")
            #expect(fixture.origin.requests.count == 1)
        }

        @Test("requests sent through a WebSocket do not reach the origin")
        func smuggled() throws {
            let fixture = try tunnelled()
            let client = try open(fixture)
            client.send("GET /any/secret HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.peerCloses())
            #expect(fixture.origin.requests.allSatisfy { $0.target == "/any/socket" })
            let reason = Array("These are no WebSocket frames.".utf8)
            #expect(closeCode(client) == 1002 && client.rest.suffix(reason.count).elementsEqual(reason))
        }

        @Test("a revoked token closes its WebSockets with 1008, others stay")
        func revoked() throws {
            let fixture = try tunnelled()
            let client = try open(fixture)
            let other = try open(fixture, Self.request("/any/x", [("x-cr-api-token", Configuration.lampsToken)]))
            let anonymous = try open(fixture, Self.request("/public/x", []))
            var solutions: [(String, Literal)] = []
            if case .object(let members) = Configuration.contract(fixture.origin),
                case .object(let all)? = members.first(where: { $0.0 == "solutions" })?.1
            {
                solutions = all.filter { $0.0 != "other" }
            }
            try fixture.gateway.rewrite(Self.configuration(fixture.origin, solutions: .object(solutions)))
            fixture.gateway.signal(Self.hangup)
            #expect(client.peerCloses())
            #expect(closeCode(client) == 1008)
            #expect(!client.wasReset)
            #expect(
                try eventually {
                    try fixture.hasMetric(#"tollgate_streams_closed_total{kind="websocket",reason="revoked"} 1"#)
                })
            #expect(try fixture.hasMetric(#"tollgate_streams{kind="websocket"} 2"#))
            #expect(!other.isEnded && !anonymous.isEnded)
        }

        @Test("a WebSocket ends with its token, and so does a stream of events; an ordinary answer does not")
        func expired() throws {
            let latch = Latch()
            let fixture = try Fixture({ Self.configuration($0) }) { request in
                .afterBody { _ in
                    if request.target == "/any/socket" {
                        return [.text(Self.switched), .send(Self.plain("hi")), .hang]
                    }
                    let type = request.target == "/any/events" ? "text/event-stream" : "text/plain"
                    let head = "HTTP/1.1 200 OK\r\nContent-Type: \(type)\r\nTransfer-Encoding: chunked\r\n\r\n"
                    return [.text(head + "2\r\nhi\r\n"), .await(latch), .text("0\r\n\r\n")]
                }
            }
            let expires = Int64(Date().timeIntervalSince1970) + 4
            let bearer = try fixture.bearer("alice", ["exp": .integer(expires)])
            let socket = try open(fixture, Self.request("/any/socket", [bearer]))
            let events = try fixture.gateway.connect()
            events.send("GET /any/events HTTP/1.1\r\nHost: a\r\n\(bearer.0): \(bearer.1)\r\n\r\n")
            let head = try #require(events.head())
            let plain = try fixture.gateway.connect()
            plain.send("GET /any/plain HTTP/1.1\r\nHost: a\r\n\(bearer.0): \(bearer.1)\r\n\r\n")
            #expect(head.status == 200)
            #expect(plain.head()?.status == 200)
            #expect(socket.peerCloses())
            #expect(Date().timeIntervalSince1970 >= Double(expires), "before its time")
            #expect(closeCode(socket) == 1008)
            #expect(events.peerCloses())
            #expect(events.wasReset && !fromLatin1(events.rest).contains("0\r\n\r\n"))
            let records = try records(fixture, of: head)
            #expect(records.map { $0.member("phase")?.string } == ["open", "close"])
            #expect(records.last?.member("reason")?.string == "expired")
            #expect(!plain.isEnded)
            latch.open()
        }

        @Test("a silent WebSocket is closed with 1001, another tunnel reset; both in their idle time")
        func idle() throws {
            let fixture = try tunnelled(limits: ["streamIdleTimeout": "1s"])
            let client = try open(fixture)
            #expect(client.peerCloses())
            #expect(closeCode(client) == 1001)
            let raw = try open(fixture, Self.request("/raw/x", [], protocol: "raw"))
            #expect(raw.peerCloses())
            #expect(raw.wasReset)
        }

        @Test("within a frame there is no close frame but a reset")
        func midFrame() throws {
            let fixture = try tunnelled(limits: ["streamIdleTimeout": "1s"], greeting: [0x81, 5, 0x61])
            let client = try open(fixture)
            #expect(client.peerCloses())
            #expect(client.wasReset && client.rest == [0x81, 5, 0x61])
        }

        @Test("an event stream may be silent for longer than the answer's timeout")
        func quietEvents() throws {
            let fixture = try Fixture({ origin in
                Self.configuration(origin).merging([
                    "upstreams": [
                        "origin": Configuration.upstream(origin).merging(["responseTimeout": "300ms"])
                    ]
                ])
            }) { _ in
                .afterBody { _ in
                    [
                        .text("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\n"),
                        .text("data: 1\n\n"), .pause(.milliseconds(1500)), .text("data: 2\n\n"), .close,
                    ]
                }
            }
            let client = try fixture.gateway.connect()
            client.send("GET /public/events HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try #require(client.answer())
            #expect(answer.ending == .complete && answer.text == "data: 1\n\ndata: 2\n\n")
            #expect(try records(fixture, of: answer).last?.member("reason")?.string == "closed")
        }

        @Test("an event stream whose client takes nothing ends for that, not for silence")
        func stalledEvents() throws {
            let fixture = try Fixture({
                Self.configuration($0).merging(["limits": ["bodyTimeout": "1s", "minimumAnswerRate": 0]])
            }) { _ in
                .afterBody { _ in
                    [
                        .text("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"),
                        .sendMany([UInt8](repeating: 0x3a, count: 65_536), times: 4_096), .hang,
                    ]
                }
            }
            let client = try fixture.gateway.connect(receiveBuffer: 4_096)
            client.send("GET /public/events HTTP/1.1\r\nHost: a\r\nX-Request-Id: stalled\r\n\r\n")
            #expect(try fixture.closeReason() == "client-stalled")
            client.close()
        }

        @Test("half a tunnel goes on: what comes after the other side's end arrives whole")
        func halfClose() throws {
            let size = 3 << 20
            let latch = Latch()
            let fixture = try Fixture({ Self.configuration($0) }) { _ in
                .afterBody { _ in
                    [
                        .text(Self.switched.replacing("websocket", with: "raw")), .await(latch),
                        .sendMany([UInt8](repeating: 7, count: size / 4), times: 4),
                    ]
                }
            }
            let client = try open(fixture, Self.request("/raw/x", [], protocol: "raw"))
            client.finishSending()
            latch.open()
            let (count, isRight) = client.countBody(length: size, of: 7, within: .seconds(30))
            #expect(count == size && isRight)
            #expect(client.peerCloses())
            #expect(!client.wasReset)
            #expect(
                try eventually {
                    try fixture.hasMetric(#"tollgate_streams_closed_total{kind="upgrade",reason="closed"} 1"#)
                })
        }

        @Test("the other half as well: what the client sends after the origin's end arrives whole")
        func halfCloseOfTheOrigin() throws {
            let size = 3 << 20
            let (listener, port) = try Socket.listen()
            let counted = Latch()
            let total = NIOLockedValueBox(0)
            Thread.detachNewThread {
                guard let peer = listener.accept() else { return }
                let deadline = ContinuousClock.now + .seconds(60)
                _ = peer.receive(by: deadline)
                peer.send(Array(Self.switched.replacing("websocket", with: "raw").utf8))
                peer.finishSending()
                while case .bytes(let bytes) = peer.receive(by: deadline) {
                    total.withLockedValue { $0 += bytes.count }
                }
                counted.open()
            }
            let fixture = try Fixture { origin in
                Self.configuration(origin).merging(["upstreams": ["origin": Configuration.impatient(port: port)]])
            }
            let client = try open(fixture, Self.request("/raw/x", [], protocol: "raw"))
            #expect(client.peerCloses(), "the origin's end did not arrive")
            for _ in 0..<4 { client.send([UInt8](repeating: 7, count: size / 4)) }
            client.finishSending()
            counted.wait()
            #expect(total.withLockedValue { $0 } == size)
            listener.interrupt()
        }

        @Test("a lost origin cuts the client")
        func originResets() throws {
            let latch = Latch()
            let fixture = try Fixture({ Self.configuration($0) }) { _ in
                .afterBody { _ in [.text(Self.switched), .send(Self.plain("hi")), .await(latch), .reset] }
            }
            let client = try open(fixture)
            latch.open()
            #expect(client.peerCloses())
            #expect(client.wasReset)
            #expect(
                try eventually {
                    try fixture.hasMetric(#"tollgate_streams_closed_total{kind="websocket",reason="upstream-gone"} 1"#)
                })
        }

        @Test("at the signal to stop WebSockets are told 1001, and the gateway ends")
        func drain() throws {
            let fixture = try tunnelled()
            let client = try open(fixture)
            fixture.gateway.terminate()
            #expect(client.peerCloses())
            #expect(closeCode(client) == 1001)
            #expect(fixture.gateway.exitStatus(within: .seconds(10)) == 0, "\(fixture.gateway.standardError)")
        }
    }
}
