import StrictJSON
import TestKit
import Testing

extension Conformance {
    @Suite("Who the origin is told the caller is", .serialized, .contract)
    struct IdentityTests {
        let fixture: Fixture

        init() throws {
            fixture = try #require(Fixture.current)
            _ = fixture.origin.takeRequests()
        }

        private func forwarded(_ fields: [(String, String)], _ target: String = "/any/x") throws -> Message {
            let answer = try fixture.gateway.get(target, fields)
            #expect(answer?.status == 200, "\(answer?.text ?? "no answer")")
            let requests = fixture.origin.takeRequests()
            #expect(requests.count == 1)
            return try #require(requests.first)
        }

        private func list(_ value: String?) -> [String] {
            (value ?? "").split(separator: ",").map { $0.trimmingPrefix { $0 == " " } }.map(String.init)
        }

        @Test("a JWT: subjects, solution, tenant and client by the issuer's templates")
        func jwt() throws {
            let request = try forwarded([
                try fixture.bearer(
                    "alice", ["azp": "acme-lamps", "org_id": "org-7", "permissions": ["read:things", "write:things"]])
            ])
            #expect(request.value("x-tollgate-subject") == "auth:alice")
            #expect(
                list(request.value("x-tollgate-subjects")) == ["auth:alice", "auth:read:things", "auth:write:things"])
            #expect(request.value("x-tollgate-solution") == "acme-lamps")
            #expect(request.value("x-tollgate-tenant") == "org-7")
            #expect(request.value("x-tollgate-client") == "acme-lamps")
        }

        @Test("the second use of a token tells the same as the first")
        func repeated() throws {
            let field = try fixture.bearer("again", ["azp": "acme-lamps", "org_id": "org-7"])
            let heads = try (0..<3).map { _ in
                try forwarded([field]).fields.filter {
                    $0.name.hasPrefix("x-tollgate-")
                }
            }
            #expect(!heads[0].isEmpty)
            #expect(heads[1] == heads[0])
            #expect(heads[2] == heads[0])
        }

