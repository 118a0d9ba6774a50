import Authentication
import Identity
import RateLimit
import Routing
import Testing

@testable import Gate

@Suite struct BucketScopeTests {
    private static let callers = [
        Principal(subjects: ["a:1"], solution: "lamps", client: "c", issuer: "a", credential: .jwt),
        Principal(subjects: ["b:1"], solution: "lamps", client: "c", issuer: "b", credential: .jwt),
        Principal(subjects: ["integration:lamps"], solution: "lamps", client: "lamps", credential: .apiToken),
        Principal(subjects: ["a:2"], client: "lamps", issuer: "a", credential: .jwt),
        Principal(subjects: ["b:2"], client: "lamps", issuer: "b", credential: .jwt),
    ]

    /// Which callers share a bucket: those of one number do.
    private func buckets(per scope: LimitRules.Scope) throws -> [Int] {
        let snapshot = Snapshot(
            routes: [], table: try RouteTable([]), authenticator: Authenticator(issuers: [], solutions: []),
            engines: [],
            limits: LimitRules(scope: scope, quota: .standard, failures: .standard), forwarding: ForwardingRules(),
            connection: ConnectionRules())
        var random = SystemRandomNumberGenerator()
        let key = CredentialHashKey(random: &random)
        let gatekeeper = Gatekeeper(
            snapshot: snapshot, generation: 1,
            shared: Gatekeeper.Shared(
                limiter: LimiterTable(maximumCells: 100, shards: 1), admissions: SharedCredentialCache(key: key),
                hashKey: key))
        var cells: [Cell] = []
        return Self.callers.map { caller in
            let cell = gatekeeper.clientCell(caller, now: Now(monotonic: 0, unixNanoseconds: 0))
            if let index = cells.firstIndex(where: { $0 === cell }) { return index }
            cells.append(cell)
            return cells.count - 1
        }
    }

    @Test func aSolutionHasOneBucketWhoeverNamesIt() throws {
        #expect(try buckets(per: .solution) == [0, 0, 0, 1, 2])
    }

    @Test func clientsAndSubjectsAreTheirIssuers() throws {
        #expect(try buckets(per: .client) == [0, 1, 2, 3, 4])
        #expect(try buckets(per: .subject) == [0, 1, 2, 3, 4])
    }
}
