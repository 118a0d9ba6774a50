package import Wire

/// What a request asks of the pool.
package struct PoolRequest: Sendable {
    /// The client's stable hash, for consistent hashing.
    package var key: UInt64
    /// Any 64 bits, new for every request.
    package var random: UInt64
    /// Asks for a new connection, after a pooled one proved stale.
    package var isFresh: Bool
    /// The endpoint that did not answer before: chosen again only when there is no other.
    package var avoiding: Int?
    /// Nanoseconds to wait for a connection.
    package var connectTimeout: Int64

    package init(
        key: UInt64 = 0, random: UInt64 = 0, isFresh: Bool = false, avoiding: Int? = nil, connectTimeout: Int64
    ) {
        self.key = key
        self.random = random
        self.isFresh = isFresh
        self.avoiding = avoiding
        self.connectTimeout = connectTimeout
    }
}

/// What a request that had a connection says about its endpoint.
package enum RequestOutcome: Sendable, Equatable {
    /// It was answered.
    case answered
    /// It was answered with a server error, not in time, or not in HTTP.
    case failed
    /// Nothing: the client left, or the connection was stale.
    case unknown
}

/// Connections to one upstream as one event loop sees them: who waits for which endpoint, what is idle, who is healthy.
///
/// The endpoint is chosen first; then an idle connection to it is used, or one is opened. Sans-IO: the machine is told
/// what happened and says what to do. The path of a request that finds an idle connection (`request`, `finished`, then
/// `release`) allocates nothing; everything else may return a list of actions.
package struct PoolStateMachine<Connection: AnyObject, Waiter: AnyObject> {
    /// What to do for a request that asks for a connection.
    package enum RequestAction {
        case use(Connection)
        /// The waiter is queued; carry out the actions.
        case wait([Action])
        case refuse(UpstreamFailure)
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
        /// To be told: the endpoint was taken out of rotation for what its requests came to, or is back from that.
        case ejected(endpoint: Int)
        case readmitted(endpoint: Int)
    }

    struct EndpointState {
        var idle: [(connection: Connection, since: Int64)] = []
        var connecting = 0
        /// Requests that wait for a connection to it.
        var waiting = 0
        var health: HealthStateMachine
    }

    struct Waiting {
        let waiter: Waiter
        let request: PoolRequest
        /// `nil` while no endpoint is in rotation.
        var endpoint: Int?
        let deadline: Int64
    }

    let settings: UpstreamSettings
    var endpoints: [EndpointState]
    var balancer: Balancer
    var waiters: [Waiting] = []
    private var open = 0
    private var connecting = 0
    private var lastFailure = UpstreamFailure.refused
    private var isClosing = false

    package init(settings: UpstreamSettings) {
        self.settings = settings
        self.endpoints = settings.endpoints.map { _ in
            EndpointState(
                health: HealthStateMachine(patience: settings.connectTimeout, ejection: settings.ejection))
        }
        self.balancer = Balancer(settings.balance, endpoints: settings.endpoints)
    }

    /// Idle connections over all endpoints.
    package var idleCount: Int { endpoints.reduce(0) { $0 + $1.idle.count } }
    /// Requests waiting for a connection.
    package var waitingCount: Int { waiters.count }
    /// Connections open or being opened.
    package var openCount: Int { open + connecting }
    private var isFull: Bool { openCount >= settings.maximumConnections }

    // MARK: Requests

    /// A request needs a connection.
    package mutating func request(_ waiter: Waiter, _ request: PoolRequest, now: Int64) -> RequestAction {
        let endpoint = choose(request, now: now)
        if !request.isFresh {
            if let endpoint, let idle = endpoints[endpoint].idle.popLast() {
                began(endpoint, now: now)
                return .use(idle.connection)
            }
            // Better another endpoint than none: at the bound, or while new connections fail everywhere.
            if isFull || endpoint == nil, let (connection, other) = popAnyIdle() {
                began(other, now: now)
                return .use(connection)
            }
        }
        if endpoint == nil, !isAnyWorthWaiting(now: now) {
            return .refuse(.noHealthyEndpoint(retryAfter: retryAfter(now: now)))
        }
        guard waiters.count < settings.maximumPending else { return .refuse(.overloaded) }
        waiters.append(
            Waiting(waiter: waiter, request: request, endpoint: nil, deadline: now + request.connectTimeout))
        if let endpoint { assign(waiters.count - 1, to: endpoint, now: now) }
        var actions: [Action] = []
        connectWhereNeeded(now: now, into: &actions)
        return .wait(actions)
    }

    /// A waiter no longer wants its connection, because its client left.
    package mutating func cancel(_ waiter: Waiter, now: Int64) {
        guard let index = waiters.firstIndex(where: { $0.waiter === waiter }) else { return }
        unassign(index, now: now)
        waiters.remove(at: index)
    }

    /// What became of the request on a connection to the endpoint; told once for every one that was used or handed.
    package mutating func finished(endpoint: Int, _ outcome: RequestOutcome, now: Int64) -> [Action] {
        balancer.ended(endpoint)
        switch outcome {
        case .answered:
            return endpoints[endpoint].health.succeeded(now: now) ? [.readmitted(endpoint: endpoint)] : []
        case .unknown:
            endpoints[endpoint].health.unsettled(now: now)
            return []
        case .failed:
            let mayEject = mayEject(endpoint, now: now)
            guard endpoints[endpoint].health.failed(now: now, mayEject: mayEject) else { return [] }
            var actions: [Action] = [.ejected(endpoint: endpoint)]
            leave(endpoint, now: now, into: &actions)
            return actions
        }
    }

    /// The connection of a finished request is free. `nil` means that nothing is left to do.
    package mutating func release(_ connection: Connection, endpoint: Int, reusable: Bool, now: Int64) -> Action? {
        guard reusable, !isClosing, endpoints[endpoint].health.isTrusted else { return .close(connection) }
        if !waiters.isEmpty, let index = nextWaiter(for: endpoint) {
            return hand(connection, of: endpoint, to: index, now: now)
        }
        guard idleCount < settings.maximumIdle else { return .close(connection) }
        endpoints[endpoint].idle.append((connection, now))
        return nil
    }

    // MARK: Connections

    /// An attempt succeeded.
    package mutating func connected(_ connection: Connection, endpoint: Int, now: Int64) -> [Action] {
        connecting -= 1
        open += 1
        endpoints[endpoint].connecting -= 1
        endpoints[endpoint].health.connected()
        var actions: [Action] = []
        assignAll(now: now, into: &actions)
        // A waiter of its own may be the one that finds out whether an ejection can end; others get trusted ones only.
        if let index = waiters.firstIndex(where: { $0.endpoint == endpoint }) {
            actions.append(hand(connection, of: endpoint, to: index, now: now))
        } else if let action = release(connection, endpoint: endpoint, reusable: true, now: now) {
            actions.append(action)
        }
        connectWhereNeeded(now: now, into: &actions)
        return actions
    }

    /// An attempt failed. Who waited for it goes to another endpoint while there is one.
    package mutating func connectFailed(endpoint: Int, with failure: UpstreamFailure, now: Int64) -> [Action] {
        connecting -= 1
        lastFailure = failure
        endpoints[endpoint].connecting -= 1
        endpoints[endpoint].health.connectFailed(now: now)
        for index in waiters.indices where waiters[index].endpoint == endpoint { unassign(index, now: now) }
        return wake(now: now)
    }

    /// A connection is gone, whoever closed it.
    package mutating func closed(_ connection: Connection, endpoint: Int, now: Int64) -> [Action] {
        open -= 1
        endpoints[endpoint].idle.removeAll { $0.connection === connection }
        var actions: [Action] = []
        connectWhereNeeded(now: now, into: &actions)
        return actions
    }

    /// The time of some waiters, or of a pause between attempts, is over.
    package mutating func wake(now: Int64) -> [Action] {
        var actions: [Action] = []
        var index = 0
        while index < waiters.count {
            guard waiters[index].deadline <= now else {
                index += 1
                continue
            }
            actions.append(.fail(waiters[index].waiter, failure(of: waiters[index])))
            unassign(index, now: now)
            waiters.remove(at: index)
        }
        assignAll(now: now, into: &actions)
        connectWhereNeeded(now: now, into: &actions)
        return actions
    }

    /// Time passed: closes what has been idle for too long, and tries endpoints that take no connections, so that one
    /// that is back is in rotation before a request has to find out.
    package mutating func tick(now: Int64) -> [Action] {
        var actions: [Action] = []
        for index in endpoints.indices {
            // Newest last: the expired ones are a prefix.
            let expired = endpoints[index].idle.prefix { now - $0.since >= settings.idleTimeout }
            guard !expired.isEmpty else { continue }
            actions.append(contentsOf: expired.map { .close($0.connection) })
            endpoints[index].idle.removeFirst(expired.count)
        }
        connectWhereFailing(now: now, into: &actions)
        return actions
    }

    /// Closes the idle connections to an endpoint that `isStale` names.
    package mutating func retire(endpoint: Int, where isStale: (Connection) -> Bool) -> [Action] {
        let stale = endpoints[endpoint].idle.filter { isStale($0.connection) }
        endpoints[endpoint].idle.removeAll { isStale($0.connection) }
        return stale.map { .close($0.connection) }
    }

    /// No further requests will come: closes what is idle, and what is released from now on.
    package mutating func close() -> [Action] {
        isClosing = true
        var actions: [Action] = []
        for index in endpoints.indices { closeIdle(index, into: &actions) }
        return actions
    }

    mutating func closeIdle(_ endpoint: Int, into actions: inout [Action]) {
        actions.append(contentsOf: endpoints[endpoint].idle.map { .close($0.connection) })
        endpoints[endpoint].idle.removeAll()
    }

    // MARK: Waiters

    private func failure(of waiting: Waiting) -> UpstreamFailure {
        guard let endpoint = waiting.endpoint else { return lastFailure }
        // No attempt was made for it: the bound on connections did not allow one.
        return endpoints[endpoint].connecting > 0 ? .connectTimeout : .noConnectionFree
    }

    private func nextWaiter(for endpoint: Int) -> Int? {
        if let index = waiters.firstIndex(where: { $0.endpoint == endpoint }) { return index }
        // At the bound nobody could open another connection: whose turn it is comes before which endpoint it is.
        return isFull && !waiters.isEmpty ? 0 : nil
    }

    private mutating func hand(_ connection: Connection, of endpoint: Int, to index: Int, now: Int64) -> Action {
        if waiters[index].endpoint != endpoint {
            unassign(index, now: now)
            assign(index, to: endpoint, now: now)
        }
        endpoints[endpoint].waiting -= 1
        return .hand(connection, to: waiters.remove(at: index).waiter)
    }

    private mutating func assign(_ index: Int, to endpoint: Int, now: Int64) {
        waiters[index].endpoint = endpoint
        endpoints[endpoint].waiting += 1
        began(endpoint, now: now)
    }

    mutating func unassign(_ index: Int, now: Int64) {
        guard let endpoint = waiters[index].endpoint else { return }
        waiters[index].endpoint = nil
        endpoints[endpoint].waiting -= 1
        endpoints[endpoint].health.unsettled(now: now)
        balancer.ended(endpoint)
    }

    /// Gives those who wait for no endpoint in particular one that is in rotation, and its idle connections.
    mutating func assignAll(now: Int64, into actions: inout [Action]) {
        var index = 0
        while index < waiters.count {
            guard waiters[index].endpoint == nil, let endpoint = choose(waiters[index].request, now: now) else {
                index += 1
                continue
            }
            assign(index, to: endpoint, now: now)
            if !waiters[index].request.isFresh, let idle = endpoints[endpoint].idle.popLast() {
                actions.append(hand(idle.connection, of: endpoint, to: index, now: now))
            } else {
                index += 1
            }
        }
    }

    private mutating func began(_ endpoint: Int, now: Int64) {
        balancer.began(endpoint)
        endpoints[endpoint].health.began(now: now)
    }

    // MARK: Choice

    private mutating func choose(_ request: PoolRequest, now: Int64) -> Int? {
        for index in endpoints.indices {
            balancer.setCandidate(endpoints[index].health.isInRotation(now: now), index)
        }
        return balancer.choose(key: request.key, random: request.random, avoiding: request.avoiding)
    }

    private mutating func popAnyIdle() -> (Connection, endpoint: Int)? {
        for index in endpoints.indices where endpoints[index].health.isTrusted {
            if let idle = endpoints[index].idle.popLast() { return (idle.connection, index) }
        }
        return nil
    }

    // MARK: Attempts

    /// Keeps one attempt running for each waiter, within the bound on connections, and asks to be woken in time.
    mutating func connectWhereNeeded(now: Int64, into actions: inout [Action]) {
        guard !waiters.isEmpty else { return }
        for index in endpoints.indices {
            while endpoints[index].connecting < endpoints[index].waiting, !isFull { connect(index, into: &actions) }
        }
        var time = waiters.reduce(Int64.max) { min($0, $1.deadline) }
        if waiters.contains(where: { $0.endpoint == nil }) {
            connectWhereFailing(now: now, into: &actions)
            for endpoint in endpoints where endpoint.health.isFailing && endpoint.connecting == 0 {
                time = min(time, max(now, endpoint.health.nextAttempt))
            }
        }
        actions.append(.wake(at: time))
    }

    /// One attempt at a time for each endpoint that takes no connections, once its pause is over.
    private mutating func connectWhereFailing(now: Int64, into actions: inout [Action]) {
        for index in endpoints.indices where endpoints[index].connecting == 0 && !isFull {
            guard endpoints[index].health.isFailing, endpoints[index].health.nextAttempt <= now else { continue }
            connect(index, into: &actions)
        }
    }

    private mutating func connect(_ endpoint: Int, into actions: inout [Action]) {
        connecting += 1
        endpoints[endpoint].connecting += 1
        actions.append(.connect(endpoint: endpoint))
    }
}
