import Foundation
import StrictJSON
import TestKit
import Testing

extension Conformance {
    @Suite("Reload, drain and revocation", .serialized)
    struct LifecycleTests {
        private static let hangup: Int32 = 1

        @Test("SIGHUP brings new routes, keeps buckets and cuts no connection")
        func reload() throws {
            let fixture = try Fixture()
            let gateway = fixture.gateway
            let field = try fixture.bearer("reload", ["azp": "reload-client"])
            let client = try gateway.connect()
            // The bucket fills again from the first request on.
            let start = ContinuousClock.now
            for _ in 0..<100 {
                client.send("GET /any/x HTTP/1.1\r\nHost: a\r\n\(field.0): \(field.1)\r\n\r\n")
                #expect(client.answer()?.status == 200)
            }
            #expect(try gateway.get("/new/x")?.status == 404)
            try gateway.rewrite(
                Configuration.adding(
                    Configuration.route("new", "/new/**", []), to: Configuration.contract(fixture.origin)))
            gateway.signal(Self.hangup)
            #expect(try eventually { try gateway.get("/new/x")?.status == 200 }, "\(gateway.standardError)")
            // The old connection either serves on or was told to close with a whole answer.
            client.send("GET /any/x HTTP/1.1\r\nHost: a\r\n\(field.0): \(field.1)\r\n\r\n")
            #expect(client.answer()?.status == 200)
            let state = quotaParameters(try gateway.get("/any/x", [field])?.value("ratelimit"))
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            #expect(Double(state["r"] ?? .max) <= 258 + seconds * 6 + 2)
        }

        @Test("what waits for a restart is said at each reload, and not what runs already")
        func fixedWorkers() throws {
            let fixture = try Fixture { Configuration.contract($0).merging(["workers": 2]) }
            func warnings(_ workers: Int, _ reload: Int) throws -> Int {
                try fixture.gateway.rewrite(
                    Configuration.contract(fixture.origin).merging(["workers": .integer(Int64(workers))]))
                fixture.gateway.signal(Self.hangup)
                let lines = { fixture.gateway.standardError.split(separator: "\n") }
                #expect(eventually { lines().count { $0.contains("is in force") } == reload })
                return lines().count { $0.contains("only after a restart") && $0.contains("workers") }
            }
            #expect(try warnings(1, 1) == 1)
            #expect(try warnings(1, 2) == 2)
            #expect(try warnings(2, 3) == 2)
        }

        @Test("what a reload cannot change of a listener is said")
        func fixedListener() throws {
            let fixture = try Fixture()
            let listener: Literal = [
                "name": "public", "address": .string("127.0.0.1:\(fixture.gateway.port)"),
                "proxyProtocol": ["trustedPeers": ["127.0.0.0/8"]],
            ]
            try fixture.gateway.rewrite(
                Configuration.contract(fixture.origin).merging(["listeners": [listener]]))
            fixture.gateway.signal(Self.hangup)
            #expect(
                eventually {
                    fixture.gateway.standardError.split(separator: "\n").contains {
                        $0.contains("only after a restart") && $0.contains("listeners")
                    }
                }, "\(fixture.gateway.standardError)")
            #expect(try fixture.gateway.get("/public/x")?.status == 200)
        }

