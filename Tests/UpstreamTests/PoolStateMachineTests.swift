import Testing
import Upstream
import Wire

private final class Item {}

private typealias Machine = PoolStateMachine<Item, Item>

extension PoolStateMachine {
    fileprivate mutating func request(_ waiter: Waiter, fresh: Bool, now: Int64) -> RequestAction {
        request(waiter, PoolRequest(isFresh: fresh, connectTimeout: 2_000_000_000), now: now)
    }
}

@Suite struct PoolStateMachineTests {
    private let second: Int64 = 1_000_000_000

    private func settings(endpoints: Int = 1, adjust: (inout UpstreamSettings) -> Void = { _ in }) -> UpstreamSettings {
        var settings = UpstreamSettings(
            name: "u", endpoints: (0..<endpoints).map { Endpoint(host: "127.0.0.1", port: 9000 + $0) },
            connectTimeout: 2 * second)
        adjust(&settings)
        return settings
    }

    /// Endpoints to connect to, in order.
    private func connects(_ actions: [Machine.Action]) -> [Int] {
        actions.compactMap { if case .connect(let endpoint) = $0 { endpoint } else { nil } }
    }

    private func waiting(_ action: Machine.RequestAction) -> [Machine.Action]? {
        if case .wait(let actions) = action { actions } else { nil }
    }

    private func failures(_ actions: [Machine.Action]) -> [UpstreamFailure] {
        actions.compactMap { if case .fail(_, let failure) = $0 { failure } else { nil } }
    }

    @Test func theFirstRequestConnectsAndTheNextOnesReuse() throws {
        var machine = Machine(settings: settings())
        let waiter = Item()
        #expect(connects(try #require(waiting(machine.request(waiter, fresh: false, now: 0)))) == [0])
        let connection = Item()
        let actions = machine.connected(connection, endpoint: 0, now: 1)
        guard case .hand(let handed, let to)? = actions.first else {
            Issue.record("not handed over")
            return
        }
        #expect(handed === connection)
        #expect(to === waiter)
        #expect(machine.release(connection, endpoint: 0, reusable: true, now: 2) == nil)
        guard case .use(let used) = machine.request(Item(), fresh: false, now: 3) else {
            Issue.record("not reused")
            return
        }
        #expect(used === connection)
        #expect(machine.openCount == 1)
    }

    @Test func aFreshConnectionIsAskedForAfterAStaleOne() throws {
        var machine = Machine(settings: settings())
        _ = machine.request(Item(), fresh: false, now: 0)
        let connection = Item()
        _ = machine.connected(connection, endpoint: 0, now: 0)
        _ = machine.release(connection, endpoint: 0, reusable: true, now: 0)
        #expect(connects(try #require(waiting(machine.request(Item(), fresh: true, now: 1)))) == [0])
    }

