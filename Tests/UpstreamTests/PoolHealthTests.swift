import Testing
import Upstream
import Wire

private final class Item {}

private typealias Machine = PoolStateMachine<Item, Item>

/// A machine of several endpoints with the connections that were made to them.
private struct Bench {
    static let second: Int64 = 1_000_000_000

    var machine: Machine
    var endpointOf: [ObjectIdentifier: Int] = [:]
    var ejected: [Int] = []
    var readmitted: [Int] = []
    var failures: [UpstreamFailure] = []
    var closed = 0
    /// Endpoints that refuse.
    var refusing: Set<Int> = []

    init(endpoints: Int, adjust: (inout UpstreamSettings) -> Void = { _ in }) {
        var settings = UpstreamSettings(
            name: "u", endpoints: (0..<endpoints).map { Endpoint(host: "127.0.0.1", port: 9000 + $0) },
            connectTimeout: 2 * Self.second)
        adjust(&settings)
        machine = Machine(settings: settings)
    }

    /// Carries actions out; attempts succeed at once where the endpoint does not refuse. Returns what was handed over.
    mutating func perform(_ actions: [Machine.Action], now: Int64) -> [Item] {
        var handed: [Item] = []
        for action in actions {
            switch action {
            case .connect(let endpoint):
                if refusing.contains(endpoint) {
                    handed += perform(
                        machine.connectFailed(endpoint: endpoint, with: .refused, now: now), now: now)
                } else {
                    let connection = Item()
                    endpointOf[ObjectIdentifier(connection)] = endpoint
                    kept.append(connection)
                    handed += perform(machine.connected(connection, endpoint: endpoint, now: now), now: now)
                }
            case .hand(let connection, _): handed.append(connection)
            case .fail(_, let failure): failures.append(failure)
            case .close(let connection):
                closed += 1
                handed += perform(machine.closed(connection, endpoint: endpoint(of: connection), now: now), now: now)
            case .wake: break
            case .ejected(let endpoint): ejected.append(endpoint)
            case .readmitted(let endpoint): readmitted.append(endpoint)
            }
        }
        return handed
    }

    /// Identities are those of living connections only.
    private var kept: [Item] = []

    func endpoint(of connection: Item) -> Int { endpointOf[ObjectIdentifier(connection)] ?? -1 }

    /// The connection that a request gets at once, or why it gets none.
    mutating func request(key: UInt64 = 0, now: Int64) -> Result<Item, UpstreamFailure>? {
        switch machine.request(Item(), PoolRequest(key: key, connectTimeout: 2 * Self.second), now: now) {
        case .use(let connection): .success(connection)
        case .wait(let actions): perform(actions, now: now).first.map { .success($0) }
        case .refuse(let failure): .failure(failure)
        }
    }

    /// A request from its beginning to its end: the endpoint that had it.
    mutating func exchange(_ outcome: (Int) -> RequestOutcome = { _ in .answered }, key: UInt64 = 0, now: Int64) -> Int?
    {
        guard case .success(let connection)? = request(key: key, now: now) else { return nil }
        let endpoint = endpoint(of: connection)
        let outcome = outcome(endpoint)
        var handed = perform(machine.finished(endpoint: endpoint, outcome, now: now), now: now)
        let action = machine.release(connection, endpoint: endpoint, reusable: outcome == .answered, now: now)
        if let action { handed += perform([action], now: now) }
        return handed.isEmpty ? endpoint : nil
    }
}

@Suite struct PoolHealthTests {
    private let second = Bench.second

