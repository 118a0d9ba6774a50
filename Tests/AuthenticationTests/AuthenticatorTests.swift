import Authentication
import Identity
import StrictJSON
import TestKit
import Testing

/// Which credential counts, what several of them mean together, and who the caller then is.
@Suite struct AuthenticatorTests {
    private static let mint = try? TokenMint("HS256", keyID: "k")
    private static let lampToken = "tgt_lamps"
    private static let pumpToken = "tgt_pumps"
    private static let oldToken = "tgt_old"

    private static func authenticator(changing change: (inout Issuer) -> Void = { _ in }) throws -> Authenticator {
        let mint = try #require(mint)
        let keys = try KeySet.parse(jwks: TokenMint.jwks([mint]).bytes, for: [.HS256])
        func token(_ text: String, expires: Int64? = nil) -> APIToken {
            APIToken(id: text, sha256: APIToken.digest(of: Array(text.utf8)), expires: expires)
        }
        let hash = try PasswordHash.create(
            password: Array("se:cret".utf8), salt: [UInt8](repeating: 1, count: 16), costLog2: 10)
        return Authenticator(
            issuers: [.test(keys: keys, changing: change)],
            solutions: [
                SolutionCredentials(
                    id: "lamps",
                    apiTokens: [token(lampToken, expires: .testNow + 500), token(oldToken, expires: .testNow)],
                    secretHash: hash, subjects: ["integration:lamps", "integration:all"]),
                SolutionCredentials(id: "pumps", apiTokens: [token(pumpToken)], subjects: ["integration:pumps"]),
            ])
    }

    private func result(
        _ authorization: String?, apiToken: String? = nil, allowed: CredentialSet = .all, duplicated: Bool = false,
        changing change: (inout Issuer) -> Void = { _ in }
    ) throws -> Result<Authenticated, AuthenticationFailure> {
        let presented = PresentedCredentials(
            authorization: authorization.map { Array($0.utf8) }, apiToken: apiToken.map { Array($0.utf8) },
            duplicated: duplicated)
        return try Self.authenticator(changing: change).complete(presented, allowed: allowed, now: .testNow)
    }

    private func jwt(_ changes: Literal = [:]) throws -> String {
        try #require(Self.mint).token(.claims(changes))
    }

    private static let lamps = Principal(
        subjects: ["integration:lamps", "integration:all"], solution: "lamps", client: "lamps", credential: .apiToken)

    // MARK: - Nothing, or nothing that counts

    @Test func nothingIsMissing() throws {
        #expect(try result(nil) == .failure(.missing))
        #expect(try result("Digest username=x") == .failure(.missing))
        #expect(try result("Negotiate") == .failure(.missing))
        #expect(try result("Bearer \(jwt())", allowed: []) == .failure(.missing))
    }

    @Test func aKindTheRouteDoesNotAcceptIsMissing() throws {
        let basic = "Basic " + base64(Array("lamps:se:cret".utf8))
        #expect(try result("Bearer \(jwt())", allowed: [.apiToken, .basic]) == .failure(.missing))
        #expect(try result("Bearer \(Self.lampToken)", allowed: [.jwt, .basic]) == .failure(.missing))
        #expect(try result(basic, allowed: [.jwt, .apiToken]) == .failure(.missing))
        #expect(try result(nil, apiToken: Self.lampToken, allowed: [.jwt, .basic]) == .failure(.missing))
        // Not even its syntax is looked at.
        #expect(try result("Bearer", allowed: .basic) == .failure(.missing))
        #expect(try result("Basic ???", allowed: .jwt) == .failure(.missing))
        // Nor does it say which solution.
        let principal = try result("Bearer \(jwt())", apiToken: Self.lampToken, allowed: .jwt).get().principal
        #expect(principal.solution == nil)
    }

    @Test(arguments: [
        "", " ", "Bearer", "Bearer ", "bearer   ", "Bearer a b", "Bearer a, Bearer b", "Bearer a\tb", "Basic", "Basic ",
        "Basic !!!!", "Basic bGFtcHM", "Basic bGFtcHM=", "Basic OnNlY3JldA==", "Basic bGFtcHM6c2VjcmV0 x",
    ])
    func malformedCredentials(_ authorization: String) throws {
        guard case .failure(.malformed(let detail)) = try result(authorization) else {
            Issue.record("not malformed: \(authorization)")
            return
        }
        #expect(!"\(detail)".contains("\""))
    }

    @Test func aRepeatedFieldIsMalformed() throws {
        guard case .failure(.malformed) = try result("Bearer \(jwt())", duplicated: true) else {
            Issue.record("accepted one of two")
            return
        }
    }

    @Test func anEmptyAPITokenIsMalformed() throws {
        guard case .failure(.malformed) = try result("Bearer \(jwt())", apiToken: "") else {
            Issue.record("accepted")
            return
        }
    }

    // MARK: - API tokens

