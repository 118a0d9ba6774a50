import Foundation
import StrictJSON
import TestKit
import Testing

extension Conformance {
    /// Two endpoints, of which one is in trouble: what its requests get, that the other one's notice nothing, and that
    /// all is well by itself once the trouble is over. One worker, so that what a loop knows is what the gateway knows.
    @Suite("When one of two endpoints is in trouble", .serialized)
    struct FailoverTests {
        private static let ejection: Literal = [
            "failures": 2, "time": "300ms", "maximumTime": "300ms", "maximumPercent": 50,
        ]

        private func gateway(_ ports: [Int], _ upstream: Literal = [:], route: Literal = [:]) throws -> GatewayProcess {
            let endpoints = Literal.array(ports.map { .string("http://127.0.0.1:\($0)") })
            let standard: Literal = [
                "endpoints": endpoints, "responseTimeout": "500ms", "connectTimeout": "2s",
                "ejection": Self.ejection,
            ]
            let all: Literal = ["name": "all", "match": ["path": "/**"], "upstream": "pair", "authenticate": []]
            return try GatewayProcess([
                "workers": 1, "rateLimit": ["requestsPerMinute": 1_000_000, "burst": 1_000_000],
                "upstreams": ["pair": standard.merging(upstream)], "routes": [all.merging(route)],
            ])
        }

        private func endpoint(_ port: Int) -> String { "endpoint=\"127.0.0.1:\(port)\"" }

        /// The statuses of as many requests as it takes until the endpoint is out of rotation.
        private func statusesUntilOut(_ gateway: GatewayProcess, _ port: Int, _ method: String = "GET") throws -> [Int]
        {
            var statuses: [Int] = []
            let isOut = try eventually(within: .seconds(60)) {
                let answer = try gateway.request(method, "/x")
                statuses.append(answer?.ending == .complete ? answer?.status ?? 0 : 0)
                return try gateway.metric("tollgate_upstream_ejections_total", endpoint(port)) > 0
            }
            #expect(isOut, "never ejected")
            return statuses
        }

        /// That the endpoint gets requests again and all of them are answered.
        private func expectRecovery(_ gateway: GatewayProcess, _ port: Int) throws {
            let isBack = try eventually(within: .seconds(60)) {
                _ = try gateway.get("/x")
                return try gateway.metric("tollgate_upstream_in_rotation", endpoint(port)) == 1
            }
            #expect(isBack, "never back in rotation")
            // The gauge says what a tick has seen: the endpoint may have gone since, and be back after a moment.
            let before = try gateway.metric("tollgate_upstream_requests_total", endpoint(port))
            let isUsed = try eventually {
                #expect(try gateway.get("/x")?.status == 200)
                return try gateway.metric("tollgate_upstream_requests_total", endpoint(port)) > before
            }
            #expect(isUsed, "no request goes there")
        }

