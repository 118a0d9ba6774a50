import StrictJSON
import TestKit
import Testing

extension Conformance {
    @Suite("What is written down", .serialized)
    struct AuditTests {
        /// One request of every outcome that a well-behaved peer can bring about, and the outcome's name.
        private func play(_ fixture: Fixture) throws -> [(decision: String, outcome: String)] {
            let alice = try fixture.bearer("alice", ["azp": "acme-lamps", "org_id": "org-7"])
            var result: [(String, String)] = []
            for (outcome, target, fields) in [
                ("admitted", "/api/2/things/a?secret=hidden-query", [alice]), ("admitted", "/public/x", []),
                ("unauthenticated", "/any/x", []),
                ("unauthenticated", "/any/x", [("Authorization", "Bearer aaa.hidden-token.ccc")]),
                ("forbidden", "/api/2/things/secret", [alice]), ("unrouted", "/nowhere", []),
                ("admitted", "/any/x", [basic("acme-lamps", Configuration.lampsSecret)]),
                ("admitted", "/any/x", [("x-cr-api-token", Configuration.lampsToken)]),
            ] {
                let answer = try #require(try fixture.gateway.get(target, fields))
                result.append((try #require(answer.value("x-request-id"), "\(target)"), outcome))
            }
            return result
        }

        private func records(_ fixture: Fixture) throws -> [JSON] {
            try fixture.gateway.auditLines.map { try JSON.parse($0, limits: .configuration) }
        }

        @Test("one record a request, with every member of the contract and nothing secret")
        func records() throws {
            let fixture = try Fixture()
            let decisions = try play(fixture)
            let client = try fixture.gateway.connect()
            client.send("GET /public/bad HTTP/1.1\r\nHost : a\r\n\r\n")
            let malformed = try Problem(client.answer(), status: 400).decision
            fixture.gateway.terminate()
            #expect(fixture.gateway.exitStatus() == 0)
            let records = try records(fixture)
            for (decision, outcome) in decisions + [(malformed, "malformed")] {
                let found = records.filter { $0.member("decision")?.string == decision }
                #expect(found.count == 1, "\(outcome) \(decision)")
                #expect(found.first?.member("outcome")?.string == outcome)
            }
            #expect(
                records.compactMap { $0.member("seq")?.number?.integer }
                    == Array(0..<Int64(records.count)).map {
                        $0 + (records.first?.member("seq")?.number?.integer ?? 0)
                    })
            let first = try #require(records.first { $0.member("decision")?.string == decisions[0].decision })
            for name in [
                "time", "decision", "route", "method", "path", "status", "outcome", "subject", "solution", "tenant",
                "client", "issuer", "credential", "peer", "upstream", "bytesIn", "bytesOut", "durationMicros", "seq",
                "chain",
            ] {
                #expect(first.member(name) != nil, "no member \(name)")
            }
            #expect(first.member("route")?.string == "things")
            #expect(first.member("path")?.string == "/api/2/things/a")
            #expect(first.member("subject")?.string == "auth:alice")
            #expect(first.member("tenant")?.string == "org-7")
            #expect(first.member("credential")?.string == "jwt")
            #expect(first.member("peer")?.string?.hasPrefix("127.0.0.1") == true)
            let credentials = decisions.suffix(2).map { pair in
                records.first { $0.member("decision")?.string == pair.decision }?.member("credential")?.string
            }
            #expect(credentials == ["basic", "api-token"])
            let text = String(decoding: Array(fixture.gateway.auditLines.joined()), as: UTF8.self)
            for secret in ["hidden-query", "hidden-token", Configuration.lampsToken, Configuration.lampsSecret] {
                #expect(!text.contains(secret))
                #expect(!fixture.gateway.standardError.contains(secret))
            }
        }

        @Test("behind a trusted proxy the record names the client too, and upstreams get a list without holes")
        func forwardedFor() throws {
            let fixture = try Fixture({ origin in
                Configuration.contract(origin).merging(["forwarding": ["trustedProxies": ["127.0.0.0/8"]]])
            })
            func ask(_ target: String, _ forwardedFor: String) throws -> JSON {
                let fields = [("X-Forwarded-For", forwardedFor), ("X-Forwarded-User", "root")]
                let answer = try fixture.gateway.get(target, fields)
                return try fixture.auditRecord(try #require(answer?.value("x-request-id")))
            }
            for (list, client) in [
                ("203.0.113.9, 127.0.0.7", "203.0.113.9"), ("198.51.100.1,\t[2001:DB8::7]:99", "2001:db8::7"),
                ("bogus, 203.0.113.9", "203.0.113.9"), ("203.0.113.9, bogus", nil), ("", nil),
            ] as [(String, String?)] {
                for target in ["/public/x", "/any/x", "/nowhere"] {
                    let record = try ask(target, list)
                    #expect(record.member("forwardedFor")?.string == client, "\(target) \(list)")
                    #expect(record.member("peer")?.string == "127.0.0.1")
                }
            }
            let seen = fixture.origin.requests.map { $0.value("x-forwarded-for") }
            #expect(seen.first == "203.0.113.9, 127.0.0.7, 127.0.0.1")
            #expect(seen.last == "127.0.0.1", "an empty field is no element")
            let forwarded = fixture.origin.requests.map { $0.value("forwarded") ?? "" }
            #expect(forwarded.first?.hasPrefix("for=203.0.113.9, for=127.0.0.1;proto=http;host=") == true)
            #expect(forwarded.dropFirst().first?.hasPrefix("for=\"[2001:db8::7]\", for=127.0.0.1;") == true)
            #expect(forwarded.last?.hasPrefix("for=127.0.0.1;") == true)
            #expect(fixture.origin.requests.allSatisfy { $0.values("x-forwarded-user").isEmpty })
            // RFC 7239 §6: an address that nobody has is a word, without brackets.
            _ = try ask("/public/x", "::")
            let unspecified = fixture.origin.requests.last?.value("forwarded")
            #expect(unspecified?.hasPrefix("for=unknown, for=127.0.0.1;") == true, "\(unspecified ?? "")")
            fixture.gateway.terminate()
            #expect(fixture.gateway.exitStatus() == 0)
        }

        @Test(
            "what HTTP/2 cannot take for a request is on record with the bytes that came, and counted when it costs too much"
        )
        func malformedHTTP2() throws {
            let fixture = try Fixture()
            let client = try Socket.connect(port: fixture.gateway.port)
            // GET / without an authority, and a field that HTTP/2 forbids (RFC 9113 §8.2.2).
            // GET of /public/x with an authority, which is whole, on stream 3, and behind its end a byte of content.
            let whole =
                [0x82, 0x86, 0x04, 0x09] + Array("/public/x".utf8) + [0x01, 0x01, UInt8(ascii: "a")]
                + [0x0f, 0x0d, 0x01, UInt8(ascii: "5")]
            let block = [0x82, 0x84, 0x86, 0x00, 0x0a] + Array("connection".utf8) + [0x01, UInt8(ascii: "x")]
            let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]
            let headers: [UInt8] = [0, 0, UInt8(block.count), 1, 5, 0, 0, 0, 1]
            #expect(client.send(Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + settings + headers + block))
            #expect(
                client.send(
                    [0, 0, UInt8(whole.count), 1, 4, 0, 0, 0, 3] + whole + [0, 0, 1, 0, 1, 0, 0, 0, 3, 0x61]))
            // And a PING that is none: PROTOCOL_ERROR or the like ends the connection.
            #expect(client.send([0, 0, 1, 6, 0, 0, 0, 0, 0, 7]))
            var said: [UInt8] = []
            while case .bytes(let bytes) = client.receive(by: .now + .seconds(20)) { said += bytes }
            client.close()
            let reset: [UInt8] = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 1]
            #expect(said.indices.contains { said[$0...].starts(with: reset) }, "\(said)")
            for (reason, count) in [("protocol", 1), ("flood", 0)] as [(String, Double)] {
                #expect(
                    try fixture.gateway.metric("tollgate_http2_connection_errors_total", "reason=\"\(reason)\"")
                        == count)
            }
            fixture.gateway.terminate()
            #expect(fixture.gateway.exitStatus() == 0)
            let record = try #require(try records(fixture).first { $0.member("outcome")?.string == "malformed" })
            #expect(record.member("status")?.number?.integer == 400)
            #expect(record.member("bytesIn")?.number?.integer == Int64(block.count))
            #expect(record.member("bytesOut")?.number?.integer == 0)
            let broken = try records(fixture).filter { $0.member("reason")?.string == "request-broken" }
            #expect(broken.count == 1 && broken.first?.member("outcome")?.string == "malformed")
        }

        @Test("verify accepts what was written and finds every change")
        func verify() throws {
            let fixture = try Fixture()
            _ = try play(fixture)
            fixture.gateway.terminate()
            #expect(fixture.gateway.exitStatus() == 0)
            let directory = fixture.gateway.directory
            func verify() throws -> GatewayProcess.Run {
                try GatewayProcess.run(["audit", "verify", "audit"], in: directory)
            }
            let good = try verify()
            #expect(good.status == 0, "\(good.output)\(good.errors)")
            let file = try #require(try TemporaryDirectory.files(directory + "/audit").first { $0.hasSuffix(".jsonl") })
            let whole = try TemporaryDirectory.read(file)
            let lines = whole.split(separator: 10).map { Array($0) }
            try #require(lines.count >= 8)
            let changed = lines.map { String(decoding: $0, as: UTF8.self) }
            var tampered = changed
            let refused = try #require(tampered.firstIndex { $0.contains("\"status\":401") })
            tampered[refused] = tampered[refused].replacing("\"status\":401", with: "\"status\":200")
            let removed = changed[..<3] + changed[4...]
            let swapped = changed[..<3] + [changed[4], changed[3]] + changed[5...]
            let invented = changed[..<3] + [changed[3]] + changed[3...]
            for (name, lines) in [
                ("tampered", tampered), ("removed", Array(removed)), ("swapped", Array(swapped)),
                ("invented", Array(invented)),
            ] {
                try TemporaryDirectory.write(Array((lines.joined(separator: "\n") + "\n").utf8), to: file)
                let run = try verify()
                #expect(run.status == 1, "\(name): \(run.output)\(run.errors)")
            }
            try TemporaryDirectory.write(whole, to: file)
            #expect(try verify().status == 0)
        }

        @Test("query finds by decision, status and solution")
        func query() throws {
            let fixture = try Fixture()
            let decisions = try play(fixture)
            fixture.gateway.terminate()
            #expect(fixture.gateway.exitStatus() == 0)
            func query(_ options: [String]) throws -> [JSON] {
                let run = try GatewayProcess.run(["audit", "query", "audit"] + options, in: fixture.gateway.directory)
                #expect(run.status == 0, "\(run.errors)")
                return try run.output.split(separator: "\n").filter { $0.hasPrefix("{") }
                    .map { try JSON.parse(Array($0.utf8), limits: .configuration) }
            }
            #expect(try query([]).count >= decisions.count)
            let one = try query(["--decision", decisions[4].decision])
            #expect(one.compactMap { $0.member("decision")?.string } == [decisions[4].decision])
            let refused = try query(["--status", "401"])
            #expect(refused.count == 2)
            #expect(refused.allSatisfy { $0.member("status")?.number?.integer == 401 })
            let lamps = try query(["--solution", "acme-lamps"])
            #expect(lamps.count == 4)
            #expect(lamps.allSatisfy { $0.member("solution")?.string == "acme-lamps" })
            #expect(try query(["--since", "2099-01-01T00:00:00Z"]).isEmpty)
        }

        @Test("the chain goes on over a restart")
        func restart() throws {
            let fixture = try Fixture()
            _ = try play(fixture)
            fixture.gateway.terminate()
            #expect(fixture.gateway.exitStatus() == 0)
            let again = try GatewayProcess(resuming: fixture.gateway)
            for _ in 0..<5 { _ = try again.get("/public/x") }
            again.terminate()
            #expect(again.exitStatus() == 0)
            let run = try GatewayProcess.run(["audit", "verify", "audit"], in: fixture.gateway.directory)
            #expect(run.status == 0, "\(run.output)\(run.errors)")
            #expect(try records(fixture).filter { $0.member("decision") != nil }.count >= 13)
        }

        @Test(
            "a log that cannot be written is said once, and so is its end; where it stops admission, ready is 503 meanwhile",
            arguments: ["countLosses", "stopAdmission"])
        func unwritable(_ onFull: String) throws {
            let fixture = try Fixture({ origin in
                Configuration.contract(origin).merging([
                    "workers": 1, "rateLimit": ["requestsPerMinute": 600_000, "burst": 100_000],
                    "audit": ["directory": "audit", "onFull": .string(onFull), "ringBytes": "64KiB"],
                ])
            })
            let gateway = fixture.gateway
            let stops = onFull == "stopAdmission"
            let directory = gateway.directory + "/audit"
            // Before the first record there is no file, and now there can be none.
            TemporaryDirectory.remove(directory)
            let client = try gateway.connect()
            func status() -> Int? {
                client.send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n")
                return client.answer()?.status
            }
            func said(_ text: String) -> [Substring] {
                gateway.standardError.split(separator: "\n").filter { $0.contains(text) }
            }
            #expect(status() == 200)
            #expect(eventually { !said("The audit log cannot be written").isEmpty }, "\(gateway.standardError)")
            #expect(gateway.readiness == 200, "what is written down waits, and nobody is refused")
            if stops {
                #expect(eventually { status() == 503 })
                let ready = try #require(try gateway.admin("/health/ready"))
                #expect(ready.status == 503 && ready.text.contains("audit-unavailable"))
                #expect(try gateway.metric("tollgate_ready") == 0)
                #expect(
                    try GatewayProcess.run(["health", "--config", "gateway.json"], in: gateway.directory).status == 1)
                #expect(try gateway.metric("tollgate_audit_refusals_total") > 0)
            } else {
                #expect(
                    try eventually { try status() == 200 && gateway.metric("tollgate_audit_lost_records_total") > 0 })
                #expect(gateway.readiness == 200)
            }
            try TemporaryDirectory.write([], to: directory + "/again")
            #expect(eventually { !said("The audit log is written again").isEmpty }, "\(gateway.standardError)")
            #expect(eventually { gateway.readiness == 200 })
            // Before anything else is asked for: what is lost until the ring has been emptied is not part of what was told.
            let lost = Int(try gateway.metric("tollgate_audit_lost_records_total"))
            #expect(status() == 200)
            let (failing, again) = (said("The audit log cannot be written"), said("The audit log is written again"))
            #expect(failing.count == 1 && again.count == 1)
            #expect(failing.first?.contains("error") == true && failing.first?.contains(directory) == true)
            #expect(failing.first?.contains("No such file or directory") == true)
            #expect(failing.first?.contains(stops ? "refused" : "lost") == true)
            #expect(stops ? lost == 0 : lost > 0)
            #expect(again.first?.contains("lost=\"\(lost)\"") == true, "\(again)")
            gateway.terminate()
            #expect(gateway.exitStatus() == 0)
            let run = try GatewayProcess.run(["audit", "verify", "audit"], in: gateway.directory)
            #expect(run.status == 0, "\(run.output)\(run.errors)")
        }

        @Test("a killed gateway leaves files that a new one goes on with")
        func crash() throws {
            let fixture = try Fixture()
            _ = try play(fixture)
            fixture.gateway.kill()
            let again = try GatewayProcess(resuming: fixture.gateway)
            let decision = try #require(try again.get("/public/x")?.value("x-request-id"))
            again.terminate()
            #expect(again.exitStatus() == 0)
            let run = try GatewayProcess.run(["audit", "verify", "audit"], in: fixture.gateway.directory)
            #expect(run.status == 0, "\(run.output)\(run.errors)")
            #expect(try records(fixture).contains { $0.member("decision")?.string == decision })
        }
    }
}
