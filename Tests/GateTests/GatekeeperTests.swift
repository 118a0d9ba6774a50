import Authentication
import Gate
import Identity
import NIOCore
import Policy
import RateLimit
import Routing
import Testing
import Wire

/// A gatekeeper with a small configuration, asked with raw request heads.
private struct Keeper {
    static let token = "tgt_0123456789012345678901234567890123456789012"
    static let other = "tgt_9999999999999999999999999999999999999999999"

    var gatekeeper: Gatekeeper
    let shared: Gatekeeper.Shared
    var peer = Peer(address: .unknown)
    var time: Int64 = 1_000_000_000

    init(
        quota: Quota = .standard, overrides: [String: Quota] = [:], failures: Quota = .standard,
        trusted: [AddressBlock] = [], expiry: Int64? = nil
    ) throws {
        let rules = try [
            RouteRule(name: "things", path: RoutePattern("/things/**")),
            RouteRule(name: "public", path: RoutePattern("/public/**")),
            RouteRule(name: "rewritten", path: RoutePattern("/old/{id}/**")),
        ]
        let engine = try PolicyEngine(
            document: PolicyDocument(
                policyId: "p:p",
                entries: [
                    .init(
                        label: "all", subjects: [.init(id: "integration:lamps", expiry: expiry)],
                        resources: [
                            .init(key: "thing:/", grant: [.read, .write]),
                            .init(key: "thing:/secret", revoke: [.read, .write]),
                        ])
                ]),
            resolving: { _ in nil })
        let routes = try [
            Route(
                name: "things", upstream: "u", accepts: .all,
                policy: RoutePolicy(engine: 0, resource: CaptureTemplate(resource: "thing:/{rest}", for: rules[0].path))
            ),
            Route(name: "public", upstream: "u", accepts: []),
            Route(
                name: "rewritten", upstream: "u", accepts: [],
                rewrite: .template("/new/{rest}", of: rules[2].path)),
        ]
        let digest = { (text: String) in APIToken.digest(of: Array(text.utf8)) }
        let snapshot = Snapshot(
            routes: routes, table: try RouteTable(rules),
            authenticator: Authenticator(
                issuers: [],
                solutions: [
                    SolutionCredentials(
                        id: "lamps", apiTokens: [APIToken(id: "1", sha256: digest(Self.token))],
                        secretHash: try PasswordHash(
                            "$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg"),
                        subjects: ["integration:lamps"]),
                    SolutionCredentials(
                        id: "doors", apiTokens: [APIToken(id: "2", sha256: digest(Self.other))],
                        subjects: ["integration:doors"]),
                ]),
            engines: [engine], limits: LimitRules(quota: quota, overrides: overrides, failures: failures),
            forwarding: ForwardingRules(trustedPeers: trusted), connection: ConnectionRules())
        var random = SystemRandomNumberGenerator()
        let key = CredentialHashKey(random: &random)
        shared = Gatekeeper.Shared(
            limiter: LimiterTable(maximumCells: 100, shards: 1), admissions: SharedCredentialCache(key: key),
            hashKey: key)
        gatekeeper = Gatekeeper(snapshot: snapshot, generation: 1, shared: shared)
    }

    mutating func ask(_ startLine: String, _ fields: String...) throws -> Verdict {
        var parser = RequestParser()
        let text = startLine + " HTTP/1.1\r\nHost: a\r\n" + fields.map { $0 + "\r\n" }.joined() + "\r\n"
        let bytes = ByteBuffer(string: text)
        #expect(parser.parse(bytes) == .complete)
        return gatekeeper.decide(
            parser.head, in: bytes, peer: &peer, now: Now(monotonic: time, unixNanoseconds: time))
    }

    mutating func status(_ startLine: String, _ fields: String...) throws -> Int {
        var verdict: Verdict
        switch fields.count {
        case 0: verdict = try ask(startLine)
        case 1: verdict = try ask(startLine, fields[0])
        case _: verdict = try ask(startLine, fields[0], fields[1])
        }
        return switch verdict {
        case .admitted: 200
        case .refused(let refused): refused.refusal.answer.status
        case .verify: 0
        }
    }
}

@Suite struct GatekeeperTests {
    private let known = "x-cr-api-token: \(Keeper.token)"
    private let stranger = "x-cr-api-token: \(Keeper.other)"

