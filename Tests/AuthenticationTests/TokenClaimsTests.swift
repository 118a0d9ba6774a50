import Authentication
import Identity
import StrictJSON
import TestKit
import Testing

/// What a token's claims must be, and what they make of the caller.
@Suite struct TokenClaimsTests {
    private static let mint = try? TokenMint("HS256", keyID: "k")

    private func result(
        _ claims: Literal, header: Literal = [:], changing change: (inout Issuer) -> Void = { _ in }
    ) throws -> Result<Authenticated, AuthenticationFailure> {
        let mint = try #require(Self.mint)
        let keys = try KeySet.parse(jwks: TokenMint.jwks([mint]).bytes, for: [.HS256])
        let authenticator = Authenticator(issuers: [.test(keys: keys, changing: change)], solutions: [])
        return authenticator.complete(SignatureTests.bearer(try mint.token(claims, header: header)), now: .testNow)
    }

    private func failure(_ result: Result<Authenticated, AuthenticationFailure>) -> InvalidToken? {
        if case .failure(.invalid(let reason)) = result { reason } else { nil }
    }

    // MARK: - Time: skew 10 s on all three

    @Test(
        arguments: [
            ("exp", "1800000001", nil), ("exp", "1799999991", nil), ("exp", "1799999990.5", nil),
            ("exp", "1799999990", .expired), ("exp", "0", .expired), ("exp", "-1e400", .expired),
            ("exp", "1.8000000005e9", nil), ("exp", "1e400", .claims), ("exp", "1800000000000", .claims),
            ("exp", "9223372036854775807", .claims), ("exp", "\"1800000600\"", .claims), ("exp", "null", .claims),
            ("nbf", "1800000010", nil), ("nbf", "1800000010.5", .notYetValid), ("nbf", "1800000011", .notYetValid),
            ("nbf", "1e400", .notYetValid), ("nbf", "-1e400", .claims), ("nbf", "0", nil), ("nbf", "true", .claims),
            ("iat", "1800000010", nil), ("iat", "1800000011", .notYetValid), ("iat", "1e300", .notYetValid),
            ("iat", "[]", .claims), ("iat", "-5", nil),
        ] as [(String, String, InvalidToken?)])
    func times(_ claim: String, _ value: String, _ expected: InvalidToken?) throws {
        let result = try result(.claims(.object([(claim, .raw(value))])))
        #expect(failure(result) == expected)
        if expected == nil { #expect(throws: Never.self) { try result.get() } }
    }

    @Test func theCacheMayKeepATokenUntilItsOwnExpiry() throws {
        #expect(try result(.claims()).get().expires == 1_800_000_600)
        // Accepted by skew alone: already over for a cache.
        #expect(try result(.claims(["exp": 1_799_999_995])).get().expires == 1_799_999_995)
        #expect(try result(.claims(["exp": .raw("1800000600.25")])).get().expires == 1_800_000_601)
    }

    @Test func expiryMayBeOptional() throws {
        let claims = Literal.claims().without("exp")
        #expect(failure(try result(claims)) == .claims)
        #expect(try result(claims) { $0.requireExpiry = false }.get().expires == .max)
        #expect(
            failure(
                try result(claims) {
                    $0.requireExpiry = false
                    $0.maximumLifetime = 3_600
                }) == .claims)
    }

    @Test func lifetimesMayBeBounded() throws {
        #expect(throws: Never.self) { try result(.claims()) { $0.maximumLifetime = 610 }.get() }
        #expect(failure(try result(.claims()) { $0.maximumLifetime = 609 }) == .claims)
        #expect(failure(try result(Literal.claims().without("iat")) { $0.maximumLifetime = 610 }) == .claims)
    }

    // MARK: - Issuer and audience

    @Test(arguments: [
        "https://idp.example", "https://idp.example//", "HTTPS://idp.example/", "", "https://idp.example/\u{200d}",
    ])
    func anotherIssuer(_ issuer: String) throws {
        #expect(failure(try result(.claims(["iss": .string(issuer)]))) == .unknownIssuer)
    }

