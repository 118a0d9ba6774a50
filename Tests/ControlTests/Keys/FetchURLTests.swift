import Control
import Testing

@Suite struct FetchURLTests {
    @Test(arguments: [
        "https://example.com/.well-known/jwks.json", "HTTPS://EXAMPLE.com", "https://[2001:db8::1]:8443/k?a=b",
        "http://127.0.0.1:9000/jwks", "http://127.9.9.9/", "http://localhost/x", "http://[::1]:80/",
    ])
    func accepts(_ text: String) throws {
        #expect(try FetchURL(text).description == text)
    }

    @Test(arguments: [
        "", "example.com", "ftp://example.com/", "https://", "https:///path", "https://a b/", "https://a/\u{e9}",
        "https://user@example.com/", "https://user:pw@example.com/", "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:x/", "https://example.com:+1/", "https://[::1/", "https://a/#f", "https://a\\b/",
        "http://example.com/jwks", "http://127.0.0.1.example.com/", "http://127.0.0.256/", "http://localhost.example/",
        "https://a/\r\nx: y",
    ])
    func refuses(_ text: String) {
        #expect(throws: KeyFetchError.self) { try FetchURL(text) }
    }

    @Test func redirectsKeepTheSchemeAndResolveOnlyPaths() throws {
        let url = try FetchURL("https://example.com:8443/a/b?c")
        #expect(try url.following(location: "/jwks").description == "https://example.com:8443/jwks")
        #expect(try url.following(location: "https://keys.example/").description == "https://keys.example/")
        for location in ["http://127.0.0.1/", "//evil.example/x", "jwks", "", "file:///etc/passwd"] {
            #expect(throws: KeyFetchError.self) { try url.following(location: location) }
        }
    }
}