    @Test func theWholeOrderOfDecisions() throws {
        var keeper = try Keeper()
        #expect(try keeper.status("GET /things/a", known) == 200)
        #expect(try keeper.status("GET /things/a") == 401)
        #expect(try keeper.status("GET /things/a", "x-cr-api-token: tgt_unknown") == 401)
        #expect(try keeper.status("GET /things/a", "Authorization: Bearer \(Keeper.token)") == 200)
        #expect(try keeper.status("GET /things/a", stranger) == 403)
        #expect(try keeper.status("PUT /things/secret", known) == 403)
        #expect(try keeper.status("DELETE /things", known) == 403)
        #expect(try keeper.status("GET /things", known) == 200)
        #expect(try keeper.status("GET /elsewhere", known) == 404)
        #expect(try keeper.status("GET /things/..%2fpublic", known) == 400)
        #expect(try keeper.status("TRACE /things/a", known) == 405)
        #expect(try keeper.status("GET /public/a") == 200)
    }

    @Test(arguments: [
        "/things/a/../secret", "/things//secret", "/things/%73ecret", "/things/./secret", "/x/../things/secret",
    ])
    func noSpellingOfAPathGetsAroundItsPolicy(_ path: String) throws {
        var keeper = try Keeper()
        #expect(try keeper.status("GET \(path)", known) == 403)
    }

    @Test func aPolicyRefusalSpendsAndSaysWhichEntryDecided() throws {
        var keeper = try Keeper()
        guard case .refused(let refused) = try keeper.ask("GET /things/secret", known) else {
            Issue.record("should be refused")
            return
        }
        #expect(refused.limit?.remaining == 359)
        #expect(refused.admission?.principal.solution == "lamps")
        #expect(refused.entry.flatMap { keeper.gatekeeper.snapshot.label(of: $0) } == "all")
    }

    @Test func theBucketIsTheClientsWhateverCredentialOrRoute() throws {
        var keeper = try Keeper(quota: Quota(requestsPerMinute: 60, burst: 3))
        #expect(try keeper.status("GET /things/a", known) == 200)
        #expect(try keeper.status("GET /things/a", "Authorization: Bearer \(Keeper.token)") == 200)
        #expect(try keeper.status("PUT /things/secret", known) == 403)
        #expect(try keeper.status("GET /things/a", known) == 429)
        #expect(try keeper.status("GET /things/a", stranger) == 403)
        #expect(try keeper.status("GET /public/a") == 200)
        keeper.time += 1_000_000_000
        #expect(try keeper.status("GET /things/a", known) == 200)
        #expect(try keeper.status("GET /things/a", known) == 429)
    }

    @Test func aSolutionsOverrideIsItsQuota() throws {
        var keeper = try Keeper(
            quota: Quota(requestsPerMinute: 60, burst: 1),
            overrides: ["lamps": Quota(requestsPerMinute: 60, burst: 2)])
        #expect(try keeper.status("GET /things/a", known) == 200)
        #expect(try keeper.status("GET /things/a", known) == 200)
        #expect(try keeper.status("GET /things/a", known) == 429)
    }

    @Test func guessingIsThrottledBeforeTheNextGuessIsLookedAt() throws {
        var keeper = try Keeper(failures: Quota(requestsPerMinute: 60, burst: 2))
        #expect(try keeper.status("GET /things/a", "x-cr-api-token: tgt_a") == 401)
        #expect(try keeper.status("GET /things/a", "x-cr-api-token: tgt_b") == 401)
        #expect(try keeper.status("GET /things/a", "x-cr-api-token: tgt_c") == 429)
        #expect(try keeper.status("GET /things/a", known) == 429)
        keeper.time += 1_000_000_000
        #expect(try keeper.status("GET /things/a", known) == 200)
        #expect(try keeper.status("GET /things/a", "x-cr-api-token: tgt_d") == 401)
        #expect(try keeper.status("GET /things/a", known) == 200, "a known credential is no guess")
    }

