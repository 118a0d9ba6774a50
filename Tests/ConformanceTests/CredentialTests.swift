import Foundation
import TestKit
import Testing

extension Conformance {
    @Suite("Who is let in", .serialized, .contract)
    struct CredentialTests {
        let fixture: Fixture

        init() throws {
            fixture = try #require(Fixture.current)
            _ = fixture.origin.takeRequests()
        }

        /// A refusal in the contract's form, of which the origin saw nothing.
        private func refused(
            _ fields: [(String, String)], _ target: String = "/any/x", status: Int, error: String?,
            sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let answer = try fixture.gateway.get(target, fields)
            _ = try Problem(answer, status: status, sourceLocation: sourceLocation)
            let challenge = answer?.value("www-authenticate") ?? ""
            #expect(challenge.hasPrefix("Bearer realm=\""), "\(challenge)", sourceLocation: sourceLocation)
            if let error {
                #expect(challenge.contains("error=\"\(error)\""), "\(challenge)", sourceLocation: sourceLocation)
            } else {
                #expect(!challenge.contains("error"), "\(challenge)", sourceLocation: sourceLocation)
            }
            #expect(fixture.origin.takeRequests().isEmpty, sourceLocation: sourceLocation)
        }

        @Test("nothing sent: 401 without an error code")
        func missing() throws {
            try refused([], status: 401, error: nil)
            try refused([("Cookie", "session=1")], status: 401, error: nil)
        }

