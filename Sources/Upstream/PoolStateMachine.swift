package import Wire

/// Connections to one upstream as one event loop sees them: who waits, what is idle, which endpoint is next.
///
/// Sans-IO: it is told what happened and says what to do. The path of a request that finds an idle connection
/// (`request` then `release`) allocates nothing; everything else may return a list of actions.
package struct PoolStateMachine<Connection: AnyObject, Waiter: AnyObject> {
    /// What to do for a request that asks for a connection.
    package enum RequestAction {
        case use(Connection)
        /// The waiter is queued; carry out the actions.
        case wait([Action])
        case refuse(UpstreamFailure, [Action])
    }

    /// What the shell is to do outside the fast path.
    package enum Action {
        /// Open a connection to the endpoint of this index, then call `connected` or `connectFailed`.
        case connect(endpoint: Int)
        case hand(Connection, to: Waiter)
        case fail(Waiter, UpstreamFailure)
        case close(Connection)
        /// Call `wake` at this time, in nanoseconds.
        case wake(at: Int64)
    }

    private struct EndpointState {
        var idle: [(connection: Connection, since: Int64)] = []
        var open = 0
        var health: HealthStateMachine
        var lastFailure = UpstreamFailure.refused
    }

    private let settings: UpstreamSettings
    private var endpoints: [EndpointState]
    private var next = 0
    private var open = 0
    private var connecting = 0
    private var waiters: [(waiter: Waiter, deadline: Int64)] = []
    private var isClosing = false

    package init(settings: UpstreamSettings) {
        self.settings = settings
        self.endpoints = settings.endpoints.map { _ in
            EndpointState(health: HealthStateMachine(patience: settings.connectTimeout))
        }
    }

    /// Idle connections over all endpoints.
    package var idleCount: Int { endpoints.reduce(0) { $0 + $1.idle.count } }
    /// Requests waiting for a connection.
    package var waitingCount: Int { waiters.count }
    /// Connections open or being opened.
    package var openCount: Int { open + connecting }

    /// A request needs a connection. `fresh` asks for a new one, after a pooled one proved stale.
    package mutating func request(_ waiter: Waiter, fresh: Bool, now: Int64) -> RequestAction {
        if !fresh, let connection = popIdle() { return .use(connection) }
        guard !endpoints.isEmpty else { return .refuse(.noHealthyEndpoint(retryAfter: 1), []) }
        if endpoints.allSatisfy({ $0.health.isDown(now: now) }) {
            // Told at once, while one attempt at a time keeps asking whether a server is back.
            var actions: [Action] = []
            if connecting == 0, let endpoint = chooseEndpoint(now: now) { connect(endpoint, into: &actions) }
            return .refuse(.noHealthyEndpoint(retryAfter: 1), actions)
        }
        guard waiters.count < settings.maximumPending else { return .refuse(.overloaded, []) }
        waiters.append((waiter, now + settings.connectTimeout))
        var actions: [Action] = []
        balance(now: now, into: &actions)
        return .wait(actions)
    }

    /// A waiter no longer wants its connection, because its client left.
    package mutating func cancel(_ waiter: Waiter) {
        waiters.removeAll { $0.waiter === waiter }
    }

    /// An attempt succeeded.
    package mutating func connected(_ connection: Connection, endpoint: Int, now: Int64) -> [Action] {
        connecting -= 1
        open += 1
        endpoints[endpoint].open += 1
        endpoints[endpoint].health.succeeded()
        return place(connection, endpoint: endpoint, now: now)
    }

    /// An attempt failed.
    package mutating func connectFailed(endpoint: Int, with failure: UpstreamFailure, now: Int64) -> [Action] {
        connecting -= 1
        endpoints[endpoint].health.failed(now: now)
        endpoints[endpoint].lastFailure = failure
        return wake(now: now)
    }

    /// Time passed: expires waiters, and tries endpoints whose pause is over.
    package mutating func wake(now: Int64) -> [Action] {
        var actions: [Action] = []
        let failure = endpoints.last?.lastFailure ?? .refused
        while let first = waiters.first, first.deadline <= now {
            waiters.removeFirst()
            actions.append(.fail(first.waiter, failure))
        }
        balance(now: now, into: &actions)
        return actions
    }

    /// The request on a connection ended. `nil` means that nothing is left to do.
    package mutating func release(_ connection: Connection, endpoint: Int, reusable: Bool, now: Int64) -> Action? {
        guard reusable, !isClosing else { return .close(connection) }
        if let first = waiters.first {
            waiters.removeFirst()
            return .hand(connection, to: first.waiter)
        }
        guard idleCount < settings.maximumIdle else { return .close(connection) }
        endpoints[endpoint].idle.append((connection, now))
        return nil
    }

    /// A connection is gone, whoever closed it.
    package mutating func closed(_ connection: Connection, endpoint: Int, now: Int64) -> [Action] {
        open -= 1
        endpoints[endpoint].open -= 1
        endpoints[endpoint].idle.removeAll { $0.connection === connection }
        var actions: [Action] = []
        balance(now: now, into: &actions)
        return actions
    }

    /// Closes what has been idle for too long; called about once a second.
    package mutating func expireIdle(now: Int64) -> [Action] {
        var actions: [Action] = []
        for index in endpoints.indices {
            // Newest last: the expired ones are a prefix.
            let expired = endpoints[index].idle.prefix { now - $0.since >= settings.idleTimeout }
            guard !expired.isEmpty else { continue }
            actions.append(contentsOf: expired.map { .close($0.connection) })
            endpoints[index].idle.removeFirst(expired.count)
        }
        return actions
    }

    /// No further requests will come: closes what is idle, and what is released from now on.
    package mutating func close() -> [Action] {
        isClosing = true
        var actions: [Action] = []
        for index in endpoints.indices {
            actions.append(contentsOf: endpoints[index].idle.map { .close($0.connection) })
            endpoints[index].idle.removeAll()
        }
        return actions
    }

    /// Round robin over the endpoints, newest connection first within one.
    private mutating func popIdle() -> Connection? {
        for step in endpoints.indices {
            let index = (next + step) % endpoints.count
            if let idle = endpoints[index].idle.popLast() {
                next = (index + 1) % endpoints.count
                return idle.connection
            }
        }
        return nil
    }

    private mutating func place(_ connection: Connection, endpoint: Int, now: Int64) -> [Action] {
        var actions: [Action] = []
        if let action = release(connection, endpoint: endpoint, reusable: true, now: now) { actions.append(action) }
        balance(now: now, into: &actions)
        return actions
    }

    /// Keeps one attempt running for each waiter, within the bound on connections.
    private mutating func balance(now: Int64, into actions: inout [Action]) {
        while connecting < waiters.count, open + connecting < settings.maximumConnections {
            guard let endpoint = chooseEndpoint(now: now) else { break }
            connect(endpoint, into: &actions)
        }
        guard let first = waiters.first else { return }
        let nextAttempt = endpoints.map(\.health.nextAttempt).min() ?? .max
        actions.append(.wake(at: min(first.deadline, nextAttempt > now ? nextAttempt : first.deadline)))
    }

    private mutating func connect(_ endpoint: Int, into actions: inout [Action]) {
        connecting += 1
        actions.append(.connect(endpoint: endpoint))
    }

    private mutating func chooseEndpoint(now: Int64) -> Int? {
        for step in endpoints.indices {
            let index = (next + step) % endpoints.count
            if endpoints[index].health.nextAttempt <= now {
                next = (index + 1) % endpoints.count
                return index
            }
        }
        return nil
    }
}