    @Test func addressesOfOneIPv6SiteShareABucket() throws {
        var keeper = try Keeper(
            quota: Quota(requestsPerMinute: 60, burst: 1), failures: Quota(requestsPerMinute: 60, burst: 1))
        func come(from text: String) throws {
            keeper.peer = Peer(address: try #require(PeerAddress(text: Array(text.utf8))))
        }
        try come(from: "2001:db8:0:1::1")
        #expect(try keeper.status("GET /public/a") == 200)
        #expect(try keeper.status("GET /things/a", "x-cr-api-token: tgt_a") == 401)
        try come(from: "2001:db8:0:1:ffff::2")
        #expect(try keeper.status("GET /public/a") == 429)
        #expect(try keeper.status("GET /things/a", "x-cr-api-token: tgt_b") == 429)
        try come(from: "2001:db8:0:2::1")
        #expect(try keeper.status("GET /public/a") == 200)
        try come(from: "192.0.2.1")
        #expect(try keeper.status("GET /public/a") == 200)
        try come(from: "192.0.2.2")
        #expect(try keeper.status("GET /public/a") == 200)
    }

    @Test func whoGuessesBehindATrustedProxyShutsOutNobodyElse() throws {
        var keeper = try Keeper(
            failures: Quota(requestsPerMinute: 60, burst: 1), trusted: [try #require(AddressBlock("::"))])
        let (one, other) = ("X-Forwarded-For: 203.0.113.1", "X-Forwarded-For: 203.0.113.2")
        #expect(try keeper.status("GET /things/a", "x-cr-api-token: tgt_a", one) == 401)
        #expect(try keeper.status("GET /things/a", "x-cr-api-token: tgt_b", one) == 429)
        #expect(try keeper.status("GET /things/a", known, other) == 200)
        #expect(try keeper.status("GET /things/a", "x-cr-api-token: tgt_c", other) == 401)
    }

    @Test func guessesThatWaitTogetherAreNotAllLookedAt() throws {
        var keeper = try Keeper(failures: Quota(requestsPerMinute: 60, burst: 2))
        let guesses = try ["bGFtcHM6YQ==", "bGFtcHM6Yg==", "bGFtcHM6Yw==", "bGFtcHM6ZA=="].map {
            try keeper.ask("GET /things/a", "Authorization: Basic \($0)")
        }
        let outcomes = guesses.map { verdict in
            guard case .verify(let attempt) = verdict else { return "decided" }
            return switch attempt.run(now: keeper.time) {
            case .proven: "proven"
            case .failed: "failed"
            case .throttled: "throttled"
            }
        }
        #expect(outcomes == ["failed", "failed", "throttled", "throttled"])
        #expect(try keeper.status("GET /things/a", "Authorization: Basic bGFtcHM6YQ==") == 429)
    }

    @Test func missingCredentialsAreNoGuesses() throws {
        var keeper = try Keeper(failures: Quota(requestsPerMinute: 60, burst: 1))
        for _ in 0..<5 { #expect(try keeper.status("GET /things/a") == 401) }
    }

    @Test func anAdmissionEndsWithItsSubjectsExpiry() throws {
        var keeper = try Keeper(expiry: 5)
        #expect(try keeper.status("GET /things/a", known) == 200)
        keeper.time = 5_000_000_000
        #expect(try keeper.status("GET /things/a", known) == 403)
    }

    @Test func aNewGenerationForgetsAdmissions() throws {
        var keeper = try Keeper()
        let first = try keeper.ask("GET /things/a", known)
        let second = try keeper.ask("GET /things/a", known)
        keeper.gatekeeper.generation = 2
        let third = try keeper.ask("GET /things/a", known)
        guard case .admitted(let a) = first, case .admitted(let b) = second, case .admitted(let c) = third else {
            Issue.record("should be admitted")
            return
        }
        #expect(a.admission === b.admission)
        #expect(b.admission !== c.admission)
        #expect(b.admission?.cell === c.admission?.cell, "the bucket outlives the admission")
    }

    @Test func whomOneLoopKnowsAnotherDoesNotAskAgain() throws {
        var keeper = try Keeper()
        var other = keeper
        other.gatekeeper = Gatekeeper(snapshot: keeper.gatekeeper.snapshot, generation: 1, shared: keeper.shared)
        guard case .admitted(let first) = try keeper.ask("GET /things/a", known),
            case .admitted(let second) = try other.ask("GET /things/a", known),
            case .admitted(let third) = try other.ask("GET /things/a", known)
        else {
            Issue.record("should be admitted")
            return
        }
        #expect(first.admission === second.admission)
        #expect(second.admission === third.admission)
        #expect(second.credentials?.presented.apiToken == Array(Keeper.token.utf8))
        #expect(keeper.shared.admissions.count == 1)
    }

    @Test func anExplanationSpendsNothing() throws {
        let keeper = try Keeper(quota: Quota(requestsPerMinute: 60, burst: 1))
        var random = SystemRandomNumberGenerator()
        let key = CredentialHashKey(random: &random)
        var explaining = keeper
        explaining.gatekeeper = Gatekeeper(
            snapshot: keeper.gatekeeper.snapshot, generation: 1,
            shared: Gatekeeper.Shared(
                limiter: LimiterTable(maximumCells: 10, shards: 1), admissions: SharedCredentialCache(key: key),
                hashKey: key),
            spends: false)
        for _ in 0..<3 { #expect(try explaining.status("GET /things/a", known) == 200) }
    }

    @Test(arguments: [
        ("/old/7//a/./b?x=%2e", "/new/a/b?x=%2e"), ("/old/7/a", "/new/a"), ("/old/7/a?", "/new/a?"),
        ("/old/7/a?x-ditto-pre-authenticated=evil", "/new/a"),
        ("/old/7/a?b=1&X-Ditto-Pre%2dAuthenticated=evil&c=%20", "/new/a?b=1&c=%20"),
        ("/old/7/a?x_ditto_pre_authenticated&c", "/new/a?c"),
        ("/old/7/a?x-ditto-pre-authenticated-not=1", "/new/a?x-ditto-pre-authenticated-not=1"),
    ])
    func theTargetIsTheOneThatWasDecidedAbout(_ sent: String, _ forwarded: String) throws {
        var keeper = try Keeper()
        var parser = RequestParser()
        let bytes = ByteBuffer(string: "GET \(sent) HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(parser.parse(bytes) == .complete)
        let verdict = keeper.gatekeeper.decide(
            parser.head, in: bytes, peer: &keeper.peer, now: Now(monotonic: 0, unixNanoseconds: 0))
        guard case .admitted(let admitted) = verdict else {
            Issue.record("should be admitted")
            return
        }
        var out = ByteBuffer()
        keeper.gatekeeper.appendTarget(admitted, head: parser.head, in: bytes, to: &out)
        #expect(String(buffer: out) == forwarded)
    }

    @Test(
        arguments: [
            ("OPTIONS *", "*"), ("OPTIONS http://a", "*"), ("OPTIONS http://a/", "/"), ("OPTIONS http://a?b", "/?b"),
            ("GET http://a", "/"),
        ])
    func aQuestionAboutTheWholeServerStaysOne(line: String, forwarded: String) throws {
        var keeper = try Keeper()
        var parser = RequestParser()
        let bytes = ByteBuffer(string: "\(line) HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(parser.parse(bytes) == .complete)
        let rules = try [RouteRule(name: "all", path: RoutePattern("/**"))]
        let old = keeper.gatekeeper.snapshot
        keeper.gatekeeper.snapshot = Snapshot(
            routes: [Route(name: "all", upstream: "u", accepts: [])], table: try RouteTable(rules),
            authenticator: old.authenticator, engines: [], limits: old.limits, forwarding: old.forwarding,
            connection: old.connection)
        let verdict = keeper.gatekeeper.decide(
            parser.head, in: bytes, peer: &keeper.peer, now: Now(monotonic: 0, unixNanoseconds: 0))
        guard case .admitted(let admitted) = verdict else {
            Issue.record("should be admitted")
            return
        }
        var out = ByteBuffer()
        keeper.gatekeeper.appendTarget(admitted, head: parser.head, in: bytes, to: &out)
        #expect(String(buffer: out) == forwarded)
    }

    @Test func behindATrustedProxyTheBucketIsTheClients() throws {
        let own = try #require(AddressBlock("10.0.0.0/8"))
        var keeper = try Keeper(
            quota: Quota(requestsPerMinute: 60, burst: 1), trusted: [own, try #require(AddressBlock("::"))])
        #expect(try keeper.status("GET /public/a", "X-Forwarded-For: 203.0.113.1, 10.1.1.1") == 200)
        #expect(try keeper.status("GET /public/a", "X-Forwarded-For: 203.0.113.1, 10.2.2.2") == 429)
        #expect(try keeper.status("GET /public/a", "X-Forwarded-For: 203.0.113.2") == 200)
        #expect(try keeper.status("GET /public/a", "X-Forwarded-For: 203.0.113.2, bogus") == 200)
    }
}
