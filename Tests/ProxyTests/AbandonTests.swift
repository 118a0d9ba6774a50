import Proxy
import TestKit
import Testing

@Suite struct AbandonTests {
    private static let hour: Int64 = 3_600_000_000_000

    private static func withRequestUnderWay() async throws -> (Gateway, RawClient) {
        let gateway = try await Gateway(origin: RawOrigin { _ in .afterBody { _ in [.hang] } })
        let client = try RawClient(port: gateway.port)
        client.send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(eventually { !gateway.origin.requests.isEmpty })
        return (gateway, client)
    }

    @Test("what is under way is cut, and a drain that waits for it ends")
    func whileDraining() async throws {
        let (gateway, client) = try await Self.withRequestUnderWay()
        let server = gateway.server
        async let drained = server.drain(timeout: Self.hour)
        while server.isReady { await Task.yield() }
        server.abandon()
        #expect(await drained)
        #expect(client.peerCloses())
        await gateway.stop()
    }

    @Test("a drain after it has nothing to wait for, and once all has ended it does nothing")
    func before() async throws {
        let (gateway, client) = try await Self.withRequestUnderWay()
        gateway.server.abandon()
        #expect(await gateway.server.drain(timeout: Self.hour))
        #expect(client.peerCloses())
        await gateway.stop()
        gateway.server.abandon()
    }
}
