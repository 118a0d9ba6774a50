import Settings
import TestKit
import Testing

@Suite struct IssuerProblemTests {
    private let fixture = Fixture(
        files: ["k.json": Fixture.keys, "locked": "unreadable", "broken.json": "{\n  \"keys\": [}"])

    /// The problems of issuers that stand one a line, from line 2.
    private func problems(_ issuers: String...) -> [String] {
        let text = "{\"issuers\": {\n" + issuers.joined(separator: ",\n") + "}}"
        return fixture.problems(text).map { String($0.dropFirst("gateway.json:".count)) }
    }

    @Test func whatHasToBeKnown() {
        #expect(
            problems(#""a": {}"#) == [
                "2:6: error: $.issuers.a: the member \"issuer\" is missing: What the claim iss has to be, byte for byte.",
                "2:6: error: $.issuers.a: the member \"audiences\" is missing: What the claim aud has to name at least"
                    + " one of, byte for byte.",
                "2:6: error: $.issuers.a: the member \"keys\" is missing: Where its keys come from.",
            ])
        #expect(
            problems(#""a": {"issuer": "i", "audiences": [], "algorithms": ["RS265"], "keys": {}}"#) == [
                "2:35: error: $.issuers.a.audiences: the array is too short: without an audience, tokens made for"
                    + " others would be accepted here",
                "2:54: error: $.issuers.a.algorithms[0]: \"RS265\" is not a choice here; did you mean \"RS256\"?",
                "2:72: error: $.issuers.a.keys: one of \"file\", \"jwks\", \"secret\", \"url\", \"discovery\" is needed",
            ])
    }

    @Test func issuersThatCollide() {
        #expect(
            problems(
                #""a": {"issuer": "i", "audiences": ["y"], "keys": {"url": "https://h/k"}}"#,
                #""b": {"issuer": "i", "audiences": ["y"], "keys": {"url": "https://h/k"}}"#,
                #""c": {"issuer": "j", "audiences": ["y"], "keys": {"url": "https://h/k"}, "subjectPrefix": "a"}"#)
                == [
                    "3:17: error: $.issuers.b.issuer: \"a\" has the same iss, so nothing would tell their tokens"
                        + " apart; merge the two",
                    "4:91: warning: $.issuers.c.subjectPrefix: \"a\" has the subject prefix \"a\" too, so that each"
                        + " can make the other's subjects",
                ])
    }

    @Test func keysThatAreFetched() {
        #expect(
            problems(
                #""a": {"issuer": "i", "audiences": ["y"], "algorithms": ["HS256"], "keys": {"url": "https://h/k"}}"#,
                #""b": {"issuer": "x", "audiences": ["y"], "keys": {"discovery": true}}"#,
                #""c": {"issuer": "http://h/", "audiences": ["y"], "keys": {"discovery": true}}"#,
                #""d": {"issuer": "z", "audiences": ["y"], "keys": {"url": "http://h/k"}}"#,
                #""e": {"issuer": "e", "audiences": ["y"], "keys": {"url": "ftp://h/k"}}"#,
                #""f": {"issuer": "f", "audiences": ["y"], "keys": {"discovery": false}}"#,
                #""g": {"issuer": "g", "audiences": ["y"], "keys": {"url": "http://[::1]:1/k"}}"#,
                #""h": {"issuer": "http://localhost:81/", "audiences": ["y"], "keys": {"discovery": true}}"#)
                == [
                    "2:75: error: $.issuers.a.keys: HS256 signs with a shared secret, and a secret that can be fetched"
                        + " is none; use {\"secret\": {\"file\": …}} or other algorithms",
                    "3:50: error: $.issuers.b.keys: \"x\" is no https:// address, so there is nowhere to ask for its"
                        + " keys; use \"url\" instead",
                    "4:58: error: $.issuers.c.keys: \"http://h/\" is no https:// address, so there is nowhere to ask"
                        + " for its keys; use \"url\" instead",
                    "5:58: error: $.issuers.d.keys.url: keys fetched over http:// can be replaced on the way, and then"
                        + " anybody can make tokens; use https://",
                    "6:58: error: $.issuers.e.keys.url: \"ftp://h/k\" is no address to fetch from; write"
                        + " \"https://host/path\"",
                    "7:50: error: $.issuers.f.keys: \"discovery\" can only be true; name another source of keys"
                        + " instead",
                ])
    }

    @Test func keysThatAreAtHand() {
        #expect(
            problems(
                #""a": {"issuer": "a", "audiences": ["y"], "algorithms": ["HS256"], "keys": {"secret": "short"}}"#,
                #""b": {"issuer": "b", "audiences": ["y"], "algorithms": ["ES256"], "keys": {"file": "broken.json"}}"#,
                #""c": {"issuer": "c", "audiences": ["y"], "keys": {"file": "k.json"}}"#,
                #""d": {"issuer": "d", "audiences": ["y"], "keys": {"file": "none.json"}}"#,
                #""e": {"issuer": "e", "audiences": ["y"], "keys": {"file": "locked"}}"#,
                #""f": {"issuer": "f", "audiences": ["y"], "keys": {"file": "k.json", "url": "https://x/"}}"#,
                #""g": {"issuer": "g", "audiences": ["y"], "keys": {"jwks": {"keys": []}}}"#,
                #""h": {"issuer": "h", "audiences": ["y"], "keys": {"jwks": []}}"#)
                == [
                    "2:75: error: $.issuers.a.keys: there is no key here that HS256 could use: key 0: the secret is"
                        + " shorter than the hash of its algorithm (RFC 7518 section 3.2)",
                    "3:75: error: $.issuers.b.keys: broken.json:2:12: not a JWK set: '}' stands where a value should"
                        + " stand",
                    "4:50: error: $.issuers.c.keys: there is no key here that RS256 could use: key 0 \"k1\": none of"
                        + " the algorithms configured for the issuer can use this key",
                    "5:59: error: $.issuers.d.keys.file: there is no file none.json; paths are relative to the"
                        + " configuration file",
                    "6:59: error: $.issuers.e.keys.file: locked cannot be read: Permission denied",
                    "7:50: error: $.issuers.f.keys: only one of \"file\", \"jwks\", \"secret\", \"url\", \"discovery\""
                        + " can be given, found 2",
                    "8:50: error: $.issuers.g.keys: there is no key here that RS256 could use: it holds none at all",
                    "9:59: error: $.issuers.h.keys.jwks: expected an object, found an array",
                ])
    }

    @Test func aLongSecretIsAKey() throws {
        let secret = String(repeating: "s", count: 32)
        let settings = try fixture.settings(
            """
            {"issuers": {"a": {"issuer": "a", "audiences": ["y"], "algorithms": ["HS256"],
              "keys": {"secret": "\(secret)"}}}}
            """)
        let expected = #"{"keys":[{"kty":"oct","k":"\#(base64url(Array(secret.utf8)))"}]}"#
        #expect(settings.issuers.first?.keys?.document == Array(expected.utf8))
    }

    @Test func keysThatCannotBeUsedAreToldBesideThoseThatCan() throws {
        let both = try TokenMint.jwks([
            TokenMint("ES256", keyID: "good"), TokenMint("EdDSA", keyID: "other"),
        ]).text
        let fixture = Fixture(files: ["both.json": both])
        let text = """
            {"issuers": {"a": {"issuer": "a", "audiences": ["y"], "algorithms": ["ES256"],
              "keys": {"file": "both.json"}}}, "routes": []}
            """
        #expect(
            fixture.problems(text).contains(
                "gateway.json:2:11: warning: $.issuers.a.keys: key 1 \"other\": none of the algorithms configured for"
                    + " the issuer can use this key; it is not used"))
    }

    @Test func templatesAndTypes() {
        #expect(
            problems(
                #""a": {"issuer": "a", "audiences": ["y"], "keys": {"url": "https://x/"},"#
                    + #" "subjects": ["{{ jwt:sub"], "client": "{{ jwt:a | fn:lowr() }}","#
                    + #" "profile": "rfc9068", "requiredType": "JWT"}"#) == [
                    "2:86: error: $.issuers.a.subjects[0]: the template \"{{ jwt:sub\" is wrong at character 1: the"
                        + " placeholder that begins here is not closed; end it with }}",
                    "2:111: error: $.issuers.a.client: the template \"{{ jwt:a | fn:lowr() }}\" is wrong at character"
                        + " 12: there is no function fn:lowr; did you mean fn:lower?",
                    "2:176: error: $.issuers.a.requiredType: profile \"rfc9068\" wants typ \"at+jwt\" and requiredType"
                        + " wants \"JWT\"; remove one",
                ])
    }
}
