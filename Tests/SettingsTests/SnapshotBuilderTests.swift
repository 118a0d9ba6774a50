import Authentication
import Gate
import Identity
import Policy
import RateLimit
import Routing
import Settings
import NIOConcurrencyHelpers
import Testing
import Wire

@Suite struct SnapshotBuilderTests {
    private func snapshot(_ text: String, fixture: Fixture = Fixture(files: Fixture.contractFiles)) throws -> Snapshot {
        try SnapshotBuilder.offline.build(fixture.settings(text))
    }

    private func match(_ snapshot: Snapshot, _ path: String, method: Method = .get) -> RouteMatch? {
        let (bytes, host, name) = (Array(path.utf8), Array("h".utf8), [UInt8]())
        var normal = NormalPath()
        guard normal.assign(bytes.span) == nil else { return nil }
        return snapshot.table.match(method: method, methodBytes: name.span, host: host.span, path: normal)
    }

    @Test func theContractBecomesRoutes() throws {
        let snapshot = try snapshot(Fixture.contract)
        #expect(snapshot.routes.map(\.name) == ["things", "public"])
        #expect(snapshot.routes.map(\.upstream) == ["things", "things"])
        #expect(snapshot.routes.map(\.accepts) == [.all, []])
        #expect(snapshot.routes.map(\.requiresSolution) == [true, false])
        #expect(snapshot.routes.map { $0.policy == nil } == [false, true])
        #expect(match(snapshot, "/api/2/things/a/b") == .route(index: 0, restStart: 3))
        #expect(match(snapshot, "/public/x") == .route(index: 1, restStart: 1))
        #expect(match(snapshot, "/other") == .notFound)
    }

    @Test func thePolicyAnswersForWhomItNames() throws {
        let snapshot = try snapshot(Fixture.contract)
        let policy = try #require(snapshot.routes[0].policy)
        #expect(policy.reading == .init(permissions: .read, check: .partial))
        #expect(policy.writing == .init(permissions: .write, check: .unrestricted))
        #expect(policy.resource.type == Array("thing".utf8))
        #expect(snapshot.engines.count == 1)
        #expect(snapshot.engines[policy.engine].labels == ["owner", "guest"])
    }

