import Control
import Testing

@Suite struct HealthProbeTests {
    @Test(arguments: [(true, 200), (false, 503)])
    func readinessIsToldByStatus(ready: Bool, status: Int) async throws {
        let server = try await AdminServer.start(
            host: "127.0.0.1", port: 0, routes: AdminRoutes(readiness: { ready }, metrics: { MetricsReport() }))
        #expect(try await HealthProbe.status(host: "0.0.0.0", port: server.port) == status)
        await server.stop()
    }

    @Test func nobodyThereIsAnError() async throws {
        let server = try await AdminServer.start(
            host: "127.0.0.1", port: 0, routes: AdminRoutes(readiness: { true }, metrics: { MetricsReport() }))
        let port = server.port
        await server.stop()
        await #expect(throws: (any Error).self) { _ = try await HealthProbe.status(host: "127.0.0.1", port: port) }
    }
}