        @Test("the consumed credentials do not travel on")
        func consumed() throws {
            let jwt = try forwarded([
                try fixture.bearer("alice"), ("x-cr-api-token", Configuration.lampsToken), ("Cookie", "kept=1"),
            ])
            #expect(jwt.values("authorization") == [])
            #expect(jwt.values("x-cr-api-token") == [])
            #expect(jwt.value("cookie") == "kept=1")
            #expect(try forwarded([basic("acme-lamps", Configuration.lampsSecret)]).values("authorization") == [])
            #expect(
                try forwarded([("x-cr-api-token", Configuration.lampsToken)]).values("x-cr-api-token") == [])
        }

        @Test(
            "identity fields of the client never arrive",
            arguments: [
                "x-tollgate-subject", "X-Tollgate-Subjects", "x-tollgate-solution", "x-tollgate-tenant",
                "X-TOLLGATE-CLIENT", "x-tollgate-anything", "x_tollgate_subject", "X-Tollgate_Subject",
                "X_TOLLGATE-SOLUTION", "x-ditto-pre-authenticated", "x_ditto_pre_authenticated",
                "x-original-url", "x-rewrite-url", "forwarded", "x-forwarded-user", "x_forwarded_for",
            ], ["/any/x", "/public/x"])
        func spoofed(_ name: String, _ target: String) throws {
            let fields = target == "/any/x" ? [try fixture.bearer("alice")] : []
            let request = try forwarded(fields + [(name, "evil-value")], target)
            #expect(!fromLatin1(request.rawHead).contains("evil-value"))
        }

        @Test("x-ditto-pre-authenticated as a query parameter never arrives")
        func spoofedQuery() throws {
            let answer = try fixture.gateway.get("/public/x?a=1&x-ditto-pre-authenticated=evil%3Avalue&b=2")
            let requests = fixture.origin.takeRequests()
            if answer?.status == 200 {
                #expect(requests.first?.target.contains("evil") == false)
                #expect(requests.first?.target.contains("a=1") == true)
                #expect(requests.first?.target.contains("b=2") == true)
            } else {
                #expect(answer?.status == 400)
                #expect(requests.isEmpty)
            }
        }

        @Test("a client's X-Forwarded-For is not believed; the peer stands there instead")
        func forwardedFor() throws {
            let request = try forwarded([("X-Forwarded-For", "9.9.9.9")], "/public/x")
            #expect(!fromLatin1(request.rawHead).contains("9.9.9.9"))
            #expect(list(request.value("x-forwarded-for")) == ["127.0.0.1"])
        }

        @Test("an API token tells its solution and the solution's subjects")
        func apiToken() throws {
            for field in [
                ("x-cr-api-token", Configuration.lampsToken), ("Authorization", "Bearer " + Configuration.lampsToken),
            ] {
                let request = try forwarded([field])
                #expect(request.value("x-tollgate-subject") == "integration:acme-lamps")
                #expect(request.value("x-tollgate-solution") == "acme-lamps")
                #expect(request.value("x-tollgate-client") == "acme-lamps")
            }
        }

        @Test("Basic tells the same, with a secret that holds a colon")
        func basicSecret() throws {
            let request = try forwarded([basic("acme-lamps", Configuration.lampsSecret)])
            #expect(request.value("x-tollgate-subject") == "integration:acme-lamps")
            #expect(request.value("x-tollgate-solution") == "acme-lamps")
        }

        @Test("x-cr-api-token beside a JWT: the person of the one, the solution of the other")
        func both() throws {
            let request = try forwarded([
                try fixture.bearer("alice"), ("x-cr-api-token", Configuration.lampsToken),
            ])
            #expect(request.value("x-tollgate-subject") == "auth:alice")
            #expect(!list(request.value("x-tollgate-subjects")).contains("integration:acme-lamps"))
            #expect(request.value("x-tollgate-solution") == "acme-lamps")
        }

        @Test("x-request-id and traceparent are started")
        func tracing() throws {
            let answer = try #require(try fixture.gateway.get("/public/x"))
            let request = try #require(fixture.origin.takeRequests().first)
            let id = try #require(request.value("x-request-id"))
            #expect(answer.value("x-request-id") == id)
            let trace = (request.value("traceparent") ?? "").split(separator: "-").map(String.init)
            #expect(trace.map(\.count) == [2, 32, 16, 2])
            #expect(trace.first == "00")
            #expect(trace.joined().utf8.allSatisfy { (48...57).contains($0) || (97...102).contains($0) })
            #expect(trace.dropFirst().first != String(repeating: "0", count: 32))
        }

        @Test("x-request-id, traceparent and tracestate of the client are kept")
        func propagated() throws {
            let trace = "4bf92f3577b34da6a3ce929d0e0e4736"
            let request = try forwarded(
                [
                    ("X-Request-Id", "chosen-by-the-client"), ("traceparent", "00-\(trace)-00f067aa0ba902b7-01"),
                    ("tracestate", "vendor=1"),
                ], "/public/x")
            #expect(request.value("x-request-id") == "chosen-by-the-client")
            #expect(request.value("traceparent")?.contains(trace) == true)
            #expect(request.value("tracestate") == "vendor=1")
            #expect(try fixture.auditRecord("chosen-by-the-client").member("status")?.number?.integer == 200)
        }

        @Test("a request id that could not stand in a log is replaced", arguments: ["a b\"c", "x{y}", ""])
        func badRequestID(_ id: String) throws {
            let answer = try #require(try fixture.gateway.get("/public/x", [("X-Request-Id", id)]))
            #expect(answer.status == 200 || answer.status == 400)
            for request in fixture.origin.takeRequests() {
                #expect(request.value("x-request-id") != id)
                #expect(request.value("x-request-id")?.isEmpty == false)
            }
        }

        @Test("on a route without authentication nobody is named")
        func nobody() throws {
            let request = try forwarded([], "/public/x")
            #expect(request.values("x-tollgate-subject") == [])
            #expect(request.values("x-tollgate-subjects") == [])
            #expect(request.values("x-tollgate-solution") == [])
        }
    }
}
