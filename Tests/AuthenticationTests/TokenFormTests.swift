import Authentication
import Identity
import StrictJSON
import TestKit
import Testing

/// Tokens that are none, and tokens that somebody tampered with.
@Suite struct TokenFormTests {
    private static let mints = ["HS256", "ES256"].compactMap { try? TokenMint($0, keyID: $0) }

    private static func authenticator() throws -> Authenticator {
        let keys = try KeySet.parse(jwks: TokenMint.jwks(mints).bytes, for: [.HS256, .ES256])
        return Authenticator(issuers: [.test(keys: keys)], solutions: [])
    }

    private func complete(_ token: [UInt8]) throws -> Result<Authenticated, AuthenticationFailure> {
        let presented = PresentedCredentials(authorization: Array("Bearer ".utf8) + token)
        return try Self.authenticator().complete(presented, now: .testNow)
    }

    private func complete(header: Literal, payload: Literal = .claims()) throws -> InvalidToken? {
        let mint = try #require(Self.mints.first)
        let token = try mint.token(headerBytes: header.bytes, payloadBytes: payload.bytes)
        if case .failure(.invalid(let reason)) = try complete(Array(token.utf8)) { return reason }
        return nil
    }

    @Test func noPrefixOfATokenIsAccepted() throws {
        for mint in Self.mints {
            let token = Array(try mint.token(.claims()).utf8)
            #expect(throws: Never.self) { try complete(token).get() }
            for end in 0..<token.count {
                #expect(throws: AuthenticationFailure.self) { try complete(Array(token[..<end])).get() }
            }
            for tail in ["A", "=", ".", " x", "\n", "\0", "AAAA", ".AAAA"] {
                #expect(throws: AuthenticationFailure.self) { try complete(token + tail.utf8).get() }
            }
        }
    }

    @Test func noChangedByteGoesUnnoticed() throws {
        var random = SeededGenerator(seed: 11)
        for mint in Self.mints {
            let token = Array(try mint.token(.claims()).utf8)
            for index in token.indices {
                var changed = token
                changed[index] = UInt8.random(in: .min ... .max, using: &random)
                if changed[index] == token[index] { changed[index] ^= 1 }
                #expect(throws: AuthenticationFailure.self, "byte \(index)") { try complete(changed).get() }
            }
        }
    }

    @Test func theHeaderOfTheTokenBeforeSaysNothingOfAnother() throws {
        var random = SeededGenerator(seed: 13)
        let authenticator = try Self.authenticator()
        func outcome(_ step: Authenticator.Step) -> String {
            switch step {
            case .pending: "pending"
            case .finished(.success(let authenticated)): "\(authenticated.principal.subjects)"
            case .finished(.failure(let failure)): "\(failure)"
            }
        }
        let tokens = try Self.mints.map { Array(try $0.token(.claims()).utf8) }
        var headers = TokenHeaders()
        var outcomes: Set<String> = []
        for round in 0..<3_000 {
            var token = tokens[Int.random(in: tokens.indices, using: &random)]
            // Most changes are in the header, which is where the one before may be taken for it.
            if round % 3 > 0 {
                token[Int.random(in: 0..<(round % 3 == 1 ? 40 : token.count), using: &random)] ^= 1 << (round % 7)
            }
            let presented = PresentedCredentials(authorization: Array("Bearer ".utf8) + token)
            let alone = outcome(authenticator.begin(presented, allowed: .all, now: .testNow))
            let behind = outcome(
                authenticator.begin(presented, allowed: .all, now: .testNow, headers: &headers))
            #expect(alone == behind)
            outcomes.insert(alone)
        }
        #expect(outcomes.count > 4, "\(outcomes)")
    }

