import Control
import DemoUpstream
import NIOPosix
import Testing

@Suite struct KeyClientTests {
    private func get(_ path: String) async throws -> Result<KeyFetch.Answer, KeyFetchError> {
        let server = try await DemoUpstream.start(port: 0, group: MultiThreadedEventLoopGroup.singleton)
        let client = KeyClient()
        let url = try FetchURL("http://127.0.0.1:\(server.port)\(path)")
        let result: Result<KeyFetch.Answer, KeyFetchError>
        do throws(KeyFetchError) {
            result = .success(try await client.get(url))
        } catch {
            result = .failure(error)
        }
        await client.shutdown()
        try await server.close()
        return result
    }

    @Test func fetchesABody() async throws {
        let answer = try await get("/bytes/1000").get()
        #expect(answer.status == 200)
        #expect(answer.body.count == 1000)
    }

    @Test func aBodyBeyondTheBoundIsRefused() async throws {
        let result = try await get("/bytes/1048577")
        #expect(throws: KeyFetchError.self) { try result.get() }
    }

    @Test func aRedirectIsReportedAndNotFollowed() async throws {
        #expect(try await get("/status/302").get().status == 302)
    }

    @Test func nobodyThereIsAFailure() async throws {
        let server = try await DemoUpstream.start(port: 0, group: MultiThreadedEventLoopGroup.singleton)
        let url = try FetchURL("http://127.0.0.1:\(server.port)/")
        try await server.close()
        let client = KeyClient()
        await #expect(throws: KeyFetchError.unreachable(url, "Connection refused")) { try await client.get(url) }
        await client.shutdown()
    }
}
