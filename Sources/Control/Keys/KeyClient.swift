import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix

/// Fetches over HTTP with AsyncHTTPClient: verified TLS, no redirects, a bounded body, one deadline for everything.
package final class KeyClient: Sendable {
    private let client: HTTPClient

    package init() {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout = HTTPClient.Configuration.Timeout(connect: .seconds(5), read: .seconds(5))
        configuration.connectionPool.idleTimeout = .seconds(15)
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    /// The transport of `KeyFetch`.
    package func get(_ url: FetchURL) async throws(KeyFetchError) -> KeyFetch.Answer {
        let outcome = await withTaskGroup(of: Result<KeyFetch.Answer, KeyFetchError>.self) { group in
            group.addTask { [client] in await Self.get(url, with: client) }
            group.addTask {
                // The client's own deadline ends with the response head; a body may drip for ever.
                try? await Task.sleep(for: KeyFetch.timeout)
                return .failure(.timeout(url))
            }
            let first = await group.next() ?? .failure(.timeout(url))
            group.cancelAll()
            return first
        }
        return try outcome.get()
    }

    /// Closes its connections. It is of no use afterwards.
    package func shutdown() async {
        try? await client.shutdown()
    }

    private static func get(_ url: FetchURL, with client: HTTPClient) async -> Result<KeyFetch.Answer, KeyFetchError> {
        var request = HTTPClientRequest(url: url.description)
        request.headers.add(name: "accept", value: "application/json, application/jwk-set+json")
        request.headers.add(name: "user-agent", value: "tollgate")
        do {
            let response = try await client.execute(request, timeout: TimeAmount(KeyFetch.timeout))
            let body = try await response.body.collect(upTo: KeyFetch.maximumBytes)
            return .success(
                KeyFetch.Answer(
                    status: Int(response.status.code), location: response.headers.first(name: "location"),
                    body: Array(body.readableBytesView)))
        } catch is NIOTooManyBytesError {
            return .failure(.tooLarge(url, limit: KeyFetch.maximumBytes))
        } catch {
            return .failure(.unreachable(url, ConnectionFailure(error).description))
        }
    }
}