    @Test func endpointsTakeTurns() throws {
        var machine = Machine(settings: settings(endpoints: 3))
        var seen: [Int] = []
        for _ in 0..<6 {
            seen += connects(try #require(waiting(machine.request(Item(), fresh: false, now: 0))))
        }
        #expect(seen == [0, 1, 2, 0, 1, 2])
    }

    @Test func aRefusedConnectionIsTriedAgainUntilTheTimeIsOver() throws {
        var machine = Machine(settings: settings())
        _ = machine.request(Item(), fresh: false, now: 0)
        var now: Int64 = 0
        var attempts = 1
        var failed: [UpstreamFailure] = []
        var actions = machine.connectFailed(endpoint: 0, with: .refused, now: now)
        while failed.isEmpty {
            let next = actions.compactMap { action -> Int64? in
                if case .wake(let time) = action { time } else { nil }
            }.min()
            now = try #require(next)
            actions = machine.wake(now: now)
            failed += failures(actions)
            for endpoint in connects(actions) where failed.isEmpty {
                attempts += 1
                actions += machine.connectFailed(endpoint: endpoint, with: .refused, now: now)
            }
        }
        #expect(now == 2 * second)
        #expect(failed == [.refused])
        #expect(attempts == 7)
    }

    @Test func aServerThatComesBackIsFoundInTime() throws {
        var machine = Machine(settings: settings())
        let waiter = Item()
        _ = machine.request(waiter, fresh: false, now: 0)
        _ = machine.connectFailed(endpoint: 0, with: .refused, now: 0)
        #expect(connects(machine.wake(now: second / 2)) == [0])
        let actions = machine.connected(Item(), endpoint: 0, now: second / 2)
        guard case .hand(_, let to)? = actions.first else {
            Issue.record("not handed over")
            return
        }
        #expect(to === waiter)
        #expect(machine.waitingCount == 0)
    }

    @Test func whenEveryEndpointHasBeenDownForLongRequestsAreToldAtOnce() throws {
        var machine = Machine(settings: settings(endpoints: 2))
        _ = machine.request(Item(), fresh: false, now: 0)
        #expect(connects(machine.connectFailed(endpoint: 0, with: .refused, now: 0)) == [1])
        #expect(connects(machine.connectFailed(endpoint: 1, with: .refused, now: 0)).isEmpty)
        let later = 3 * second
        #expect(failures(machine.wake(now: 2 * second)) == [.refused])
        guard case .refuse(let failure) = machine.request(Item(), fresh: false, now: later) else {
            Issue.record("should be refused")
            return
        }
        #expect(failure == .noHealthyEndpoint(retryAfter: 1))
        #expect(connects(machine.tick(now: later + second)) == [0, 1], "attempts go on without a request")
        #expect(connects(machine.tick(now: later + second)).isEmpty, "one at a time")
    }

    @Test func theQueueIsBounded() throws {
        var machine = Machine(settings: settings { $0.maximumPending = 2 })
        _ = machine.request(Item(), fresh: false, now: 0)
        _ = machine.request(Item(), fresh: false, now: 0)
        guard case .refuse(let failure) = machine.request(Item(), fresh: false, now: 0) else {
            Issue.record("should be refused")
            return
        }
        #expect(failure == .overloaded)
    }

    @Test func connectionsAreBoundedAndAWaiterGetsTheNextOneReleased() throws {
        var machine = Machine(settings: settings { $0.maximumConnections = 1 })
        let first = Item()
        _ = machine.request(first, fresh: false, now: 0)
        let connection = Item()
        _ = machine.connected(connection, endpoint: 0, now: 0)
        let second = Item()
        #expect(connects(try #require(waiting(machine.request(second, fresh: false, now: 0)))).isEmpty)
        guard case .hand(_, let to)? = machine.release(connection, endpoint: 0, reusable: true, now: 1) else {
            Issue.record("not handed over")
            return
        }
        #expect(to === second)
    }

    @Test func aCancelledWaiterIsForgotten() {
        var machine = Machine(settings: settings())
        let waiter = Item()
        _ = machine.request(waiter, fresh: false, now: 0)
        machine.cancel(waiter, now: 0)
        let connection = Item()
        #expect(machine.connected(connection, endpoint: 0, now: 0).isEmpty)
        #expect(machine.idleCount == 1)
    }

    @Test func idleConnectionsExpireOldestFirst() {
        var machine = Machine(settings: settings { $0.idleTimeout = 10 })
        let connections = [Item(), Item()]
        for (index, connection) in connections.enumerated() {
            _ = machine.request(Item(), fresh: true, now: 0)
            _ = machine.connected(connection, endpoint: 0, now: 0)
            _ = machine.release(connection, endpoint: 0, reusable: true, now: Int64(index) * 5)
        }
        let closed = machine.tick(now: 10).compactMap { action -> Item? in
            if case .close(let connection) = action { connection } else { nil }
        }
        #expect(closed.count == 1)
        #expect(closed.first === connections[0])
        #expect(machine.idleCount == 1)
    }

    @Test func aClosedPoolKeepsNothing() {
        var machine = Machine(settings: settings())
        _ = machine.request(Item(), fresh: false, now: 0)
        let connection = Item()
        _ = machine.connected(connection, endpoint: 0, now: 0)
        #expect(machine.close().isEmpty)
        guard case .close? = machine.release(connection, endpoint: 0, reusable: true, now: 1) else {
            Issue.record("should be closed")
            return
        }
    }
}
