import Foundation
import StrictJSON
import TestKit
import Testing

extension Conformance {
    @Suite("Which upstream and which endpoint", .serialized)
    struct UpstreamChoiceTests {
        private func gateway(_ upstreams: Literal, _ routes: [Literal]) throws -> GatewayProcess {
            try GatewayProcess([
                "workers": 1, "rateLimit": ["requestsPerMinute": 1_000_000, "burst": 1_000_000],
                "upstreams": upstreams, "routes": .array(routes),
            ])
        }

        private func upstream(_ origins: RawOrigin..., with more: Literal = [:]) -> Literal {
            let endpoints = Literal.array(origins.map { .string("http://127.0.0.1:\($0.port)") })
            let standard: Literal = ["endpoints": endpoints, "responseTimeout": "20s", "connectTimeout": "2s"]
            return standard.merging(more)
        }

        private func route(_ name: String, _ more: Literal = [:]) -> Literal {
            let standard: Literal = [
                "name": .string(name), "match": ["path": .string("/\(name)/**")], "upstream": "main",
                "authenticate": [],
            ]
            return standard.merging(more)
        }

        private func record(_ gateway: GatewayProcess, _ decision: String) throws -> JSON {
            var found: JSON?
            _ = try eventually {
                found = try gateway.auditLines.lazy.map { try JSON.parse($0, limits: .configuration) }
                    .first { $0.member("decision")?.string == decision }
                return found != nil
            }
            return try #require(found)
        }

