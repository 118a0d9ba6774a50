import Control
import NIOPosix
import Testing

@Suite struct KeyFetchTests {
    private func fetch(_ answers: [String: KeyFetch.Answer]) -> KeyFetch {
        KeyFetch { url throws(KeyFetchError) in
            guard let answer = answers[url.description] else { throw .unreachable(url, "no such host") }
            return answer
        }
    }

    private func document(_ issuer: String, _ keys: String) -> KeyFetch.Answer {
        KeyFetch.Answer(status: 200, body: Array(#"{"issuer":"\#(issuer)","jwks_uri":"\#(keys)"}"#.utf8))
    }

    private let discovered = "https://id.example/.well-known/openid-configuration"

    @Test(arguments: ["https://id.example", "https://id.example/"])
    func discoveryLeadsToTheKeys(issuer: String) async throws {
        let fetch = fetch([
            discovered: document(issuer, "https://id.example/keys"),
            "https://id.example/keys": KeyFetch.Answer(status: 200, body: [1, 2]),
        ])
        let found = try await fetch.keys(at: .discovering(issuer: issuer))
        #expect(found.document == [1, 2])
        #expect(found.url.description == "https://id.example/keys")
    }

    @Test(arguments: [
        ("https://id.example", "https://id.example/keys"),
        ("https://ID.example/", "https://id.example/keys"),
        ("https://other.example/", "https://id.example/keys"),
        ("https://id.example/", "http://127.0.0.1/keys"),
        ("https://id.example/", "http://id.example/keys"),
    ])
    func aDocumentOfAnotherIssuerOrWithUnsafeKeysIsRefused(issuer: String, keys: String) async throws {
        let fetch = fetch([
            discovered: document(issuer, keys), keys: KeyFetch.Answer(status: 200),
        ])
        await #expect(throws: KeyFetchError.self) {
            _ = try await fetch.keys(at: .discovering(issuer: "https://id.example/"))
        }
    }

    @Test(arguments: ["", "[]", "{}", #"{"issuer":"https://id.example/"}"#, #"{"issuer":1,"jwks_uri":2}"#])
    func anUnreadableDocumentIsRefused(text: String) async throws {
        let fetch = fetch([discovered: KeyFetch.Answer(status: 200, body: Array(text.utf8))])
        await #expect(throws: KeyFetchError.self) {
            _ = try await fetch.keys(at: .discovering(issuer: "https://id.example/"))
        }
    }

    @Test func redirectsAreFollowedButNotForEver() async throws {
        let here = try FetchURL("https://a.example/1")
        let found = try await fetch([
            "https://a.example/1": KeyFetch.Answer(status: 302, location: "/2"),
            "https://a.example/2": KeyFetch.Answer(status: 200, body: [7]),
        ]).keys(at: .url(here))
        #expect(found.document == [7])
        await #expect(throws: KeyFetchError.tooManyRedirects(here)) {
            _ = try await fetch(["https://a.example/1": KeyFetch.Answer(status: 302, location: "/1")])
                .keys(at: .url(here))
        }
    }

    @Test(arguments: [204, 304, 404, 500])
    func otherStatusesAreFailures(status: Int) async throws {
        let here = try FetchURL("https://a.example/1")
        await #expect(throws: KeyFetchError.status(here, status)) {
            _ = try await fetch(["https://a.example/1": KeyFetch.Answer(status: status)]).keys(at: .url(here))
        }
    }
}