    @Test(arguments: ["Bearer tgt_lamps", "bearer tgt_lamps", "BEARER  tgt_lamps", " Bearer tgt_lamps "])
    func anAPITokenIsItsSolution(_ authorization: String) throws {
        #expect(try result(authorization) == .success(Authenticated(principal: Self.lamps, expires: .testNow + 500)))
    }

    @Test func anAPITokenInItsOwnField() throws {
        #expect(
            try result(nil, apiToken: Self.lampToken)
                == .success(Authenticated(principal: Self.lamps, expires: .testNow + 500)))
        #expect(try result(nil, apiToken: Self.pumpToken).get().expires == .max)
        // An unknown scheme beside it is no credential.
        #expect(try result("Digest x", apiToken: Self.pumpToken).get().principal.solution == "pumps")
    }

    @Test func apiTokensThatAreNotOurs() throws {
        #expect(try result("Bearer tgt_lamp") == .failure(.invalid(.unknownAPIToken)))
        #expect(try result("Bearer TGT_LAMPS") == .failure(.invalid(.unknownAPIToken)))
        #expect(try result("Bearer \(Self.oldToken)") == .failure(.invalid(.expiredAPIToken)))
        #expect(try result(nil, apiToken: Self.oldToken) == .failure(.invalid(.expiredAPIToken)))
        #expect(try result("Bearer \(jwt())", apiToken: "tgt_x") == .failure(.invalid(.unknownAPIToken)))
    }

    @Test func twoAPITokensMustAgree() throws {
        #expect(try result("Bearer \(Self.lampToken)", apiToken: Self.pumpToken) == .failure(.contradictory))
        #expect(try result("Bearer \(Self.lampToken)", apiToken: Self.lampToken).get().principal == Self.lamps)
    }

    // MARK: - Solution id and secret

    private func basic(_ pair: String) -> String { "Basic " + base64(Array(pair.utf8)) }

    @Test func theSecretIsWhatFollowsTheFirstColon() throws {
        let principal = try result(basic("lamps:se:cret")).get().principal
        #expect(principal.credential == .basic)
        #expect(principal.solution == "lamps")
        #expect(principal.client == "lamps")
        #expect(principal.subjects == Self.lamps.subjects)
    }

    @Test(arguments: [
        "lamps:", "lamps:secret", "lamps:se:cret ", "Lamps:se:cret", "pumps:se:cret", "nobody:x", "lamps:se:cret\0",
    ])
    func wrongSecretsAndUnknownSolutionsLookAlike(_ pair: String) throws {
        #expect(try result(basic(pair)) == .failure(.invalid(.badSecret)))
    }

    @Test func theHashIsLeftForLaterAndKnownAsSuch() throws {
        let authenticator = try Self.authenticator()
        let presented = PresentedCredentials(authorization: Array(basic("lamps:wrong").utf8))
        guard case .pending(let proof) = authenticator.begin(presented, allowed: .all, now: .testNow) else {
            Issue.record("hashed on the spot")
            return
        }
        #expect(proof.isPasswordHash)
    }

    @Test func anAPITokenBesideTheSecretMustAgree() throws {
        #expect(try result(basic("lamps:se:cret"), apiToken: Self.pumpToken) == .failure(.contradictory))
        #expect(try result(basic("nobody:se:cret"), apiToken: Self.pumpToken) == .failure(.contradictory))
        let both = try result(basic("lamps:se:cret"), apiToken: Self.lampToken).get()
        #expect(both.principal.credential == .basic)
        #expect(both.expires == .testNow + 500)
    }

    // MARK: - A token and a solution

    @Test func theTokenSaysWhoAndTheAPITokenForWhichSolution() throws {
        let authenticated = try result("Bearer \(jwt())", apiToken: Self.lampToken).get()
        #expect(
            authenticated.principal
                == Principal(
                    subjects: ["idp:user-1"], solution: "lamps", client: "lamps", issuer: "idp", credential: .jwt))
        // Whichever ends first.
        #expect(authenticated.expires == .testNow + 500)
        #expect(try result("Bearer \(jwt())", apiToken: Self.pumpToken).get().expires == .testNow + 600)
    }

    @Test func twoCredentialsOfDifferentSolutionsContradictEachOther() throws {
        let template = try ClaimTemplate("{{ jwt:azp }}")
        func with(_ azp: Literal, _ apiToken: String?) throws -> Result<Authenticated, AuthenticationFailure> {
            try result("Bearer \(jwt(["azp": azp]))", apiToken: apiToken) { $0.solution = template }
        }
        #expect(try with("lamps", Self.pumpToken) == .failure(.contradictory))
        #expect(try with("lamps", Self.lampToken).get().principal.solution == "lamps")
        #expect(try with("anything", nil).get().principal.solution == "anything")
        #expect(try with(nil, Self.lampToken).get().principal.solution == "lamps")
        #expect(try with(nil, nil).get().principal.solution == nil)
    }
}