        @Test("weights are the endpoints' shares, and a client keeps its endpoint with consistent hashing")
        func balance() throws {
            let (one, other) = (try RawOrigin(), try RawOrigin())
            let weighted: Literal = [
                "endpoints": [
                    ["url": .string("http://127.0.0.1:\(one.port)"), "weight": 3],
                    .string("http://127.0.0.1:\(other.port)"),
                ]
            ]
            let sticky = upstream(one, other, with: ["balance": "consistentHash"])
            let gateway = try gateway(
                ["main": weighted, "sticky": sticky], [route("a"), route("b", ["upstream": "sticky"])])
            for _ in 0..<20 { #expect(try gateway.get("/a/x")?.status == 200) }
            #expect(one.takeRequests().count == 15)
            #expect(other.takeRequests().count == 5)
            for _ in 0..<20 { #expect(try gateway.get("/b/x")?.status == 200) }
            #expect([one.requests.count, other.requests.count].sorted() == [0, 20])
        }

        @Test("a canary takes its share of the clients, which record and metrics show")
        func canary() throws {
            let (main, next) = (try RawOrigin(), try RawOrigin())
            let gateway = try gateway(
                ["main": upstream(main), "next": upstream(next)],
                [
                    route("all", ["canary": ["upstream": "next", "percent": 100]]),
                    route("none", ["canary": ["upstream": "next", "percent": 0]]),
                ])
            #expect(try gateway.get("/all/x", [("X-Request-Id", "bird")])?.status == 200)
            #expect(next.takeRequests().map(\.target) == ["/all/x"])
            #expect(try gateway.get("/none/x", [("X-Request-Id", "stone")])?.status == 200)
            #expect(main.requests.map(\.target) == ["/none/x"])
            let bird = try record(gateway, "bird")
            #expect(bird.member("pool")?.string == "next")
            #expect(bird.member("canary")?.bool == true)
            #expect(bird.member("upstream")?.string == "127.0.0.1:\(next.port)")
            let stone = try record(gateway, "stone")
            #expect(stone.member("pool")?.string == "main")
            #expect(stone.member("canary") == nil)
            #expect(try gateway.metric("tollgate_canary_requests_total", "route=\"all\"") == 1)
            #expect(try gateway.metric("tollgate_canary_requests_total", "route=\"none\"") == 0)
        }

        @Test("a mirror gets marked copies of requests without a body, and nobody waits for it")
        func mirror() throws {
            let latch = Latch()
            let main = try RawOrigin()
            let shadow = try RawOrigin { _ in .beforeBody([.await(latch), .close]) }
            let (reserved, dead) = try Socket.reserve()
            defer { reserved.close() }
            let gateway = try gateway(
                [
                    "main": upstream(main), "shadow": upstream(shadow),
                    "dead": ["endpoints": [.string("http://127.0.0.1:\(dead)")]],
                ],
                [
                    route("slow", ["mirror": ["upstream": "shadow"]]), route("gone", ["mirror": ["upstream": "dead"]]),
                ])
            let answer = try gateway.get("/slow/x", [("X-Request-Id", "twice"), ("X-Tollgate-Mirrored", "forged")])
            #expect(answer?.status == 200)
            #expect(main.takeRequests().first?.values("x-tollgate-mirrored") == [])
            latch.open()
            #expect(eventually { !shadow.requests.isEmpty })
            let copy = try #require(shadow.takeRequests().first)
            #expect(copy.target == "/slow/x")
            #expect(copy.values("x-tollgate-mirrored") == ["1"])
            #expect(copy.value("x-request-id") == "twice")
            #expect(try record(gateway, "twice").member("mirror")?.string == "shadow")
            #expect(try gateway.request("POST", "/slow/x", body: Array("hi".utf8))?.status == 200)
            // A tunnel has two ends, of which none is the mirror.
            let upgrade = [("Connection", "upgrade"), ("Upgrade", "websocket")]
            #expect(try gateway.get("/slow/x", upgrade)?.status == 200)
            for _ in 0..<5 { #expect(try gateway.get("/gone/x")?.status == 200) }
            let name = "tollgate_mirrored_requests_total"
            #expect(try gateway.metric(name, "route=\"slow\"", "result=\"copied\"") == 1)
            #expect(try gateway.metric(name, "route=\"slow\"", "result=\"passed over\"") == 2)
            #expect(try gateway.metric(name, "route=\"gone\"", "result=\"copied\"") == 5)
        }

        @Test("a mirror's answer is read for a megabyte, not to an end that may never come")
        func endlessMirror() throws {
            let (main, chunk) = (try RawOrigin(), [UInt8](repeating: 7, count: 65_536))
            let shadow = try RawOrigin { _ in
                .beforeBody([.text("HTTP/1.1 200 OK\r\n\r\n"), .sendMany(chunk, times: 64), .hang])
            }
            let gateway = try gateway(
                ["main": upstream(main), "shadow": upstream(shadow, with: ["responseTimeout": "1h"])],
                [route("all", ["mirror": ["upstream": "shadow"]])])
            #expect(try gateway.get("/all/x")?.status == 200)
            #expect(eventually { shadow.closedConnections == 1 })
        }

        @Test("what is sent again earns no further retries")
        func retriesAreNoRequests() throws {
            let origin = try RawOrigin { _ in .afterBody { _ in [.close] } }
            let broken = upstream(origin).merging([
                "retries": ["percent": 50, "perSecond": 0], "ejection": ["failures": 0],
            ])
            let gateway = try gateway(["main": broken], [route("all", [:])])
            for _ in 0..<300 { #expect(try gateway.get("/all/x")?.status == 502) }
            // One reserve of a hundred, and one for every second request.
            #expect((540...550).contains(origin.connections), "\(origin.connections)")
        }

        @Test("health checks take an endpoint out and bring it back; without any other one that is 503")
        func healthChecks() throws {
            let isWell = Latch()
            let origin = try RawOrigin { request in
                request.target == "/health" && !isWell.isOpen
                    ? .answer("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n") : RawOrigin.echo(request)
            }
            let check: Literal = [
                "path": "/health", "interval": "100ms", "timeout": "5s", "healthy": 1, "unhealthy": 2,
                "status": "200-299",
            ]
            let gateway = try gateway(["main": upstream(origin, with: ["healthCheck": check])], [route("a")])
            let isOut = try eventually { try gateway.get("/a/x")?.status == 503 }
            #expect(isOut)
            #expect(try gateway.get("/a/x")?.value("retry-after") != nil)
            isWell.open()
            let isBack = try eventually { try gateway.get("/a/x")?.status == 200 }
            #expect(isBack)
        }

        @Test("a route's own timeouts hold on that route only")
        func timeouts() throws {
            let latch = Latch()
            let origin = try RawOrigin { _ in
                .beforeBody([.await(latch), .text("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")])
            }
            let gateway = try gateway(
                ["main": upstream(origin)], [route("hasty", ["timeouts": ["firstByte": "200ms"]]), route("patient")])
            let patient = try gateway.connect()
            patient.send("GET /patient/x HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(eventually { origin.connections == 1 })
            #expect(try gateway.get("/hasty/x")?.status == 504)
            latch.open()
            #expect(patient.answer()?.status == 200)
        }

        @Test("an answer's head that drips in has the time of its beginning, all of it together")
        func drippingHead() throws {
            let drip = Array(repeating: [RawOrigin.Step.pause(.milliseconds(50)), .text("a")], count: 400).flatMap(
                \.self)
            let origin = try RawOrigin { request in
                guard request.target == "/drip/x" else { return RawOrigin.echo(request) }
                return .afterBody { _ in
                    [.text("HTTP/1.1 200 OK\r\nX-A: ")] + drip + [.text("\r\nContent-Length: 0\r\n\r\n")]
                }
            }
            let gateway = try gateway(
                ["main": upstream(origin)], [route("drip", ["timeouts": ["firstByte": "300ms"]]), route("other")])
            #expect(try gateway.get("/drip/x")?.status == 504)
            #expect(try gateway.get("/other/x")?.status == 200)
        }

        @Test("a reload with the same upstreams keeps what is known of them")
        func reload() throws {
            let (good, bad) = (
                try RawOrigin(), try RawOrigin { _ in .answer("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n") }
            )
            let configuration: Literal = [
                "workers": 1, "rateLimit": ["requestsPerMinute": 1_000_000, "burst": 1_000_000],
                "upstreams": ["main": upstream(good, bad, with: ["ejection": ["failures": 1, "time": "5m"]])],
                "routes": [route("a")],
            ]
            let gateway = try GatewayProcess(configuration)
            let isOut = try eventually {
                _ = try gateway.get("/a/x")
                return try gateway.metric("tollgate_upstream_ejections_total") == 1
            }
            #expect(isOut)
            try gateway.rewrite(configuration.merging(["routes": [route("a"), route("b")]]))
            gateway.signal(SIGHUP)
            let isReloaded = try eventually { try gateway.get("/b/x")?.status == 200 }
            #expect(isReloaded)
            for _ in 0..<10 { #expect(try gateway.get("/b/x")?.status == 200) }
            #expect(bad.requests.count == 1)
        }
    }
}
