package import Reactor
import Wire

/// Something about a pool that somebody counts.
package enum PoolEvent: Sendable {
    /// A request was given a connection to the endpoint.
    case sent(endpoint: Int)
    /// A request failed at the endpoint.
    case failed(endpoint: Int)
    /// An attempt to connect to it failed.
    case connectFailed(endpoint: Int)
    /// It was taken out of rotation for what its requests came to.
    case ejected(endpoint: Int)
    /// A request showed that it is well again.
    case readmitted(endpoint: Int)
    /// The verdict of its active checks changed.
    case checked(endpoint: Int, isHealthy: Bool)
    /// Whether requests are sent to it; told about once a second.
    case rotation(endpoint: Int, isIn: Bool)
    /// A request found no connection and no room to wait for one.
    case overflowed
}

/// Who hears of a pool's events, on its loop.
package protocol PoolObserver: AnyObject {
    func observe(_ event: PoolEvent)
}

/// The connections of one event loop to one upstream. Carries out what `PoolStateMachine` decides.
///
/// Owned by its loop: every call is made on it, and there is nothing to lock.
package final class Pool {
    package let settings: UpstreamSettings
    let reactor: Reactor
    private var machine: PoolStateMachine<UpstreamConnection, AnyObject>
    private let connecting: EndpointConnecting
    private var retries: RetryBudget
    private var random: UInt64
    private let observer: any PoolObserver
    private var wakeUp: UInt64?
    private var wakeUpTime = Int64.max
    private var lastTelling = Int64.min

    /// What the checks say, shared with the pools of other loops.
    private var board: HealthBoard
    private var seenVerdicts: HealthBoard.Verdicts
    private var checks: HealthChecks?

    /// - Parameters:
    ///   - resolver: looks up endpoints that are given by name, off the loop.
    ///   - board: where the verdicts of checks stand.
    ///   - runsChecks: whether this loop is the one that makes them.
    ///   - seed: of the pool's own random numbers, which need not be good ones.
    package init(
        settings: UpstreamSettings, reactor: Reactor, resolver: NameResolver, board: HealthBoard, runsChecks: Bool,
        seed: UInt64, observer: any PoolObserver
    ) {
        self.settings = settings
        self.reactor = reactor
        self.machine = PoolStateMachine(settings: settings)
        self.connecting = EndpointConnecting(settings, reactor, resolver)
        self.retries = RetryBudget(settings.retries)
        self.random = seed
        self.observer = observer
        self.board = board
        self.seenVerdicts = HealthBoard.Verdicts()
        if runsChecks, let check = settings.healthCheck {
            checks = HealthChecks(check, of: settings.endpoints, now: reactor.now)
        }
    }

    // MARK: Requests

    /// Asks for a connection. Returned at once when one is idle, else `consumer` is called back on this loop:
    /// `upstreamReady` or `upstreamFailed`, exactly one of them, unless `cancel` came first.
    ///
    /// - Parameters:
    ///   - key: the client's stable hash.
    ///   - fresh: asks for a new connection, after a pooled one proved stale.
    ///   - avoided: the endpoint that has just not answered.
    ///   - timeout: nanoseconds to wait for a connection.
    package func acquire(
        for consumer: any UpstreamConsumer, key: UInt64, fresh: Bool = false, avoiding avoided: Int? = nil,
        timeout: Int64, now: Int64
    ) -> UpstreamConnection? {
        random &+= 0x9e37_79b9_7f4a_7c15
        let request = PoolRequest(
            key: key, random: StableHash.mix(random), isFresh: fresh, avoiding: avoided, connectTimeout: timeout)
        switch machine.request(consumer, request, now: now) {
        case .use(let connection):
            earnRetry(fresh, avoided)
            hand(connection, to: consumer)
            return connection
        case .wait(let actions):
            earnRetry(fresh, avoided)
            perform(actions)
        case .refuse(let failure):
            if failure == .overloaded { observer.observe(.overflowed) }
            // Later, so that a caller never hears the answer before `acquire` returned.
            reactor.schedule(at: now) { [weak consumer] in consumer?.upstreamFailed(failure) }
        }
        return nil
    }

    /// What is sent again earns nothing: a budget must not feed itself.
    private func earnRetry(_ fresh: Bool, _ avoided: Int?) {
        if !fresh, avoided == nil { retries.earn() }
    }

    /// The consumer no longer waits.
    package func cancel(_ consumer: any UpstreamConsumer, now: Int64) {
        machine.cancel(consumer, now: now)
    }

    /// Whether a request may be sent again: takes from the budget that every request fills a little.
    package func mayRetry(now: Int64) -> Bool {
        retries.take(now: now)
    }

    func release(_ connection: UpstreamConnection, reusable: Bool, outcome: RequestOutcome, now: Int64) {
        finished(connection.endpoint, outcome, now: now)
        let isReusable = reusable && connecting.isCurrent(connection)
        if let action = machine.release(connection, endpoint: connection.endpoint, reusable: isReusable, now: now) {
            perform(action)
        }
    }

    /// The request on a connection is over. `release` tells this too; by itself it is for connections that are gone.
    func finished(_ endpoint: Int, _ outcome: RequestOutcome, now: Int64? = nil) {
        if outcome == .failed { observer.observe(.failed(endpoint: endpoint)) }
        perform(machine.finished(endpoint: endpoint, outcome, now: now ?? reactor.now))
    }

    func closed(_ connection: UpstreamConnection) {
        perform(machine.closed(connection, endpoint: connection.endpoint, now: reactor.now))
    }

    // MARK: Time

    /// What time brings: idle connections expire, endpoints that took none are tried, names are looked up again and
    /// endpoints asked how they are. Called about ten times a second by the loop's owner.
    package func tick(now: Int64) {
        perform(machine.tick(now: now))
        connecting.endUnused(now: now)
        connecting.refreshNames(now: now) { [self] endpoint in
            perform(machine.retire(endpoint: endpoint) { !connecting.isCurrent($0) })
        }
        runChecks(now)
        takeVerdicts(now)
        guard now - 1_000_000_000 >= lastTelling else { return }
        lastTelling = now
        for endpoint in settings.endpoints.indices {
            observer.observe(.rotation(endpoint: endpoint, isIn: machine.isInRotation(endpoint, now: now)))
        }
    }

    private func runChecks(_ now: Int64) {
        guard let due = checks?.due(now: now) else { return }
        for endpoint in due {
            HealthProbe(settings.endpoints[endpoint], checks?.rules ?? HealthCheck()) { [self] isGood in
                guard checks?.finished(endpoint, isGood: isGood, now: reactor.now) == true else { return }
                let isHealthy = checks?.isHealthy(endpoint) ?? true
                board.set(endpoint, isHealthy: isHealthy)
                observer.observe(.checked(endpoint: endpoint, isHealthy: isHealthy))
            }.start(connecting, endpoint, reactor)
        }
    }

    private func takeVerdicts(_ now: Int64) {
        guard let verdicts = board.verdicts(after: seenVerdicts) else { return }
        let old = seenVerdicts
        seenVerdicts = verdicts
        for endpoint in settings.endpoints.indices where old.isHealthy(endpoint) != verdicts.isHealthy(endpoint) {
            perform(machine.checked(endpoint: endpoint, isHealthy: verdicts.isHealthy(endpoint), now: now))
        }
    }

    /// Goes on with another board, which a publication that this loop never saw brought between.
    package func adopt(_ other: HealthBoard) {
        guard other !== board else { return }
        board = other
        guard let checks else { return }
        for endpoint in settings.endpoints.indices where !checks.isHealthy(endpoint) {
            board.set(endpoint, isHealthy: false)
        }
    }

    /// Closes what is idle now and the rest as it is released.
    package func close() {
        checks = nil
        for endpoint in settings.endpoints.indices { observer.observe(.rotation(endpoint: endpoint, isIn: false)) }
        perform(machine.close())
        connecting.close()
    }

    // MARK: Actions

    private func perform(_ actions: [PoolStateMachine<UpstreamConnection, AnyObject>.Action]) {
        for action in actions { perform(action) }
    }

    private func perform(_ action: PoolStateMachine<UpstreamConnection, AnyObject>.Action) {
        switch action {
        case .connect(let endpoint):
            connect(endpoint)
        case .hand(let connection, let waiter):
            guard let consumer = waiter as? any UpstreamConsumer else { return connection.close() }
            hand(connection, to: consumer)
            consumer.upstreamReady(connection)
        case .fail(let waiter, let failure):
            (waiter as? any UpstreamConsumer)?.upstreamFailed(failure)
        case .close(let connection):
            connection.close()
        case .wake(let time):
            schedule(at: time)
        case .ejected(let endpoint):
            observer.observe(.ejected(endpoint: endpoint))
        case .readmitted(let endpoint):
            observer.observe(.readmitted(endpoint: endpoint))
        }
    }

    private func hand(_ connection: UpstreamConnection, to consumer: any UpstreamConsumer) {
        observer.observe(.sent(endpoint: connection.endpoint))
        connection.attach(consumer)
    }

    private func connect(_ endpoint: Int) {
        let patience = settings.connectTimeout / (settings.endpoints.count > 1 ? 2 : 1)
        connecting.connect(endpoint, timeout: patience, pool: self) { [self] outcome in
            switch outcome {
            case .success(let connection):
                perform(machine.connected(connection, endpoint: endpoint, now: reactor.now))
            case .failure(let failure):
                observer.observe(.connectFailed(endpoint: endpoint))
                perform(machine.connectFailed(endpoint: endpoint, with: failure, now: reactor.now))
            }
        }
    }

    private func schedule(at time: Int64) {
        guard time < wakeUpTime else { return }
        if let wakeUp { reactor.cancel(wakeUp) }
        wakeUpTime = time
        wakeUp = reactor.schedule(at: time) { [self] in
            wakeUp = nil
            wakeUpTime = .max
            perform(machine.wake(now: reactor.now))
        }
    }
}
