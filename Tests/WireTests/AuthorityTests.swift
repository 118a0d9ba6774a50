import Testing
import Wire

@Suite struct AuthorityTests {
    @Test(arguments: [
        "a", "a.example", "A-b_c~d.e", "a:0", "a:80", "a:65535", "a:00080", "a:", "127.0.0.1", "127.0.0.1:1", "[::]",
        "[::1]",
        "[::1]:80", "[1:2:3:4:5:6:7:8]", "[1::8]", "[1:2:3:4:5:6:7::]", "[::ffff:1.2.3.4]", "[1:2:3:4:5:6:1.2.3.4]",
        "[2001:DB8::a]:",
    ])
    func valid(_ host: String) {
        let (progress, head) = parse("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        #expect(progress == .complete)
        #expect(text(head.authority, of: buffer("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")) == host)
        // The same rules hold for the authority of a target.
        #expect(parse("GET http://\(host)/ HTTP/1.1\r\nHost: \(host)\r\n\r\n").0 == .complete)
    }

    @Test(arguments: [
        "", ":", ":80", "a:65536", "a:99999999999999999999", "a:8x", "a:-1", "a:80:80", "a b", "a,b", "a@b", "a/b",
        "a?b",
        "a#b", "a%41", "a;b", "a\\b", "\u{E9}", "[", "[]", "[::1", "::1", "[::1]x", "[::1]:x", "[1:2:3:4:5:6:7]",
        "[1:2:3:4:5:6:7:8:9]", "[1::2::3]", "[:::]", "[1:2:3:4:5:6:7:8::]", "[12345::]", "[g::]", "[::1.2.3]",
        "[::1.2.3.256]", "[::01.2.3.4]", "[1.2.3.4::]", "[fe80::1%25eth0]", "[v1.a]", "[:1]", "[1:]", "[1:2]",
        "[::1.2.3.4.5]", "[1:2:3:4:5:6:7:1.2.3.4]",
    ])
    func invalid(_ host: String) {
        #expect(parse("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n").0 == .malformed(.badHost))
    }

    @Test(arguments: [
        "http:///", "http://", "http://u@a/", "https://a:x/", "ftp://a/", "http:/a", "http", "//", "x", "?a",
    ])
    func invalidTargets(_ target: String) {
        let expected: RequestProgress = target == "//" ? .complete : .malformed(.badTarget)
        #expect(parse("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n").0 == expected)
    }

    @Test func absoluteFormMustNameTheHost() {
        #expect(parse("GET hTTp://A/x HTTP/1.1\r\nHost: a\r\n\r\n").0 == .complete)
        #expect(parse("GET http://a:80/x HTTP/1.1\r\nHost: a\r\n\r\n").0 == .malformed(.hostMismatch))
        #expect(parse("GET http://b HTTP/1.1\r\nHost: a\r\n\r\n").0 == .malformed(.hostMismatch))
        let (progress, head) = parse("GET http://a?q HTTP/1.0\r\n\r\n")
        #expect(progress == .complete && head.form == .absolute && head.path.isEmpty)
        #expect(text(head.authority, of: buffer("GET http://a?q HTTP/1.0\r\n\r\n")) == "a")
        #expect(head.query.map { text($0, of: buffer("GET http://a?q HTTP/1.0\r\n\r\n")) } == "q")
    }

    @Test func connectTakesAuthorityForm() {
        let (progress, head) = parse("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")
        #expect(progress == .complete && head.method == .connect && head.form == .authority)
        #expect(parse("CONNECT [::1]:443 HTTP/1.1\r\nHost: a\r\n\r\n").0 == .complete)
        for target in ["a", "/", "*", "[::1]", "a:", "http://a:1"] {
            #expect(parse("CONNECT \(target) HTTP/1.1\r\nHost: a\r\n\r\n").0 == .malformed(.badTarget), "\(target)")
        }
    }
}