        @Test("killed: every request goes to the other, and it is found again when it is back")
        func killed() throws {
            let (good, bad) = (try RawOrigin(), try RawOrigin())
            let gateway = try gateway([good.port, bad.port])
            for _ in 0..<10 { #expect(try gateway.get("/x")?.status == 200) }
            #expect(!bad.requests.isEmpty)
            bad.stop()
            for _ in 0..<20 { #expect(try gateway.get("/x")?.status == 200) }
            let back = try RawOrigin(port: bad.port)
            try expectRecovery(gateway, bad.port)
            #expect(!back.requests.isEmpty)
            good.stop()
            back.stop()
        }

        @Test("frozen: 504 for those it has, no request after a few, and back when it thaws")
        func frozen() throws {
            let good = try RawOrigin()
            let bad = try OriginProcess()
            let gateway = try gateway([good.port, bad.port])
            for _ in 0..<4 { #expect(try gateway.get("/x")?.status == 200) }
            bad.signal(SIGSTOP)
            let statuses = try statusesUntilOut(gateway, bad.port)
            #expect(Set(statuses) == [200, 504])
            #expect(statuses.count { $0 == 504 } == 2, "\(statuses)")
            bad.signal(SIGCONT)
            try expectRecovery(gateway, bad.port)
            good.stop()
        }

        /// What the bad one does instead of answering, and what its requests get; 0 is a cut answer.
        static let misdeeds: [(name: String, steps: [RawOrigin.Step], get: Set<Int>, post: Set<Int>)] = [
            ("garbage", [.text("\u{0}\u{1}SSH-2.0-x\r\n\r\n"), .close], [200, 502], [200, 502]),
            ("a close without an answer", [.close], [200], [200, 502]),
            ("a reset without an answer", [.reset], [200], [200, 502]),
            ("a server error", [.text("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")], [200, 503], [200, 503]),
            (
                "a reset in the body", [.text("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"), .reset],
                [200, 0, 502], [200, 0, 502]
            ),
            (
                "a half-close in the body", [.text("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"), .close],
                [200, 0, 502], [200, 0, 502]
            ),
            ("one byte and no more", [.text("H"), .hang], [200, 504], [200, 504]),
        ]

        @Test(
            "misbehaving: the status its requests get, none of them after a few, and back when it behaves",
            arguments: misdeeds.indices, ["GET", "POST"])
        func misbehaves(_ number: Int, _ method: String) throws {
            let misdeed = Self.misdeeds[number]
            let steps = misdeed.steps
            let (good, bad) = (try RawOrigin(), try RawOrigin { _ in .afterBody { _ in steps } })
            let gateway = try gateway([good.port, bad.port])
            let statuses = try statusesUntilOut(gateway, bad.port, method)
            let allowed = method == "GET" ? misdeed.get : misdeed.post
            #expect(Set(statuses).isSubset(of: allowed), "\(misdeed.name): \(statuses)")
            #expect(allowed == [200] || Set(statuses) != [200], "\(misdeed.name): \(statuses)")
            bad.play(RawOrigin.echo)
            try expectRecovery(gateway, bad.port)
            good.stop()
            bad.stop()
        }

        @Test("one byte at a time: the route's total time cuts it, with 504 before an answer has begun")
        func dripping() throws {
            let origin = try RawOrigin { request in
                let letters = "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
                let start: [RawOrigin.Step] =
                    switch request.target {
                    case "/body": [.text(letters)]
                    case "/events": [.text("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")]
                    default: []
                    }
                // Always faster than the idle timeout, and never done.
                let drip = (0..<1000).flatMap { _ in [RawOrigin.Step.pause(.milliseconds(50)), .text("H")] }
                let head = letters.map { RawOrigin.Step.text(String($0)) }.dropLast(2)
                    .flatMap { [RawOrigin.Step.pause(.milliseconds(100)), $0] }
                return .afterBody { _ in start.isEmpty ? head : start + drip }
            }
            let gateway = try gateway([origin.port], route: ["timeouts": ["total": "1s", "firstByte": "400ms"]])
            let body = try gateway.connect()
            body.send("GET /body HTTP/1.1\r\nHost: a\r\nX-Request-Id: dripped\r\n\r\n")
            #expect(body.head()?.status == 200)
            #expect(body.peerCloses())
            #expect(try gateway.get("/head")?.status == 504)
            let events = try gateway.connect()
            events.send("GET /events HTTP/1.1\r\nHost: a\r\nX-Request-Id: streamed\r\n\r\n")
            #expect(events.head()?.status == 200)
            #expect(events.peerCloses() && events.wasReset)
            gateway.terminate()
            #expect(gateway.exitStatus() == 0)
            let records = gateway.auditLines.map { String(decoding: $0, as: UTF8.self) }
            let close = try #require(records.last { $0.contains(#""decision":"streamed""#) })
            #expect(close.contains(#""outcome":"admitted","reason":"timeout","phase":"close""#), "\(close)")
            origin.stop()
        }
    }
}
