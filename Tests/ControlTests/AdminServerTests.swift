import Control
import Synchronization
import Testing

@Suite struct AdminServerTests {
    private func withServer<T>(
        readiness: Readiness = .ready, limits: AdminLimits = AdminLimits(), _ body: (Int) async throws -> T
    ) async throws -> T {
        let routes = AdminRoutes(
            readiness: { readiness },
            metrics: {
                MetricsReport([
                    MetricFamily("tollgate_up", help: "Whether it runs.", kind: .gauge, samples: [.init(.integer(1))])
                ])
            })
        let (server, port) = try await AdminServer.start(routes, limits: limits)
        do {
            let result = try await body(port)
            await server.stop()
            return result
        } catch {
            await server.stop()
            throw error
        }
    }

    @Test func healthAndMetricsAnswer() async throws {
        try await withServer { port in
            let answer = try await exchange(
                port: port,
                "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\nGET /health/ready HTTP/1.1\r\nHost: a\r\n\r\n"
                    + "GET /metrics?x=1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.contains(#"{"status":"live"}"#))
            #expect(answer.contains(#"{"status":"ready"}"#))
            #expect(answer.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"))
            #expect(answer.hasSuffix("# TYPE tollgate_up gauge\ntollgate_up 1\n"))
        }
    }

    @Test(arguments: [(Readiness.draining, "draining"), (.auditUnavailable, "audit-unavailable")])
    func whyItIsNotReady(_ readiness: Readiness, _ status: String) async throws {
        try await withServer(readiness: readiness) { port in
            let answer = try await exchange(
                port: port, "GET /health/ready HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(answer.hasPrefix("HTTP/1.1 503 "))
            #expect(answer.contains(#"{"status":"\#(status)"}"#))
        }
    }

    @Test func headHasTheLengthAndNoBody() async throws {
        try await withServer { port in
            let answer = try await exchange(
                port: port, "HEAD /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(answer.contains("content-length: 75\r\n"))
            #expect(answer.hasSuffix("\r\n\r\n"))
        }
    }

    @Test func otherMethodsAndPathsAreRefused() async throws {
        try await withServer { port in
            let posted = try await exchange(
                port: port,
                "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc")
            #expect(posted.hasPrefix("HTTP/1.1 405 "))
            #expect(posted.contains("allow: GET, HEAD\r\n"))
            let elsewhere = try await exchange(
                port: port, "GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(elsewhere.hasPrefix("HTTP/1.1 404 "))
            #expect(elsewhere.contains("content-type: application/problem+json\r\n"))
        }
    }

    @Test func aLargeRequestEndsTheConnection() async throws {
        var limits = AdminLimits()
        limits.maximumRequestBytes = 1024
        try await withServer(limits: limits) { port in
            let answer = try await exchange(
                port: port,
                "POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"
                    + String(repeating: "x", count: 4096))
            #expect(answer.isEmpty)
        }
    }

    @Test func aRequestThatNeverEndsIsCut() async throws {
        var limits = AdminLimits()
        limits.requestTimeout = .milliseconds(20)
        try await withServer(limits: limits) { port in
            let answer = try await exchange(port: port, "GET /health/live HTTP/1.1\r\n")
            #expect(answer.isEmpty)
        }
    }

    @Test func connectionsBeyondTheBoundAreClosed() async throws {
        var limits = AdminLimits()
        limits.maximumConnections = 0
        try await withServer(limits: limits) { port in
            let answer = try? await exchange(port: port, "GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(answer?.isEmpty ?? true)
        }
    }
}
