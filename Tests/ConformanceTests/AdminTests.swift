import TestKit
import Testing

extension Conformance {
    @Suite("Health and metrics", .serialized, .contract)
    struct AdminTests {
        let fixture: Fixture

        init() throws {
            fixture = try #require(Fixture.current)
        }

        private func sum(_ name: String, _ fixture: Fixture) throws -> Double { try fixture.gateway.metric(name) }

        @Test("live and ready")
        func health() throws {
            #expect(try fixture.gateway.admin("/health/live")?.status == 200)
            #expect(try fixture.gateway.admin("/health/ready")?.status == 200)
            #expect(try fixture.gateway.admin("/nothing")?.status == 404)
        }

        @Test("the admin paths are not on the public listener")
        func separate() throws {
            for target in ["/health/live", "/health/ready", "/metrics"] {
                #expect(try fixture.gateway.get(target)?.status == 404, "\(target)")
            }
        }

        @Test("metrics count every request in Prometheus text")
        func counts() throws {
            let fixture = try Fixture()
            #expect(try sum("tollgate_requests_total", fixture) == 0)
            for _ in 0..<10 { _ = try fixture.gateway.get("/public/x") }
            for _ in 0..<5 { _ = try fixture.gateway.get("/any/x") }
            let counted = try eventually { try sum("tollgate_requests_total", fixture) >= 15 }
            #expect(counted)
            #expect(try sum("tollgate_requests_total", fixture) == 15)
            #expect(try sum("tollgate_request_duration_seconds_count", fixture) == 15)
            let answer = try #require(try fixture.gateway.admin("/metrics"))
            #expect(answer.value("content-type")?.hasPrefix("text/plain") == true)
            #expect(answer.text.contains("# TYPE tollgate_requests_total counter"))
            #expect(answer.text.contains("# TYPE tollgate_request_duration_seconds histogram"))
        }

        @Test("no label is unbounded: no client, subject, token or path")
        func labels() throws {
            let field = try fixture.bearer("metrics-subject", ["azp": "metrics-client", "org_id": "metrics-tenant"])
            #expect(try fixture.gateway.get("/any/metrics-path?metrics-query=1", [field])?.status == 200)
            let text = try #require(try fixture.gateway.admin("/metrics")).text
            for word in ["metrics-subject", "metrics-client", "metrics-tenant", "metrics-path", "metrics-query"] {
                #expect(!text.contains(word), "\(word)")
            }
            #expect(!text.contains("127.0.0.1:\(fixture.gateway.port)"))
        }
    }
}
