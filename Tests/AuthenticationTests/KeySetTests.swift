import Authentication
import Crypto
import CryptoExtras
import FoundationEssentials
import StrictJSON
import TestKit
import Testing

@Suite struct KeySetTests {
    private static let all = Set(Algorithm.allCases)

    private func parse(_ keys: [Literal], for algorithms: Set<Algorithm> = all) throws -> KeySet {
        try KeySet.parse(jwks: Literal.object([("keys", .array(keys))]).bytes, for: algorithms)
    }

    /// A good EC key as a starting point for bad ones.
    private static let ec: Literal = (try? TokenMint("ES256", keyID: "ec").jwk()) ?? [:]

    @Test(arguments: [
        "", "[]", "{}", "null", "{\"keys\":{}}", "{\"keys\":[]", "{\"keys\":[],\"keys\":[]}", "\u{feff}{\"keys\":[]}",
        "{\"keys\":[]} x",
    ])
    func whatIsNoKeySetIsAnError(_ text: String) {
        #expect(throws: KeySetError.self) { try KeySet.parse(jwks: Array(text.utf8), for: Self.all) }
    }

    @Test func errorsSayWhere() {
        do throws(KeySetError) {
            _ = try KeySet.parse(jwks: Array("{\"a\":1} x".utf8), for: Self.all)
            Issue.record("parsed")
        } catch {
            #expect(error.offset == 8)
            #expect(error.description.hasPrefix("not a JWK set: "))
        }
    }

    @Test func tooManyKeysAreRefusedAsAWhole() throws {
        #expect(try parse(Array(repeating: [:], count: 1_024)).skipped.count == 1_024)
        #expect(throws: KeySetError.self) { try parse(Array(repeating: [:], count: 1_025)) }
    }

    @Test func anEmptySetIsEmpty() throws {
        let set = try parse([])
        #expect(set.isEmpty)
        #expect(set.count == 0)
        #expect(set.skipped.isEmpty)
    }

    @Test func oneBadKeyDoesNotHarmTheOthers() throws {
        let set = try parse([["kty": "XYZ", "kid": "x"], Self.ec, .string("nonsense")])
        #expect(set.count == 1)
        #expect(set.skipped.map(\.index) == [0, 2])
        #expect(set.skipped.map(\.keyID) == ["x", nil])
    }

    @Test(
        arguments: [
            (["kty": nil], "kty"), (["kty": "ec"], "kty ec is not supported"), (["kid": 7], "kid"),
            (["use": "enc"], "use"), (["use": nil], "use"), (["key_ops": ["sign"]], "key_ops"),
            (["key_ops": []], "key_ops"), (["key_ops": "verify"], "key_ops"),
            (["alg": "ES384"], "alg ES384 does not fit"),
            (["alg": "none"], "alg none is not supported"), (["alg": 1], "alg is not a string"),
            (["d": "AQ"], "private"), (["crv": "secp256k1"], "crv secp256k1"), (["crv": "P-384"], "48 bytes"),
            (["x": "AQ"], "32 bytes"), (["x": nil], "no x"), (["x": "!"], "x is not base64url"),
            (["y": ""], "y is not base64url"),
        ] as [(Literal, String)])
    func badKeysAreLeftOutWithAReason(_ change: Literal, _ reason: String) throws {
        let set = try parse([Self.ec.merging(change)])
        #expect(set.isEmpty)
        #expect(set.skipped.first?.reason.contains(reason) == true, "\(set.skipped)")
    }

    @Test func goodKeysMaySayMore() throws {
        let set = try parse([
            Self.ec.merging(["key_ops": ["verify"], "x5t": "abc", "future": ["a": 1]]),
            Self.ec.without("use").without("kid"),
        ])
        #expect(set.count == 2)
    }

    @Test func pointsOffTheCurveAreLeftOut() throws {
        let zero = base64url([UInt8](repeating: 0, count: 32))
        #expect(try parse([Self.ec.merging(["x": .string(zero), "y": .string(zero)])]).isEmpty)
        #expect(try parse([Self.ec.merging(["x": .string(zero)])]).isEmpty)
        let ones = base64url([UInt8](repeating: 0xff, count: 32))
        #expect(try parse([Self.ec.merging(["x": .string(ones), "y": .string(ones)])]).isEmpty)
        let x = try #require(decodeBase64url(Self.ec["x"] ?? ""))
        #expect(try parse([Self.ec.merging(["x": .string(base64url([0] + x))])]).isEmpty)
    }

    // MARK: - RSA

    @Test func weakAndOddRSAKeysAreLeftOut() throws {
        let good = try TokenMint("RS256", keyID: "rs").jwk()
        let n = try #require(decodeBase64url(good["n"] ?? ""))
        let cases: [(Literal, String)] = [
            (["n": .string(base64url(n.suffix(128)))], "too weak"),
            (["n": .string(base64url([0x7f] + n.dropFirst()))], "2047 bits"),
            (["n": .string(base64url(n + [UInt8](repeating: 1, count: 1_024)))], "too costly"),
            (["n": .string(base64url(n.dropLast() + [n[255] & 0xfe]))], "even"),
            (["n": .string(base64url([0, 0]))], "zero"),
            (["e": "AQ"], "smaller"), (["e": "Aw"], "smaller"), (["e": "AgAA"], "even"), (["e": "Ag"], "even"),
            (["e": "AA"], "even"), (["e": "AgAAAAE"], "33 bits"), (["e": "AQAAAAAAAAE"], "33 bits"),
            (["e": nil], "no e"),
        ]
        for (change, reason) in cases {
            let set = try parse([good.merging(change)])
            #expect(set.isEmpty)
            #expect(set.skipped.first?.reason.contains(reason) == true, "\(set.skipped)")
        }
        // A leading zero byte is a known slip of libraries, and harmless.
        #expect(try parse([good.merging(["n": .string(base64url([0] + n))])]).count == 1)
    }