    @Test func anIssuerMustBeNamed() throws {
        #expect(failure(try result(Literal.claims().without("iss"))) == .unknownIssuer)
        #expect(failure(try result(.claims(["iss": ["https://idp.example/"]]))) == .unknownIssuer)
    }

    @Test(
        arguments: [
            ("\"api://tollgate\"", nil), ("[\"other\",\"api://tollgate\"]", nil), ("\"api://tollgate/\"", .audience),
            ("[]", .audience), ("\"\"", .audience), ("[[\"api://tollgate\"]]", .claims),
            ("[\"api://tollgate\",1]", .claims), ("{\"api://tollgate\":1}", .claims), ("null", .claims),
            ("\"API://tollgate\"", .audience),
        ] as [(String, InvalidToken?)])
    func audiences(_ audience: String, _ expected: InvalidToken?) throws {
        #expect(failure(try result(.claims(["aud": .raw(audience)]))) == expected)
    }

    @Test func withoutAnAudienceOfOursNothingIsAccepted() throws {
        #expect(failure(try result(.claims()) { $0.audiences = [] }) == .audience)
        #expect(failure(try result(Literal.claims().without("aud"))) == .audience)
    }

    @Test func everyIssuerHasItsOwnKeysAndRules() throws {
        let first = try TokenMint("HS256", keyID: "k")
        let second = try TokenMint("ES256", keyID: "k")
        func issuer(_ name: String, _ mint: TokenMint, _ algorithm: Algorithm) throws -> Issuer {
            .test(keys: try KeySet.parse(jwks: TokenMint.jwks([mint]).bytes, for: [algorithm]), algorithms: [algorithm])
            {
                $0.name = name
                $0.subjectPrefix = name
                $0.issuer = "https://\(name)/"
            }
        }
        let authenticator = Authenticator(
            issuers: [try issuer("a", first, .HS256), try issuer("b", second, .ES256)], solutions: [])
        func complete(_ mint: TokenMint, _ iss: String) throws -> Result<Authenticated, AuthenticationFailure> {
            authenticator.complete(
                SignatureTests.bearer(try mint.token(.claims(["iss": .string("https://\(iss)/")]))), now: .testNow)
        }
        #expect(try complete(first, "a").get().principal.subjects == ["a:user-1"])
        #expect(try complete(second, "b").get().principal.subjects == ["b:user-1"])
        // Keys belong to their issuer: the other's algorithm is refused although the gateway knows it.
        #expect(try complete(first, "b") == .failure(.invalid(.algorithm)))
        #expect(try complete(second, "a") == .failure(.invalid(.algorithm)))
    }

    @Test("An issuer is found by the bytes of its name, be there few of them or many", arguments: 1...12)
    func issuersByName(_ count: Int) throws {
        let names = [
            "https://\u{e9}/", "https://e\u{301}/", "https://a/", "https://a", "https://A/", "", "https://a/b", "a",
            " a",
            "https://\u{212b}/", "https://\u{c5}/", "https://A\u{30a}/",
        ]
        let mint = try TokenMint("HS256", keyID: "k")
        let keys = try KeySet.parse(jwks: TokenMint.jwks([mint]).bytes, for: [.HS256])
        let issuers = names.indices.map { index in
            Issuer.test(keys: keys) { ($0.name, $0.subjectPrefix, $0.issuer) = ("\(index)", "\(index)", names[index]) }
        }
        let authenticator = Authenticator(issuers: Array(issuers.prefix(count)), solutions: [])
        for (index, name) in names.enumerated() {
            let token = SignatureTests.bearer(try mint.token(.claims(["iss": .string(name)])))
            let result = authenticator.complete(token, now: .testNow)
            if index < count {
                #expect(try result.get().principal.subjects == ["\(index):user-1"])
            } else {
                #expect(result == .failure(.invalid(.unknownIssuer)))
            }
        }
    }

    // MARK: - Type