        @Test("guesses at a solution's secret do not hold up tokens that come first today")
        func guessesBesideTokens() throws {
            let guess = Array("acme-lamps:wrong".utf8)
            let guessers = try (0..<30).map { _ in
                let client = try fixture.gateway.connect()
                client.send("GET /any/x HTTP/1.1\r\nHost: a\r\nAuthorization: Basic \(base64(guess))\r\n\r\n")
                return client
            }
            let answer = try fixture.gateway.get(
                "/any/x", [("Authorization", "Bearer " + (try fixture.token("alice", ["jti": "beside guesses"])))])
            #expect(answer?.status == 200)
            let waiting = guessers.filter { $0.answer(within: .milliseconds(1)) == nil }
            #expect(!waiting.isEmpty, "the token was verified behind all the guesses")
            for client in waiting { #expect(client.answer(within: .seconds(60))?.status == 401) }
            _ = fixture.origin.takeRequests()
        }

        @Test("a token that does not hold: 401 invalid_token")
        func invalid() throws {
            let now = Int64(Date().timeIntervalSince1970)
            let stranger = try TokenMint("RS256")
            let claims: Literal = [
                "iss": .string(Configuration.issuer), "aud": .string(Configuration.audience), "sub": "alice",
                "exp": .integer(now + 600),
            ]
            let good = try fixture.token("alice")
            let signature = try #require(good.lastIndex(of: "."))
            let tokens: [(String, String)] = [
                ("expired", try fixture.token("alice", ["exp": .integer(now - 60)])),
                ("not yet valid", try fixture.token("alice", ["nbf": .integer(now + 3600)])),
                ("another audience", try fixture.token("alice", ["aud": "https://other.test/"])),
                ("another issuer", try fixture.token("alice", ["iss": "https://issuer.test"])),
                ("another key under the same kid", try stranger.token(claims)),
                ("an unknown kid", try TokenMint(keyID: "unknown", key: fixture.mint.key).token(claims)),
                ("no expiry", try fixture.mint.token(claims.without("exp"))),
                ("alg none", try fixture.mint.token(claims, header: ["alg": "none"])),
                ("no signature", String(good[...signature])),
                ("another subject under the old signature", try grafted(good, subject: "root")),
            ]
            for (name, token) in tokens {
                let answer = try fixture.gateway.get("/any/x", [("Authorization", "Bearer " + token)])
                #expect(answer?.status == 401, "\(name)")
                #expect(answer?.value("www-authenticate")?.contains("error=\"invalid_token\"") == true, "\(name)")
                #expect(answer?.value("www-authenticate")?.contains("error_description=\"") == true, "\(name)")
            }
            #expect(fixture.origin.takeRequests().isEmpty)
        }

        /// The token's header and signature around other claims.
        private func grafted(_ token: String, subject: String) throws -> String {
            var parts = token.split(separator: ".").map(String.init)
            parts[1] = try fixture.token(subject).split(separator: ".").map(String.init)[1]
            return parts.joined(separator: ".")
        }

        @Test("clock skew of ten seconds is forgiven")
        func skew() throws {
            let now = Int64(Date().timeIntervalSince1970)
            let answer = try fixture.gateway.get("/any/x", [try fixture.bearer("alice", ["exp": .integer(now - 3)])])
            #expect(answer?.status == 200)
        }

        @Test("a cached token is refused once it has expired")
        func expiresWhileCached() throws {
            let expiry = Int64(Date().timeIntervalSince1970) - 8
            let field = try fixture.bearer("short-lived", ["exp": .integer(expiry)])
            #expect(try fixture.gateway.get("/any/x", [field])?.status == 200)
            let isRefused = try eventually(within: .seconds(10)) {
                try fixture.gateway.get("/any/x", [field])?.status == 401
            }
            #expect(isRefused)
        }

        @Test("unknown and expired API tokens, and wrong secrets: 401 invalid_token")
        func machines() throws {
            for field in [
                ("x-cr-api-token", "tg_" + String(repeating: "00", count: 32)),
                ("x-cr-api-token", Configuration.expiredToken),
                ("Authorization", "Bearer tg_" + String(repeating: "00", count: 32)),
                basic("acme-lamps", "wrong"), basic("nobody", Configuration.lampsSecret), basic("acme-lamps", ""),
            ] {
                let answer = try fixture.gateway.get("/any/x", [field])
                _ = try Problem(answer, status: 401)
                #expect(answer?.value("www-authenticate") != nil)
            }
            #expect(fixture.origin.takeRequests().isEmpty)
            // What a wrong secret could be sent for is told as well (RFC 9110 §11.6.1).
            let answer = try fixture.gateway.get("/any/x", [basic("acme-lamps", "wrong")])
            #expect(answer?.value("www-authenticate")?.hasSuffix("\", Basic realm=\"api\", charset=\"UTF-8\"") == true)
            #expect(try fixture.gateway.get("/any/x")?.value("www-authenticate") == "Bearer realm=\"api\"")
        }

        @Test("a route that takes Basic alone asks for it")
        func basicAlone() throws {
            let own = try Fixture({
                Configuration.adding(
                    Configuration.route("secrets", "/basic/**", ["basic"]), to: Configuration.contract($0))
            })
            for fields in [[], [basic("acme-lamps", "wrong")], [("Authorization", "Basic !!!")]] {
                let answer = try own.gateway.get("/basic/x", fields)
                #expect(answer?.value("www-authenticate") == "Basic realm=\"api\", charset=\"UTF-8\"")
            }
        }

        @Test(
            "what is no credential at all: 400 invalid_request",
            arguments: ["Bearer", "Bearer ", "Bearer a b", "Basic !!!", "Basic", "Basic bm9jb2xvbg=="])
        func malformed(_ value: String) throws {
            let answer = try fixture.gateway.get("/any/x", [("Authorization", value)])
            let status = try #require(answer?.status)
            #expect(status == 400 || status == 401, "\(value)")
            #expect(answer?.value("www-authenticate")?.hasPrefix("Bearer realm=\"") == true)
            #expect(fixture.origin.takeRequests().isEmpty)
        }

        @Test("two Authorization fields: refused")
        func twice() throws {
            let field = try fixture.bearer("alice")
            let answer = try fixture.gateway.get("/any/x", [field, field])
            #expect(answer?.status == 400 || answer?.status == 401)
            #expect(fixture.origin.takeRequests().isEmpty)
        }

        @Test("credentials that name different solutions: 400 invalid_request")
        func contradictory() throws {
            let token = ("x-cr-api-token", Configuration.otherToken)
            try refused(
                [try fixture.bearer("alice", ["azp": "acme-lamps"]), token], status: 400, error: "invalid_request")
            try refused(
                [basic("acme-lamps", Configuration.lampsSecret), token], status: 400, error: "invalid_request")
        }

        @Test("two credentials that name the same solution are no contradiction")
        func agreeing() throws {
            let token = ("x-cr-api-token", Configuration.lampsToken)
            let answer = try fixture.gateway.get(
                "/any/x", [try fixture.bearer("alice", ["azp": "acme-lamps"]), token])
            #expect(answer?.status == 200, "\(answer?.text ?? "")")
        }

        @Test("a bad API token beside a good JWT is not overlooked")
        func badBeside() throws {
            let answer = try fixture.gateway.get(
                "/any/x", [try fixture.bearer("alice"), ("x-cr-api-token", "tg_" + String(repeating: "1", count: 64))])
            #expect(answer?.status == 401 || answer?.status == 400)
            #expect(fixture.origin.takeRequests().isEmpty)
        }

        @Test("a route takes only the kinds of credentials it names")
        func kinds() throws {
            #expect(try fixture.gateway.get("/jwt/x", [try fixture.bearer("alice")])?.status == 200)
            #expect(try fixture.gateway.get("/token/x", [("x-cr-api-token", Configuration.lampsToken)])?.status == 200)
            _ = fixture.origin.takeRequests()
            for (target, field) in [
                ("/jwt/x", ("x-cr-api-token", Configuration.lampsToken)),
                ("/jwt/x", basic("acme-lamps", Configuration.lampsSecret)), ("/token/x", try fixture.bearer("alice")),
            ] {
                let answer = try fixture.gateway.get(target, [field])
                #expect(answer?.status == 401 || answer?.status == 400, "\(target) with \(field.0)")
            }
            #expect(fixture.origin.takeRequests().isEmpty)
        }

        @Test("requireSolution: a JWT that names none needs x-cr-api-token beside it")
        func solutionRequired() throws {
            let alone = try fixture.gateway.get("/api/2/things/x", [try fixture.bearer("alice")])
            #expect([400, 401, 403].contains(alone?.status ?? 0), "\(alone?.startLine ?? "")")
            #expect(fixture.origin.takeRequests().isEmpty)
            let together = try fixture.gateway.get(
                "/api/2/things/x", [try fixture.bearer("alice"), ("x-cr-api-token", Configuration.lampsToken)])
            #expect(together?.status == 200, "\(together?.text ?? "")")
        }

        @Test("a path no route has: 404; with a wrong method where routes name methods, never 200")
        func unrouted() throws {
            _ = try Problem(try fixture.gateway.get("/nowhere"), status: 404)
            #expect(fixture.origin.takeRequests().isEmpty)
        }

        @Test("a refusal leaves the connection usable and repeats nothing of the credential")
        func keepsConnection() throws {
            let client = try fixture.gateway.connect()
            client.send("GET /any/x HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer aaaa.bbbb.cccc\r\n\r\n")
            let first = try #require(client.answer())
            #expect(first.status == 401)
            #expect(!first.text.contains("bbbb") && !fromLatin1(first.rawHead).contains("bbbb"))
            client.send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.answer()?.status == 200)
        }
    }
}