    @Test func rubbishIsRefusedWithoutHarm() throws {
        var random = SeededGenerator(seed: 12)
        let alphabet = Array("eyJhbGciOi.-_AZ=/+{}\" \0\u{ff}".utf8)
        for _ in 0..<2_000 {
            let count = Int.random(in: 0..<120, using: &random)
            let rubbish = (0..<count).map { _ in alphabet.randomElement(using: &random) ?? 0 }
            #expect(throws: AuthenticationFailure.self) { try complete(rubbish).get() }
        }
    }

    @Test(
        arguments: [
            (["alg": "HS256", "kid": "HS256"], nil), (["alg": "HS256", "kid": "HS256", "typ": nil], .type),
            (["alg": "HS256", "kid": "HS256", "typ": ["JWT"]], .type), (["alg": "HS256", "kid": 1], .unknownKey),
            (["alg": "HS256", "kid": ["HS256"]], .unknownKey), (["alg": ["HS256"], "kid": "HS256"], .algorithm),
            (["alg": "none"], .algorithm), (["alg": "hs256", "kid": "HS256"], .algorithm), ([:], .algorithm),
            (["alg": "HS256", "kid": "HS256", "crit": []], .critical),
            (["alg": "HS256", "kid": "HS256", "crit": ["b64"], "b64": false], .critical),
            (["alg": "HS256", "kid": "HS256", "zip": "DEF", "jku": "http://evil/", "x5u": "http://evil/"], nil),
            (["alg": "HS256", "kid": "ES256"], .algorithm), (["alg": "HS256", "kid": "hs256"], .unknownKey),
            ([], .format), ("HS256", .format), (nil, .format), (.raw(""), .format),
            (.raw("{\"alg\":\"HS256\"}x"), .format),
            (.raw("\u{feff}{\"alg\":\"HS256\"}"), .format),
            (.raw("{\"alg\":\"HS256\",\"\\u0061lg\":\"HS256\"}"), .format),
        ] as [(Literal, InvalidToken?)])
    func headers(_ header: Literal, _ expected: InvalidToken?) throws {
        #expect(try complete(header: header) == expected)
    }

    @Test(
        arguments: [
            [], "text", 1, nil, .raw(""), .raw("{}{}"), .raw("{\"sub\":\"\\ud800\"}"), .raw("{'sub':1}"),
            .raw("{\"exp\":01}"),
        ] as [Literal])
    func payloadsThatAreNoObject(_ payload: Literal) throws {
        #expect(try complete(header: ["alg": "HS256", "kid": "HS256"], payload: payload) == .format)
    }

    @Test func depthIsBoundedInBothParts() throws {
        func nested(_ depth: Int) -> Literal {
            .raw(String(repeating: "[", count: depth) + String(repeating: "]", count: depth))
        }
        let header: Literal = ["alg": "HS256", "kid": "HS256"]
        #expect(try complete(header: header.merging(["x": nested(15)])) == nil)
        #expect(try complete(header: header.merging(["x": nested(16)])) == .format)
        #expect(try complete(header: header.merging(["x": nested(2_000)])) == .format)
        #expect(try complete(header: header, payload: .claims(["x": nested(15)])) == nil)
        #expect(try complete(header: header, payload: .claims(["x": nested(16)])) == .format)
    }

    @Test func theSizeIsBoundedToTheByte() throws {
        let mint = try #require(Self.mints.first)
        let keys = try KeySet.parse(jwks: TokenMint.jwks([mint]).bytes, for: [.HS256])
        let token = Array(try mint.token(.claims()).utf8)
        for (limit, isAccepted) in [(token.count, true), (token.count - 1, false), (0, false)] {
            let issuer = Issuer.test(keys: keys) { $0.maximumTokenBytes = limit }
            let presented = PresentedCredentials(authorization: Array("Bearer ".utf8) + token)
            let result = Authenticator(issuers: [issuer], solutions: []).complete(presented, now: .testNow)
            if isAccepted {
                #expect(throws: Never.self) { try result.get() }
            } else {
                #expect(result == .failure(.invalid(.tooLarge)))
            }
        }
    }
}