    @Test func theEndpointIsChosenBeforeTheConnection() {
        var bench = Bench(endpoints: 2) { $0.balance = .consistentHash }
        let homes = (0..<20).map { bench.exchange(key: $0, now: 0) }
        #expect(Set(homes) == [0, 1])
        // Both have idle connections now, and still everybody goes home.
        for (key, home) in homes.enumerated() { #expect(bench.exchange(key: UInt64(key), now: 1) == home) }
        #expect(bench.machine.openCount == 2)
    }

    @Test func whoFailsInARowIsEjectedAndTheOthersServe() {
        var bench = Bench(endpoints: 3)
        let broken: (Int) -> RequestOutcome = { $0 == 1 ? .failed : .answered }
        for _ in 0..<15 { _ = bench.exchange(broken, now: 0) }
        #expect(bench.ejected == [1])
        let served = Set((0..<30).map { _ in bench.exchange(now: 29 * second) })
        #expect(served == [0, 2])
        // One request tries when the time is over, and with its success all is as before.
        let after = (0..<30).compactMap { _ in bench.exchange(now: 30 * second) }
        #expect(bench.readmitted == [1])
        #expect(Set(after) == [0, 1, 2])
    }

    @Test func ejectionLeavesAtLeastHalfOfTheEndpoints() {
        var bench = Bench(endpoints: 4)
        for _ in 0..<200 { _ = bench.exchange({ _ in .failed }, now: 0) }
        #expect(bench.ejected.count == 2)
        var single = Bench(endpoints: 1)
        for _ in 0..<50 { #expect(single.exchange({ _ in .failed }, now: 0) == 0) }
        #expect(single.ejected.isEmpty)
    }

    @Test func idleConnectionsOfWhoIsEjectedAreClosed() throws {
        var bench = Bench(endpoints: 2)
        let connections = try (0..<4).map { _ in try #require(try bench.request(now: 0)?.get()) }
        for connection in connections {
            let endpoint = bench.endpoint(of: connection)
            _ = bench.machine.finished(endpoint: endpoint, .answered, now: 0)
            _ = bench.machine.release(connection, endpoint: endpoint, reusable: true, now: 0)
        }
        for _ in 0..<10 { _ = bench.exchange({ $0 == 0 ? .failed : .answered }, now: 0) }
        #expect(bench.ejected == [0])
        #expect(bench.machine.openCount == bench.machine.idleCount)
        #expect((0..<10).map { _ in bench.exchange(now: 1) } == Array(repeating: 1, count: 10))
    }

    @Test func aRequestWhoseEndpointRefusesGoesToAnotherAtOnce() {
        var bench = Bench(endpoints: 2)
        bench.refusing = [0]
        for now in 0..<20 { #expect(bench.exchange(now: Int64(now)) == 1) }
        #expect(bench.failures.isEmpty)
        // It is tried by the clock and not by a request, and comes back by itself.
        bench.refusing = []
        #expect(bench.perform(bench.machine.tick(now: second), now: second).isEmpty)
        #expect(bench.machine.isInRotation(0, now: second))
        #expect(Set((0..<4).compactMap { _ in bench.exchange(now: second) }) == [0, 1])
    }

    @Test func whileNewConnectionsFailTheOpenOnesServe() {
        var bench = Bench(endpoints: 1)
        #expect(bench.exchange(now: 0) == 0)
        _ = bench.machine.request(Item(), PoolRequest(isFresh: true, connectTimeout: second), now: 0)
        _ = bench.machine.connectFailed(endpoint: 0, with: .refused, now: 0)
        #expect(!bench.machine.isInRotation(0, now: 0))
        guard case .use = bench.machine.request(Item(), PoolRequest(connectTimeout: second), now: 0) else {
            Issue.record("an idle connection is left")
            return
        }
    }

    @Test func whoFailsItsChecksGetsNothingUntilItPassesThem() {
        var bench = Bench(endpoints: 2)
        _ = bench.perform(bench.machine.checked(endpoint: 0, isHealthy: false, now: 0), now: 0)
        #expect((0..<10).map { _ in bench.exchange(now: 0) } == Array(repeating: 1, count: 10))
        _ = bench.perform(bench.machine.checked(endpoint: 1, isHealthy: false, now: 0), now: 0)
        guard case .failure(let failure)? = bench.request(now: 0) else {
            Issue.record("a check that says no is believed, even by all")
            return
        }
        #expect(failure == .noHealthyEndpoint(retryAfter: 1))
        _ = bench.perform(bench.machine.checked(endpoint: 0, isHealthy: true, now: 0), now: 0)
        #expect(bench.exchange(now: 0) == 0)
    }

    @Test func whoWaitsForAnEndpointThatLeavesGoesElsewhere() throws {
        var bench = Bench(endpoints: 2) { $0.balance = .consistentHash }
        let waiter = Item()
        guard
            case .wait(let actions) = bench.machine.request(waiter, PoolRequest(key: 3, connectTimeout: second), now: 0)
        else {
            Issue.record("nothing is idle")
            return
        }
        let home = try #require(
            actions.compactMap { if case .connect(let endpoint) = $0 { endpoint } else { nil } }.first)
        let next = bench.machine.checked(endpoint: home, isHealthy: false, now: 0)
        let other = next.compactMap { if case .connect(let endpoint) = $0 { endpoint } else { nil } }
        #expect(other == [1 - home])
        let handed = bench.machine.connected(Item(), endpoint: 1 - home, now: 0)
        guard case .hand(_, let to)? = handed.first else {
            Issue.record("not handed over")
            return
        }
        #expect(to === waiter)
    }

    @Test func aClientThatLeavesDoesNotKeepAnEjectedEndpointOut() {
        var bench = Bench(endpoints: 2)
        for _ in 0..<10 { _ = bench.exchange({ $0 == 0 ? .failed : .answered }, now: 0) }
        let later = 30 * second
        // Whoever is the one to find out leaves before it is known.
        for _ in 0..<4 { _ = bench.exchange({ $0 == 0 ? .unknown : .answered }, now: later) }
        #expect(bench.readmitted.isEmpty)
        for _ in 0..<4 { _ = bench.exchange(now: later) }
        #expect(bench.readmitted == [0])
    }

    @Test func eachWaiterHasATimeOfItsOwn() throws {
        var machine = Bench(endpoints: 1) { $0.maximumConnections = 1 }.machine
        let (patient, hasty) = (Item(), Item())
        _ = machine.request(patient, PoolRequest(connectTimeout: 2 * second), now: 0)
        _ = machine.request(hasty, PoolRequest(connectTimeout: second), now: 0)
        let failed = machine.wake(now: second).compactMap { action -> (Item, UpstreamFailure)? in
            if case .fail(let waiter, let failure) = action { (waiter, failure) } else { nil }
        }
        #expect(failed.count == 1)
        #expect(failed.first?.0 === hasty)
        #expect(failed.first?.1 == .connectTimeout)
    }

    @Test func atTheBoundAConnectionGoesToWhoWaitsLongest() {
        var bench = Bench(endpoints: 2) { $0.maximumConnections = 1 }
        guard case .success(let connection)? = bench.request(now: 0) else {
            Issue.record("no connection")
            return
        }
        let endpoint = bench.endpoint(of: connection)
        let waiter = Item()
        // Its turn is the other endpoint's, to which no connection may be opened.
        guard case .wait(let actions) = bench.machine.request(waiter, PoolRequest(connectTimeout: second), now: 0)
        else {
            Issue.record("should wait")
            return
        }
        #expect(bench.perform(actions, now: 0).isEmpty)
        _ = bench.machine.finished(endpoint: endpoint, .answered, now: 0)
        guard case .hand(_, let to)? = bench.machine.release(connection, endpoint: endpoint, reusable: true, now: 0)
        else {
            Issue.record("not handed over")
            return
        }
        #expect(to === waiter)
    }
}
