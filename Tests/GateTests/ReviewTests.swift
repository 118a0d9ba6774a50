import Authentication
import Gate
import Identity
import NIOCore
import Policy
import RateLimit
import Routing
import TestKit
import Testing
import Wire

/// Whether a stream may go on when what admitted it has changed.
@Suite struct ReviewTests {
    private static let token = "tgt_0123456789012345678901234567890123456789012"
    private static let now: Int64 = 1_800_000_000
    private static let mint = Result { try TokenMint("ES256", keyID: "k") }

    /// What the tests change of one configuration.
    private struct Settings {
        var hasToken = true
        var tokenExpires: Int64?
        var grants: Permissions = [.read]
        var grantExpires: Int64?
        var route = "things"
        var upgrades: [UpgradeProtocol] = [.webSocket]
        var secret = "se:cret"
        var keys: KeySet?
        var accepts = CredentialSet.all

        func snapshot() throws -> Snapshot {
            let rule = try RouteRule(name: route, path: RoutePattern("/things/**"))
            let open = try RouteRule(name: "open", path: RoutePattern("/open"))
            let engine = try PolicyEngine(
                document: PolicyDocument(
                    policyId: "p:p",
                    entries: [
                        .init(
                            label: "all",
                            subjects: [.init(id: "integration:lamps", expiry: grantExpires), .init(id: "idp:alice")],
                            resources: [.init(key: "thing:/", grant: grants)])
                    ]),
                resolving: { _ in nil })
            let digest = APIToken.digest(of: Array(ReviewTests.token.utf8))
            let hash = try PasswordHash.create(
                password: Array(secret.utf8), salt: [UInt8](repeating: 1, count: 16), costLog2: 10)
            let resource = try CaptureTemplate(resource: "thing:/{rest}", for: rule.path)
            return Snapshot(
                routes: [
                    Route(
                        name: route, upstream: "u", accepts: accepts,
                        policy: accepts.isEmpty ? nil : RoutePolicy(engine: 0, resource: resource), upgrades: upgrades),
                    Route(name: "open", upstream: "u", accepts: []),
                ],
                table: try RouteTable([rule, open]),
                authenticator: Authenticator(
                    issuers: [
                        Issuer(
                            name: "idp", issuer: "https://idp.example/", audiences: ["api"], algorithms: [.ES256],
                            keys: KeySource(initial: keys))
                    ],
                    solutions: [
                        SolutionCredentials(
                            id: "lamps",
                            apiTokens: hasToken ? [APIToken(id: "1", sha256: digest, expires: tokenExpires)] : [],
                            secretHash: hash, subjects: ["integration:lamps"])
                    ]),
                engines: [engine], limits: LimitRules(quota: .standard, failures: .standard),
                forwarding: ForwardingRules(), connection: ConnectionRules())
        }
    }

    /// A stream that was admitted, and the gatekeeper it was admitted by.
    private struct Stream {
        let gatekeeper: Gatekeeper
        let admitted: Admitted
        let path: [UInt8]

        init(_ settings: Settings, _ field: String, path: String = "/things/a") throws {
            var random = SystemRandomNumberGenerator()
            let key = CredentialHashKey(random: &random)
            gatekeeper = Gatekeeper(
                snapshot: try settings.snapshot(), generation: 1,
                shared: Gatekeeper.Shared(
                    limiter: LimiterTable(maximumCells: 100, shards: 1), admissions: SharedCredentialCache(key: key),
                    hashKey: key))
            self.path = Array(path.utf8)
            var parser = RequestParser()
            let bytes = ByteBuffer(string: "GET \(path) HTTP/1.1\r\nHost: a\r\n\(field)\r\n\r\n")
            #expect(parser.parse(bytes) == .complete)
            var peer = Peer(address: .unknown)
            let now = Now(monotonic: 0, unixNanoseconds: ReviewTests.now * 1_000_000_000)
            var verdict = gatekeeper.decide(parser.head, in: bytes, peer: &peer, now: now)
            if case .verify(let attempt) = verdict {
                verdict = gatekeeper.decide(
                    parser.head, in: bytes, peer: &peer, now: now, attempted: attempt.run(now: 0))
            }
            guard case .admitted(let admitted) = verdict else { throw NotAdmitted() }
            self.admitted = admitted
        }

        /// What a review says once these settings are in force, so many seconds later.
        func review(
            _ settings: Settings, after seconds: Int64 = 1, switchingTo upgrade: UpgradeProtocol? = .webSocket
        ) throws -> Gatekeeper.Review {
            gatekeeper.snapshot = try settings.snapshot()
            gatekeeper.generation += 1
            let method = Array("GET".utf8)
            let host = Array("a".utf8)
            var peer = Peer(address: .unknown)
            return gatekeeper.review(
                .get, methodBytes: method.span, path: path.span, host: host.span, on: admitted.route,
                switchingTo: upgrade, admission: admitted.admission, credentials: admitted.credentials, peer: &peer,
                now: Now(monotonic: 0, unixNanoseconds: (ReviewTests.now + seconds) * 1_000_000_000))
        }
    }

    private struct NotAdmitted: Error {}

