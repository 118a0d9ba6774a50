import Authentication
import Control
import Logging
import TestKit
import Testing

@Suite struct KeyRegistryTests {
    private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// A registry whose issuers answer with `document`; a fetch is told in the stream when its answer was taken.
    private func registry(
        _ document: [UInt8], onRemoval: @escaping @Sendable () -> Void = {}
    ) -> (KeyRegistry, AsyncStream<Void>) {
        let (paused, pause) = AsyncStream.makeStream(of: Void.self)
        let registry = KeyRegistry(
            fetch: KeyFetch { _ throws(KeyFetchError) in
                KeyFetch.Answer(status: 200, body: document)
            },
            log: quiet,
            sleep: { _ in
                pause.yield()
                throw CancellationError()
            }, onRemoval: onRemoval)
        return (registry, paused)
    }

    private func request(_ issuer: String = "a", interval: Duration = .seconds(300)) throws -> KeyRequest {
        KeyRequest(
            issuer: issuer, location: .url(try FetchURL("https://a.example/jwks")), algorithms: [.ES256],
            interval: interval)
    }

    @Test func aSourceIsFilledInTheBackground() async throws {
        let (registry, paused) = registry(try jwks())
        let source = registry.source(for: try request())
        var pauses = paused.makeAsyncIterator()
        _ = await pauses.next()
        #expect(source.current?.count == 1)
        #expect(registry.source(for: try request()) === source, "the same request has the same source")
    }

    @Test func anotherIntervalKeepsTheKeys() async throws {
        let (registry, paused) = registry(try jwks())
        _ = registry.source(for: try request())
        var pauses = paused.makeAsyncIterator()
        _ = await pauses.next()
        let other = registry.source(for: try request(interval: .seconds(60)))
        #expect(other.current?.count == 1)
        #expect(registry.source(for: try request("b")).current == nil, "another issuer's keys are not its own")
    }

    @Test func aDroppedIssuerStartsAnew() async throws {
        let (registry, paused) = registry(try jwks())
        let source = registry.source(for: try request())
        var pauses = paused.makeAsyncIterator()
        _ = await pauses.next()
        registry.keep([try request()])
        #expect(registry.source(for: try request()) === source)
        registry.keep([])
        #expect(registry.source(for: try request()) !== source)
    }

    @Test(arguments: [#"{"keys":[]}"#, "nonsense", #"{"keys":[{"kty":"oct","k":"AAAA"}]}"#])
    func unusableKeysNeverReplaceGoodOnes(text: String) async throws {
        let source = KeySource(initial: nil)
        let good = try jwks()
        let request = try request()
        #expect(try await request.fetch(with: answering(good), into: source) == .added)
        await #expect(throws: KeyFetchError.self) {
            _ = try await request.fetch(with: answering(Array(text.utf8)), into: source)
        }
        #expect(source.current?.count == 1)
    }

    @Test func neverHavingHadAKeyStaysVisible() async throws {
        let source = KeySource(initial: nil)
        let request = try request()
        await #expect(throws: KeyFetchError.self) {
            _ = try await request.fetch(with: answering(Array(#"{"keys":[]}"#.utf8)), into: source)
        }
        #expect(source.current == nil)
    }

    @Test func aWithdrawnKeyIsReported() async throws {
        let source = KeySource(initial: nil)
        let request = try request()
        _ = try await request.fetch(with: answering(try jwks(keyID: "1")), into: source)
        let change = try await request.fetch(with: answering(try jwks(keyID: "2")), into: source)
        #expect(change == .removed)
    }

    private func jwks(keyID: String = "k") throws -> [UInt8] {
        try TokenMint.jwks([TokenMint("ES256", keyID: keyID)]).bytes
    }

    private func answering(_ body: [UInt8]) -> KeyFetch {
        KeyFetch { _ throws(KeyFetchError) in KeyFetch.Answer(status: 200, body: body) }
    }
}