        @Test("a request in flight outlives a reload")
        func inFlight() throws {
            let fixture = try Fixture()
            let latch = Latch()
            fixture.origin.play { request in
                request.target.hasPrefix("/public/held")
                    ? .afterBody { _ in [.await(latch), .text("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nheld")] }
                    : RawOrigin.echo(request)
            }
            let client = try fixture.gateway.connect()
            client.send("GET /public/held HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(eventually { fixture.origin.requests.contains { $0.target.hasPrefix("/public/held") } })
            try fixture.gateway.rewrite(
                Configuration.adding(
                    Configuration.route("new", "/new/**", []), to: Configuration.contract(fixture.origin)))
            fixture.gateway.signal(Self.hangup)
            #expect(try eventually { try fixture.gateway.get("/new/x")?.status == 200 })
            latch.open()
            #expect(client.answer()?.text == "held")
        }

        @Test(
            "a bad new file leaves the old configuration running, and says why",
            arguments: ["{", "", "{\"routes\": 7}", "{\"listeners\": [], \"nonsense\": true}"])
        func badReload(_ text: String) throws {
            let fixture = try Fixture()
            let gateway = fixture.gateway
            #expect(try gateway.get("/public/x")?.status == 200)
            let before = gateway.standardError.utf8.count
            try gateway.rewrite(text: Array(text.utf8))
            gateway.signal(Self.hangup)
            #expect(eventually { gateway.standardError.utf8.count > before }, "nothing was said")
            for _ in 0..<5 { #expect(try gateway.get("/public/x")?.status == 200) }
            #expect(gateway.isRunning && gateway.isReady)
            try gateway.rewrite(
                Configuration.adding(
                    Configuration.route("new", "/new/**", []), to: Configuration.contract(fixture.origin)))
            gateway.signal(Self.hangup)
            #expect(try eventually { try gateway.get("/new/x")?.status == 200 })
        }

        @Test("what is cut at the end of draining is recorded as that, over either protocol")
        func cutAtTheEnd() throws {
            let fixture = try Fixture({
                Configuration.contract($0).merging(["limits": ["drainTimeout": "300ms"]])
            }) { request in
                .afterBody { _ in
                    request.target.hasSuffix("events")
                        ? [.text("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"), .hang]
                        : [.hang]
                }
            }
            let one = try fixture.gateway.connect()
            one.send("GET /public/held HTTP/1.1\r\nHost: a\r\nX-Request-Id: held-1\r\n\r\n")
            let two = try HTTP2Client(port: fixture.gateway.port)
            _ = two.request("GET", "/public/held", "x-request-id: held-2\r\n")
            _ = two.request("GET", "/public/events", "x-request-id: events-2\r\n")
            func records() throws -> [JSON] {
                try fixture.gateway.auditLines.map { try JSON.parse($0, limits: .configuration) }
            }
            #expect(eventually { fixture.origin.requests.count == 3 })
            #expect(try eventually { try records().contains { $0.member("phase")?.string == "open" } })
            fixture.gateway.terminate()
            #expect(fixture.gateway.exitStatus() == 0)
            for decision in ["held-1", "held-2", "events-2"] {
                let last = try #require(try records().last { $0.member("decision")?.string == decision })
                #expect(last.member("reason")?.string == "shut-down", "\(decision)")
                #expect(last.member("outcome")?.string == "admitted", "\(decision)")
            }
        }

        @Test("SIGTERM lets the request in flight finish, turns ready to 503 and exits 0", arguments: [15, 2])
        func drain(_ signal: Int) throws {
            let fixture = try Fixture()
            let latch = Latch()
            fixture.origin.play { _ in
                .afterBody { _ in
                    [
                        .text("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf"), .await(latch), .text("half"),
                    ]
                }
            }
            let gateway = fixture.gateway
            let client = try gateway.connect()
            client.send("GET /public/held HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(eventually { !fixture.origin.requests.isEmpty })
            let idle = try gateway.connect()
            gateway.signal(Int32(signal))
            #expect(eventually { gateway.readiness != 200 })
            #expect(gateway.readiness == 503 || !gateway.isRunning)
            #expect(gateway.isRunning, "it ended with a request in flight")
            #expect(idle.peerCloses(), "an idle connection was kept")
            latch.open()
            let answer = client.answer()
            #expect(answer?.text == "halfhalf")
            #expect(answer?.ending == .complete)
            #expect(client.peerCloses())
            #expect(gateway.exitStatus() == 0, "\(gateway.standardError)")
        }

        @Test("a second signal cuts what is under way, on record, and exits 1", arguments: [15, 2])
        func secondSignal(_ signal: Int) throws {
            let fixture = try Fixture({
                // Nothing but the signal may end the wait.
                Configuration.contract($0).merging(["limits": ["drainTimeout": "1h"]])
            }) { request in
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: x\n\n"
                return .afterBody { _ in request.target.contains("events") ? [.text(head), .hang] : [.hang] }
            }
            let gateway = fixture.gateway
            let (events, held) = (try gateway.connect(), try gateway.connect())
            events.send("GET /public/events HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(events.head()?.status == 200)
            held.send("GET /public/held HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(eventually { fixture.origin.requests.count == 2 })
            gateway.signal(Int32(signal))
            #expect(eventually { gateway.readiness == 503 })
            gateway.signal(Int32(signal))
            #expect(gateway.exitStatus() == 1, "\(gateway.standardError)")
            let records = try gateway.auditLines.map { try JSON.parse($0, limits: .configuration) }
            func reasons(_ path: String) -> [String?] {
                records.filter { $0.member("path")?.string == path }
                    .map { ($0.member("phase")?.string ?? "-") + " " + ($0.member("reason")?.string ?? "-") }
            }
            #expect(reasons("/public/held") == ["- shut-down"])
            #expect(reasons("/public/events") == ["open -", "close shut-down"])
            let run = try GatewayProcess.run(["audit", "verify", "audit"], in: gateway.directory)
            #expect(run.status == 0, "\(run.output)\(run.errors)")
        }

        @Test("by default there is a loop for each core that the process may use, not for each that the machine has")
        func loops() throws {
            let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") })
            let core = try #require(
                line.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) })
            let gateway = try GatewayProcess(["routes": []], onCore: core)
            let loops = Set(gateway.threads).filter { $0.hasPrefix("tollgate-") }
            #expect(loops == ["tollgate-0"])
        }

        @Test("an idle gateway ends at once")
        func idle() throws {
            let fixture = try Fixture()
            fixture.gateway.terminate()
            #expect(fixture.gateway.exitStatus(within: .seconds(10)) == 0)
        }

        @Test("an API token that was taken away is refused within two seconds, cached or not")
        func revoked() throws {
            let fixture = try Fixture()
            let gateway = fixture.gateway
            let field = ("x-cr-api-token", Configuration.otherToken)
            let client = try gateway.connect()
            func status() -> Int? {
                client.send("GET /any/x HTTP/1.1\r\nHost: a\r\n\(field.0): \(field.1)\r\n\r\n")
                return client.answer()?.status
            }
            for _ in 0..<3 { #expect(status() == 200) }
            try gateway.rewrite(
                Configuration.contract(fixture.origin).merging(["solutions": ["other": ["subjects": ["x:y"]]]]))
            gateway.signal(Self.hangup)
            #expect(
                try eventually(within: .seconds(2)) {
                    try gateway.get("/any/x", [field])?.status == 401
                })
            if !client.isEnded { #expect(status() != 200) }
        }

        @Test("a token made and revoked at the command line is let in and kept out within two seconds")
        func commandLineToken() throws {
            let fixture = try Fixture()
            let gateway = fixture.gateway
            func tollgate(_ arguments: [String]) throws -> GatewayProcess.Run {
                let run = try GatewayProcess.run(
                    ["token"] + arguments + ["--config", "gateway.json"], in: gateway.directory)
                #expect(run.status == 0, "\(arguments): \(run.errors)")
                return run
            }
            let created = try tollgate(["create", "--solution", "acme-lamps", "--expires", "90d", "--label", "ci"])
            let word = created.output.split { " \n\t\"',:".contains($0) }.first { $0.utf8.count >= 40 }
            let token = String(try #require(word, "\(created.output)"))
            #expect(
                try eventually(within: .seconds(2)) {
                    try gateway.get("/any/x", [("x-cr-api-token", token)])?.status == 200
                }, "the new token is not let in")
            let list = try tollgate(["list"])
            #expect(list.output.contains("ci"))
            #expect(!list.output.contains(token))
            for path in try TemporaryDirectory.files(gateway.directory) where !path.hasSuffix("run-stdout.txt") {
                let text = String(decoding: try TemporaryDirectory.read(path), as: UTF8.self)
                #expect(!text.contains(token), "the token stands in \(path)")
            }
            let line = list.output.split(separator: "\n").first { $0.contains("ci") } ?? ""
            let words = line.split { " \t|".contains($0) }.map(String.init)
            let hint = created.output + created.errors
            let id = words.first { word in hint.contains(word) && word != "ci" && word != "acme-lamps" }
            _ = try tollgate(["revoke", try #require(id, "no id in \(line)")])
            #expect(
                try eventually(within: .seconds(2)) {
                    try gateway.get("/any/x", [("x-cr-api-token", token)])?.status == 401
                }, "the revoked token is still let in")
        }
    }
}
