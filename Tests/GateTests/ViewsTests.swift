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

/// Callers and configurations one after the other, of which each has what the one before had not.
@Suite struct ViewsTests {
    private static let tokens = (0..<4).map { "tgt_" + String(repeating: "\($0)", count: 43) }

    /// Each engine lets some of four callers in: those whose bit is set in its number.
    private static func snapshot(_ engines: [Int]) throws -> Snapshot {
        let rules = try engines.indices.map { try RouteRule(name: "r\($0)", path: RoutePattern("/\($0)/**")) }
        let routes = try rules.indices.map { index in
            Route(
                name: "r\(index)", upstream: "u", accepts: .all,
                policy: RoutePolicy(
                    engine: index, resource: try CaptureTemplate(resource: "thing:/{rest}", for: rules[index].path)))
        }
        let compiled = try engines.map { number in
            try PolicyEngine(
                document: PolicyDocument(
                    policyId: "p:p",
                    entries: [
                        .init(
                            label: "all",
                            subjects: (0..<4).filter { number >> $0 & 1 == 1 }.map { .init(id: "integration:\($0)") },
                            resources: [.init(key: "thing:/", grant: [.read])])
                    ]),
                resolving: { _ in nil })
        }
        let solutions = tokens.enumerated().map { index, token in
            SolutionCredentials(
                id: "s\(index)", apiTokens: [APIToken(id: "1", sha256: APIToken.digest(of: Array(token.utf8)))],
                subjects: ["integration:\(index)"])
        }
        let quota = try Quota(requestsPerMinute: 1_000_000, burst: 1_000_000)
        return Snapshot(
            routes: routes, table: try RouteTable(rules),
            authenticator: Authenticator(issuers: [], solutions: solutions), engines: compiled,
            limits: LimitRules(quota: quota, failures: quota), forwarding: ForwardingRules(trustedPeers: []),
            connection: ConnectionRules())
    }

    @Test("Each caller has what the configuration of the moment grants it", arguments: 1...4 as ClosedRange<UInt64>)
    func changes(_ seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let key = CredentialHashKey(random: &random)
        let shared = Gatekeeper.Shared(
            limiter: LimiterTable(maximumCells: 100, shards: 1), admissions: SharedCredentialCache(key: key),
            hashKey: key)
        var engines = [5]
        let gatekeeper = Gatekeeper(snapshot: try Self.snapshot(engines), generation: 1, shared: shared)
        var peer = Peer(address: .unknown)
        for _ in 0..<1000 {
            if Int.random(in: 0..<5, using: &random) == 0 {
                engines = (0..<Int.random(in: 1..<5, using: &random)).map { _ in Int.random(in: 1..<16, using: &random)
                }
                gatekeeper.snapshot = try Self.snapshot(engines)
                gatekeeper.generation += 1
            }
            let route = Int.random(in: engines.indices, using: &random)
            let caller = Int.random(in: 0..<4, using: &random)
            let bytes = ByteBuffer(
                string: "GET /\(route)/a HTTP/1.1\r\nHost: a\r\nx-cr-api-token: \(Self.tokens[caller])\r\n\r\n")
            var parser = RequestParser()
            #expect(parser.parse(bytes) == .complete)
            let now = Now(monotonic: 1_000_000_000, unixNanoseconds: 1_000_000_000)
            switch gatekeeper.decide(parser.head, in: bytes, peer: &peer, now: now) {
            case .admitted(let admitted):
                #expect(admitted.admission?.principal.solution == "s\(caller)")
                #expect(engines[route] >> caller & 1 == 1)
            case .refused(let refused):
                #expect(refused.refusal.answer.status == 403)
                #expect(engines[route] >> caller & 1 == 0)
            case .verify: Issue.record("an API token needs no proof")
            }
        }
    }
}
