import Control
import TestKit
import Testing

@Suite struct HealthProbeTests {
    @Test(arguments: [(true, 200), (false, 503)])
    func readinessIsToldByStatus(ready: Bool, status: Int) async throws {
        let (server, port) = try await AdminServer.start(
            AdminRoutes(readiness: { ready ? .ready : .draining }, metrics: { MetricsReport() }))
        #expect(try await HealthProbe.status(host: "0.0.0.0", port: port) == status)
        await server.stop()
    }

    @Test func nobodyThereIsAnError() async throws {
        let (reserved, port) = try Socket.reserve()
        let failure = await #expect(throws: ConnectionFailure.self) {
            try await HealthProbe.status(host: "127.0.0.1", port: port)
        }
        #expect(failure?.description == "Connection refused")
        reserved.close()
    }
}