    @Test(
        arguments: [
            ("JWT", nil), ("jwt", nil), ("at+jwt", nil), ("AT+JWT", nil), ("application/at+jwt", nil),
            ("Application/JWT", nil),
            ("logout+jwt", .type), ("dpop+jwt", .type), ("", .type), ("application/", .type), ("text/jwt", .type),
        ] as [(String, InvalidToken?)])
    func types(_ type: String, _ expected: InvalidToken?) throws {
        #expect(failure(try result(.claims(), header: ["typ": .string(type)])) == expected)
    }

    @Test func aTypeMayBeRequired() throws {
        func with(_ type: Literal?) throws -> InvalidToken? {
            let mint = try #require(Self.mint)
            var header: Literal = ["alg": "HS256", "kid": "k"]
            if let type { header = header.merging(["typ": type]) }
            let token = try mint.token(headerBytes: header.bytes, payloadBytes: Literal.claims().bytes)
            let keys = try KeySet.parse(jwks: TokenMint.jwks([mint]).bytes, for: [.HS256])
            let issuer = Issuer.test(keys: keys) { $0.requiredType = "application/entity+jwt" }
            return failure(
                Authenticator(issuers: [issuer], solutions: []).complete(SignatureTests.bearer(token), now: .testNow))
        }
        #expect(try with("entity+jwt") == nil)
        #expect(try with("Application/Entity+JWT") == nil)
        #expect(try with("JWT") == .type)
        #expect(try with(nil) == .type)
        #expect(try with(1) == .type)
    }