    private func name(_ review: Gatekeeper.Review) -> String {
        switch review {
        case .admitted: "admitted"
        case .expired: "expired"
        case .revoked: "revoked"
        }
    }

    private let field = "x-cr-api-token: \(token)"
    private let basic = "Authorization: Basic " + base64(Array("lamps:se:cret".utf8))

    @Test func whatHasNotChangedGoesOnAndSpendsNothing() throws {
        let stream = try Stream(Settings(), field)
        for _ in 0..<5 { #expect(name(try stream.review(Settings())) == "admitted") }
        guard case .admitted(let renewed?) = try stream.review(Settings()) else {
            Issue.record("not admitted")
            return
        }
        #expect(renewed.cell.peek(now: 0).remaining == 359, "one request was spent by the stream's own")
    }

    @Test func tokensThatWentOrAgedEndIt() throws {
        let stream = try Stream(Settings(), field)
        #expect(name(try stream.review(Settings(hasToken: false))) == "revoked")
        #expect(name(try stream.review(Settings(tokenExpires: Self.now + 10))) == "admitted")
        #expect(name(try stream.review(Settings(tokenExpires: Self.now + 10), after: 10)) == "expired")
    }

    @Test func routesAndPoliciesAreAskedAgain() throws {
        let stream = try Stream(Settings(), field)
        #expect(name(try stream.review(Settings(grants: [.write]))) == "revoked")
        #expect(name(try stream.review(Settings(route: "renamed"))) == "revoked")
        #expect(name(try stream.review(Settings(upgrades: []))) == "revoked")
        #expect(name(try stream.review(Settings(upgrades: []), switchingTo: nil)) == "admitted")
        #expect(name(try stream.review(Settings(accepts: [.jwt]))) == "revoked")
        #expect(name(try stream.review(Settings(accepts: []))) == "admitted")
        #expect(name(try stream.review(Settings())) == "admitted")
    }

    @Test func aGrantMayExpireBeforeItsToken() throws {
        let settings = Settings(grantExpires: Self.now + 10)
        let stream = try Stream(settings, field)
        #expect(stream.admitted.admission?.expires == Self.now + 10)
        #expect(name(try stream.review(settings, after: 9)) == "admitted")
        #expect(name(try stream.review(settings, after: 10)) == "revoked")
    }

    @Test func aStreamOfNobodyNeedsARouteThatAsksNobody() throws {
        let settings = Settings(accepts: [])
        let stream = try Stream(settings, "x: y")
        #expect(stream.admitted.admission == nil)
        #expect(name(try stream.review(settings)) == "admitted")
        #expect(name(try stream.review(Settings())) == "revoked")
    }

    @Test func aSecretIsHeldToTheHashThatProvedIt() throws {
        let stream = try Stream(Settings(), basic)
        #expect(name(try stream.review(Settings())) == "admitted")
        #expect(name(try stream.review(Settings(secret: "changed"))) == "revoked")
        #expect(name(try stream.review(Settings())) == "admitted")
    }

    @Test func aTokenIsHeldToTheKeyThatSignedIt() throws {
        let mint = try Self.mint.get()
        let claims: Literal = [
            "iss": "https://idp.example/", "aud": "api", "sub": "alice", "exp": .integer(Self.now + 100),
        ]
        let signed = try mint.token(claims)
        let keys = try KeySet.parse(jwks: TokenMint.jwks([mint]).bytes, for: [.ES256])
        let stream = try Stream(Settings(keys: keys), "Authorization: Bearer \(signed)")
        #expect(name(try stream.review(Settings(keys: keys))) == "admitted")
        #expect(
            name(try stream.review(Settings(keys: keys), after: 100)) == "expired", "clock skew opens nothing longer")
        let sameName = try KeySet.parse(
            jwks: TokenMint.jwks([try TokenMint("ES256", keyID: "k")]).bytes, for: [.ES256])
        #expect(name(try stream.review(Settings(keys: sameName))) == "revoked")
        let otherName = try KeySet.parse(
            jwks: TokenMint.jwks([try TokenMint("ES256", keyID: "other")]).bytes, for: [.ES256])
        #expect(name(try stream.review(Settings(keys: otherName))) == "revoked")
        #expect(name(try stream.review(Settings())) == "revoked", "an issuer without keys")
    }
}

@Suite struct UpgradeProtocolTests {
    @Test(arguments: ["websocket", "WebSocket", "raw/1.0", "a!#$%&'*+-.^_`|~"])
    func names(_ name: String) throws {
        let upgrade = try #require(UpgradeProtocol(name))
        #expect(upgrade.isWebSocket == (name.lowercased() == "websocket") && !upgrade.carriesRequests)
    }

    @Test(arguments: ["", "/", "a/", "/b", "a/b/c", "a b", "a,b", "a\r\n", "ä"])
    func whatIsNoName(_ name: String) {
        #expect(UpgradeProtocol(name) == nil)
    }

    @Test(arguments: ["h2c", "H2C", "HTTP/2.0", "TLS/1.0", "h2"])
    func whatCarriesRequests(_ name: String) throws {
        #expect(try #require(UpgradeProtocol(name)).carriesRequests)
    }
}
