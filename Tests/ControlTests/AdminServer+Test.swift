import Control
import Glibc
import TestKit

extension AdminServer {
    /// One at a port that the system chooses.
    static func start(
        _ routes: AdminRoutes, limits: AdminLimits = AdminLimits()
    ) async throws -> (server: AdminServer, port: Int) {
        let (listener, port) = try Socket.listen()
        let descriptor = listener.release()
        defer { close(descriptor) }
        return (try await start(listeningOn: descriptor, routes: routes, limits: limits), port)
    }
}