    @Test func rfc9068AsksForMore() throws {
        let claims = Literal.claims(["client_id": "c", "jti": "1"])
        func with(_ claims: Literal, _ type: Literal = "at+jwt") throws -> InvalidToken? {
            failure(try result(claims, header: ["typ": type]) { $0.profile9068 = true })
        }
        #expect(try with(claims) == nil)
        #expect(try with(claims, "JWT") == .type)
        for name in ["client_id", "jti", "iat", "sub"] { #expect(try with(claims.without(name)) == .claims) }
        #expect(try with(claims.merging(["jti": ""])) == .claims)
        #expect(try with(claims.merging(["jti": 1])) == .claims)
    }

    // MARK: - Size

    @Test func eachIssuerHasItsOwnBounds() throws {
        let mint = try #require(Self.mint)
        let keys = try KeySet.parse(jwks: TokenMint.jwks([mint]).bytes, for: [.HS256])
        let strict = Issuer.test(keys: keys) {
            $0.maximumTokenBytes = 400
            $0.maximumDepth = 2
        }
        let lax = Issuer.test(keys: keys) {
            $0.issuer = "https://lax.example/"
            $0.maximumTokenBytes = 2_000
            $0.maximumDepth = 8
        }
        let authenticator = Authenticator(issuers: [strict, lax], solutions: [])
        func reason(_ claims: Literal) throws -> InvalidToken? {
            failure(authenticator.complete(SignatureTests.bearer(try mint.token(claims)), now: .testNow))
        }
        let long = Literal.string(String(repeating: "x", count: 300))
        let longer = Literal.string(String(repeating: "x", count: 3_000))
        #expect(try reason(.claims(["x": long])) == .tooLarge)
        #expect(try reason(.claims(["x": long, "iss": "https://lax.example/"])) == nil)
        #expect(try reason(.claims(["x": longer, "iss": "https://lax.example/"])) == .tooLarge)
        #expect(try reason(.claims(["x": [[1]]])) == .format)
        #expect(try reason(.claims(["x": [1]])) == nil)
        #expect(try reason(.claims(["x": [[1]], "iss": "https://lax.example/"])) == nil)
        #expect(try reason(.claims(["x": [[[[[[[[1]]]]]]]], "iss": "https://lax.example/"])) == .format)
    }

    // MARK: - Who the caller is

    @Test func templatesMakeSubjectsWithThePrefixOfTheirIssuer() throws {
        let templates = try ["{{ jwt:permissions }}", "{{ jwt:sub }}", "everybody", "{{ jwt:none }}"].map {
            try ClaimTemplate($0)
        }
        let claims = Literal.claims(["permissions": ["read", "write", "read"]])
        let principal = try result(claims) { $0.subjects = templates }.get().principal
        #expect(principal.subjects == ["idp:read", "idp:write", "idp:user-1", "idp:everybody"])
        #expect(principal.subject == "idp:read")
        #expect(principal.client == "idp:read")
        let other = try result(.claims()) { $0.subjectPrefix = "google" }.get().principal
        #expect(other.subjects == ["google:user-1"])
        #expect(other.issuer == "idp")
    }

    @Test func whereTemplatesResolveToNothingSubCountsAndElseNobody() throws {
        let templates = [try ClaimTemplate("{{ jwt:permissions }}")]
        #expect(try result(.claims()) { $0.subjects = templates }.get().principal.subjects == ["idp:user-1"])
        let nameless = Literal.claims().without("sub")
        #expect(failure(try result(nameless) { $0.subjects = templates }) == .claims)
        #expect(failure(try result(nameless)) == .claims)
        #expect(failure(try result(.claims(["sub": ""]))) == .claims)
        #expect(failure(try result(.claims(["sub": 7]))) == .claims)
        #expect(failure(try result(.claims(["sub": nil]))) == .claims)
    }

    @Test func theClientIsTheTemplateElseTheSolutionElseTheFirstSubject() throws {
        let client = try ClaimTemplate("{{ jwt:azp }}")
        let solution = try ClaimTemplate("{{ jwt:sol }}")
        func limited(_ claims: Literal) throws -> String {
            try result(claims) {
                $0.client = client
                $0.solution = solution
            }.get().principal.client
        }
        #expect(try limited(.claims(["azp": "c", "sol": "s"])) == "c")
        #expect(try limited(.claims(["sol": "s"])) == "s")
        #expect(try limited(.claims()) == "idp:user-1")
    }

    @Test func tenantsAndSolutionsAreOneOrNone() throws {
        let tenant = try ClaimTemplate("{{ jwt:org }}")
        func with(_ org: Literal) throws -> Result<Authenticated, AuthenticationFailure> {
            try result(.claims(["org": org])) { $0.tenant = tenant }
        }
        #expect(try with("t").get().principal.tenant == "t")
        #expect(try with(["t", "t"]).get().principal.tenant == "t")
        #expect(try with([]).get().principal.tenant == nil)
        #expect(failure(try with(["t", "u"])) == .claims)
    }

    @Test(arguments: ["a\r\nb", "a\0", "\u{7f}", "\u{85}", "a\u{9f}b", "\t", "\u{1b}[0m", "user-1 ", " user-1", " "])
    func whatIsNoFieldMakesNobody(_ text: String) throws {
        #expect(failure(try result(.claims(["sub": .string(text)]))) == .claims)
        let changes: [(inout Issuer, ClaimTemplate) -> Void] = [
            { $0.client = $1 }, { $0.solution = $1 }, { $0.tenant = $1 }, { $0.subjects = [$1] },
        ]
        let template = try ClaimTemplate("{{ jwt:x }}")
        for change in changes {
            #expect(failure(try result(.claims(["x": .string(text)])) { change(&$0, template) }) == .claims)
        }
        // Where nothing is made of it, it is nobody's business.
        #expect(failure(try result(.claims(["x": .string(text)]))) == nil)
    }

    @Test func ordinaryTextOfAnyLanguageIsFine() throws {
        for text in ["\u{e9}", "\u{a0}", "\u{4e2d}\u{6587}", "a b", "\u{1f600}", "\u{2c5}"] {
            #expect(try result(.claims(["sub": .string(text)])).get().principal.subjects == ["idp:\(text)"])
        }
    }

    @Test func subjectsAreBounded() throws {
        let template = try ClaimTemplate("{{ jwt:a }}")
        func with(_ count: Int64) throws -> Result<Authenticated, AuthenticationFailure> {
            try result(.claims(["a": .array((0..<count).map { .integer($0) })])) { $0.subjects = [template] }
        }
        #expect(try with(256).get().principal.subjects.count == 256)
        #expect(failure(try with(257)) == .claims)
        let two = try result(.claims(["a": .array((0..<200).map { .integer($0) })])) {
            $0.subjects = [template, template]
        }
        #expect(try two.get().principal.subjects.count == 200)
    }
}