    @Test func limitsAndBoundsArrive() throws {
        let snapshot = try snapshot(
            """
            {"rateLimit": {"requestsPerMinute": 60, "per": "solution", "legacyHeaders": true, "name": "gold"},
             "failedAuthentication": {"requestsPerMinute": 30, "burst": 5},
             "solutions": {"s": {"rateLimit": {"requestsPerMinute": 120, "burst": 7}}, "t": {}},
             "limits": {"headerTimeout": "1s", "bodyTimeout": "2s", "minimumBodyRate": "1KiB",
                        "minimumAnswerRate": "0B", "idleTimeout": "3s", "maximumConnections": 9,
                        "maximumHeadBytes": 2048, "maximumTargetBytes": 1000, "maximumFields": 11,
                        "maximumFieldBytes": 900, "maximumBodyBytes": "1KiB"},
             "forwarding": {"trustedProxies": ["10.0.0.0/8", "::1"], "setForwarded": false},
             "upstreams": {"u": {"endpoints": ["http://h:1"]}},
             "routes": [{"name": "a", "match": {"path": "/a"}, "upstream": "u"},
                        {"name": "b", "match": {"path": "/b"}, "upstream": "u", "maximumBodyBytes": 5,
                         "forwardCredentials": true, "preAuthenticated": true}]}
            """)
        #expect(snapshot.limits.name == "gold")
        #expect(snapshot.limits.scope == .solution)
        #expect(snapshot.limits.quota == (try Quota(requestsPerMinute: 60, burst: 60)))
        #expect(snapshot.limits.overrides == ["s": try Quota(requestsPerMinute: 120, burst: 7)])
        #expect(snapshot.limits.failures == (try Quota(requestsPerMinute: 30, burst: 5)))
        #expect(snapshot.limits.sendsLegacyFields)
        #expect(snapshot.connection.headTimeout == 1_000_000_000)
        #expect(snapshot.connection.bodyTimeout == 2_000_000_000)
        #expect(snapshot.connection.minimumBodyRate == 1024)
        #expect(snapshot.connection.minimumAnswerRate == 0)
        #expect(snapshot.connection.idleTimeout == 3_000_000_000)
        #expect(snapshot.connection.maximumConnections == 9)
        #expect(
            snapshot.connection.head
                == HeadLimits(
                    maximumHeadBytes: 2048, maximumTargetBytes: 1000, maximumFields: 11, maximumFieldBytes: 900))
        #expect(!snapshot.forwarding.setsForwarded)
        #expect(snapshot.forwarding.trustedPeers == [AddressBlock("10.0.0.0/8"), AddressBlock("::1")])
        #expect(snapshot.routes.map(\.maximumBodyBytes) == [1024, 5])
        #expect(snapshot.routes.map(\.forwardsCredentials) == [false, true])
        #expect(snapshot.routes.map(\.preAuthenticates) == [false, true])
        #expect(snapshot.routes.map(\.accepts) == [[.apiToken, .basic], [.apiToken, .basic]])
    }

    @Test func aPolicyMaySayOtherwise() throws {
        let snapshot = try snapshot(
            """
            {"solutions": {"s": {}}, "policies": {"unused": {"document": {"entries": {}}},
               "p": {"document": {"policyId": "a:p", "imports": {"a:q": {}}, "entries": {"e": {}}}},
               "q": {"document": {"policyId": "a:q", "entries": {"f": {"importable": "implicit"}}}}},
             "upstreams": {"u": {"endpoints": ["http://h:1"]}},
             "routes": [{"name": "a", "match": {"path": "/a/{x}"}, "upstream": "u",
               "policy": {"use": "p", "resource": "message:/{x}",
                 "reading": {"permissions": ["READ", "EXECUTE"]}, "writing": {"check": "partial"}}}]}
            """)
        #expect(snapshot.engines.count == 1)
        let policy = try #require(snapshot.routes[0].policy)
        #expect(policy.engine == 0)
        #expect(snapshot.engines[0].labels.count == 2)
        #expect(policy.reading == .init(permissions: [.read, .execute], check: .partial))
        #expect(policy.writing == .init(permissions: .write, check: .partial))
    }

    @Test func upstreamsOfARoute() throws {
        let snapshot = try snapshot(
            """
            {"upstreams": {"u": {"endpoints": [{"url": "http://h:1", "weight": 3}]}, "v": {"endpoints": ["http://h:2"]}},
             "routes": [
              {"name": "a", "match": {"path": "/a/**"}, "upstream": "u", "authenticate": [],
               "timeouts": {"connect": "1s", "firstByte": "2s", "idle": "3s", "total": "4s"},
               "canary": {"upstream": "v"}, "mirror": {"upstream": "v", "percent": 7}}]}
            """)
        let route = try #require(snapshot.routes.first)
        #expect(
            route.timeouts
                == RouteTimeouts(
                    connect: 1_000_000_000, firstByte: 2_000_000_000, idle: 3_000_000_000, total: 4_000_000_000))
        #expect(route.canary == RouteShare(upstream: "v", percent: 5))
        #expect(route.mirror == RouteShare(upstream: "v", percent: 7))
    }

    @Test func rewrites() throws {
        let snapshot = try snapshot(
            """
            {"upstreams": {"u": {"endpoints": ["http://h:1"]}}, "routes": [
              {"name": "a", "match": {"path": "/a/**"}, "upstream": "u", "authenticate": [],
               "rewrite": {"stripPrefix": "/a"}},
              {"name": "b", "match": {"path": "/b/**"}, "upstream": "u", "authenticate": [],
               "rewrite": {"replacePrefix": "/b", "with": "/z/y"}},
              {"name": "c", "match": {"path": "/c/{x}"}, "upstream": "u", "authenticate": [],
               "rewrite": {"path": "/n/{x}/m"}},
              {"name": "d", "match": {"path": "/d/**"}, "upstream": "u", "authenticate": []}]}
            """)
        let patterns = try ["/a/**", "/b/**", "/c/{x}", "/d/**"].map { try RoutePattern($0) }
        #expect(
            snapshot.routes.map(\.rewrite) == [
                try .stripPrefix("/a", of: patterns[0]), try .replacePrefix("/b", with: "/z/y", of: patterns[1]),
                try .template("/n/{x}/m", of: patterns[2]), .none,
            ])
    }

    @Test func keysThatAreFetchedComeFromTheCaller() throws {
        let settings = try Fixture(files: ["k.json": Fixture.keys]).settings(
            """
            {"issuers": {
              "far": {"issuer": "https://h/", "audiences": ["y"], "keys": {"discovery": true}, "clockSkew": "1500ms",
                      "refreshInterval": "1m"},
              "near": {"issuer": "n", "audiences": ["y"], "algorithms": ["ES256"], "keys": {"file": "k.json"}}}}
            """)
        let asked = NIOLockedValueBox<[String]>([])
        _ = try SnapshotBuilder(fetchedKeys: { issuer in
            asked.withLockedValue { $0.append("\(issuer.name) \(issuer.issuer) \(issuer.refreshInterval)") }
            return KeySource(initial: nil)
        }).build(settings)
        #expect(asked.withLockedValue { $0 } == ["far https://h/ 60.0 seconds"])
    }

    @Test func settingsChangedByHandDoNotOpenARoute() throws {
        var settings = try Fixture(files: Fixture.contractFiles).settings(Fixture.contract)
        settings.policies = []
        #expect(throws: SettingsError.self) { try SnapshotBuilder.offline.build(settings) }
        settings = try Fixture(files: Fixture.contractFiles).settings(Fixture.contract)
        settings.upstreams = []
        #expect(throws: SettingsError.self) { try SnapshotBuilder.offline.build(settings) }
    }
}