    // MARK: - Ed25519

    /// The eight points of small order and the non-canonical ways to write three of them.
    private static let smallOrder = [
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        // Beyond p, of whatever order.
        "f1ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    ]

    @Test(arguments: smallOrder)
    func ed25519KeysThatAnybodyCanSignForAreLeftOut(_ hexadecimal: String) throws {
        let digits = Array(hexadecimal)
        let point = stride(from: 0, to: 64, by: 2).compactMap { UInt8(String(digits[$0...($0 + 1)]), radix: 16) }
        let set = try parse([["kty": "OKP", "kid": "so", "crv": "Ed25519", "x": .string(base64url(point))]])
        #expect(set.isEmpty)
        let reason = try #require(set.skipped.first).reason
        #expect(reason.contains("small order") || reason.contains("canonically"))
    }

    @Test(
        arguments: [
            (["crv": "X25519"], "Ed25519"), (["crv": "Ed448"], "Ed25519"), (["x": "AQ"], "32 bytes"),
        ] as [(Literal, String)])
    func otherOctetKeysAreLeftOut(_ change: Literal, _ reason: String) throws {
        let set = try parse([try TokenMint("EdDSA").jwk().merging(change)])
        #expect(set.skipped.first?.reason.contains(reason) == true)
    }

    // MARK: - Secrets

    @Test func secretsMustBeAsLongAsTheHash() throws {
        for (name, length) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
            func key(_ count: Int) -> Literal {
                ["kty": "oct", "alg": .string(name), "k": .string(base64url([UInt8](repeating: 7, count: count)))]
            }
            #expect(try parse([key(length)]).count == 1)
            #expect(try parse([key(length - 1)]).isEmpty)
        }
        // Without an alg of its own a short secret serves the algorithms it is long enough for.
        let jwk: Literal = ["kty": "oct", "kid": "s", "k": .string(base64url([UInt8](repeating: 7, count: 48)))]
        let keys = try parse([jwk])
        let authenticator = Authenticator(issuers: [.test(keys: keys, algorithms: Self.all)], solutions: [])
        let secret = SymmetricKey(data: [UInt8](repeating: 7, count: 48))
        for (name, isAccepted) in [("HS256", true), ("HS384", true), ("HS512", false)] {
            let mint = TokenMint(keyID: "s", key: .hmac(secret, algorithm: name))
            let token = try mint.token(.claims())
            let result = authenticator.complete(SignatureTests.bearer(token), now: .testNow)
            #expect((try? result.get()) != nil ? isAccepted : !isAccepted, "\(name)")
        }
    }

    // MARK: - Which key

    @Test func onlyTheIssuersAlgorithmsCount() throws {
        #expect(try parse([Self.ec], for: [.RS256]).isEmpty)
        #expect(try parse([Self.ec.without("alg")], for: [.ES384]).isEmpty)
        #expect(try parse([Self.ec.without("alg")], for: [.ES256]).count == 1)
    }

    @Test func aSecondKeyOfTheSameNameAndAlgorithmIsLeftOut() throws {
        let other = try TokenMint("ES256", keyID: "ec").jwk()
        let set = try parse([Self.ec, other])
        #expect(set.count == 1)
        #expect(set.skipped.first?.reason.contains("same kid") == true)
        // Of another kind it is another key: rollover from one algorithm to the next.
        #expect(try parse([Self.ec, TokenMint("EdDSA", keyID: "ec").jwk()]).count == 2)
        #expect(try parse([Self.ec.without("kid"), other.without("kid")]).count == 2)
    }

    @Test func aTokenWithoutKeyIDNeedsExactlyOneKeyThatFits() throws {
        let first = try TokenMint("ES256", keyID: "one")
        let second = try TokenMint("ES256", keyID: "two")
        let other = try TokenMint("HS256", keyID: "three")
        let header: Literal = ["alg": "ES256"]
        let token = try first.token(headerBytes: header.bytes, payloadBytes: Literal.claims().bytes)
        func result(_ mints: [TokenMint]) throws -> Result<Authenticated, AuthenticationFailure> {
            let keys = try KeySet.parse(jwks: TokenMint.jwks(mints).bytes, for: Self.all)
            return Authenticator(issuers: [.test(keys: keys)], solutions: [])
                .complete(SignatureTests.bearer(token), now: .testNow)
        }
        #expect(throws: Never.self) { try result([first, other]).get() }
        #expect(try result([first, second]) == .failure(.invalid(.unknownKey)))
        #expect(try result([other]) == .failure(.invalid(.unknownKey)))
        #expect(try result([second]) == .failure(.invalid(.signature)))
    }

    @Test func keyIDsAreComparedByteByByte() throws {
        let mint = try TokenMint("ES256", keyID: "caf\u{e9}")
        let keys = try KeySet.parse(jwks: TokenMint.jwks([mint]).bytes, for: Self.all)
        let authenticator = Authenticator(issuers: [.test(keys: keys)], solutions: [])
        let good = try mint.token(.claims())
        let other = try mint.token(.claims(), header: ["kid": "cafe\u{301}"])
        #expect(throws: Never.self) {
            try authenticator.complete(SignatureTests.bearer(good), now: .testNow).get()
        }
        #expect(
            authenticator.complete(SignatureTests.bearer(other), now: .testNow) == .failure(.invalid(.unknownKey)))
    }
}
