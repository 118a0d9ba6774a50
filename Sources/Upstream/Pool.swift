package import Reactor
import Wire

/// The connections of one event loop to one upstream. Carries out what `PoolStateMachine` decides.
///
/// Owned by its loop: every call is made on it, and there is nothing to lock.
package final class Pool {
    package let settings: UpstreamSettings
    private let reactor: Reactor
    private let resolver: NameResolver
    private var machine: PoolStateMachine<UpstreamConnection, AnyObject>
    private var wakeUp: UInt64?
    private var wakeUpTime = Int64.max

    /// `resolver` looks up endpoints that are given by name, off the loop.
    package init(settings: UpstreamSettings, reactor: Reactor, resolver: NameResolver) {
        self.settings = settings
        self.reactor = reactor
        self.resolver = resolver
        self.machine = PoolStateMachine(settings: settings)
    }

    /// Asks for a connection. Returned at once when one is idle, else `consumer` is called back on this loop:
    /// `upstreamReady` or `upstreamFailed`, exactly one of them, unless `cancel` came first.
    package func acquire(for consumer: any UpstreamConsumer, fresh: Bool, now: Int64) -> UpstreamConnection? {
        switch machine.request(consumer, fresh: fresh, now: now) {
        case .use(let connection):
            connection.attach(consumer)
            return connection
        case .wait(let actions):
            perform(actions)
        case .refuse(let failure, let actions):
            perform(actions)
            // Later, so that a caller never hears the answer before `acquire` returned.
            reactor.schedule(at: now) { [weak consumer] in consumer?.upstreamFailed(failure) }
        }
        return nil
    }

    /// The consumer no longer waits.
    package func cancel(_ consumer: any UpstreamConsumer) {
        machine.cancel(consumer)
    }

    /// Closes what is idle for too long; called about once a second by the loop's owner.
    package func expireIdle(now: Int64) {
        perform(machine.expireIdle(now: now))
    }

    /// Closes what is idle now and the rest as it is released.
    package func close() {
        perform(machine.close())
    }

    func release(_ connection: UpstreamConnection, reusable: Bool, now: Int64) {
        if let action = machine.release(connection, endpoint: connection.endpoint, reusable: reusable, now: now) {
            perform(action)
        }
    }

    func closed(_ connection: UpstreamConnection) {
        perform(machine.closed(connection, endpoint: connection.endpoint, now: reactor.now))
    }

    private func perform(_ actions: [PoolStateMachine<UpstreamConnection, AnyObject>.Action]) {
        for action in actions { perform(action) }
    }

    private func perform(_ action: PoolStateMachine<UpstreamConnection, AnyObject>.Action) {
        switch action {
        case .connect(let endpoint):
            connect(endpoint)
        case .hand(let connection, let waiter):
            guard let consumer = waiter as? any UpstreamConsumer else { return connection.close() }
            connection.attach(consumer)
            consumer.upstreamReady(connection)
        case .fail(let waiter, let failure):
            (waiter as? any UpstreamConsumer)?.upstreamFailed(failure)
        case .close(let connection):
            connection.close()
        case .wake(let time):
            schedule(at: time)
        }
    }

    private func connect(_ endpoint: Int) {
        let address = settings.endpoints[endpoint]
        if let literal = StreamAddress(literal: address.host, port: address.port) {
            return connect(endpoint, to: literal)
        }
        let bound = ReactorBound(self, on: reactor)
        resolver.resolve(address.host, address.port, for: reactor.handle) { reactor, found in
            guard let pool = bound.value(on: reactor) else { return }
            if let found { pool.connect(endpoint, to: found) } else { pool.failed(endpoint, .refused) }
        }
    }

    private func connect(_ endpoint: Int, to address: StreamAddress) {
        let deadline = reactor.now + settings.connectTimeout
        _ = Connector(reactor, to: address, timeout: settings.connectTimeout) { [self] outcome in
            switch outcome {
            case .connected(let descriptor) where settings.endpoints[endpoint].isSecure:
                secure(endpoint, descriptor, deadline: deadline)
            case .connected(let descriptor):
                let connection = UpstreamConnection(endpoint: endpoint, pool: self)
                guard connection.open(descriptor, on: reactor) else { return failed(endpoint, .refused) }
                perform(machine.connected(connection, endpoint: endpoint, now: reactor.now))
            case .failed:
                failed(endpoint, .refused)
            case .timedOut:
                failed(endpoint, .connectTimeout)
            }
        }
    }

    private func secure(_ endpoint: Int, _ descriptor: Int32, deadline: Int64) {
        let connection = UpstreamConnection(endpoint: endpoint, pool: self)
        UpstreamHandshake.begin(connection, descriptor, settings, on: reactor, deadline: deadline) { [self] failure in
            if let failure { return failed(endpoint, failure) }
            perform(machine.connected(connection, endpoint: endpoint, now: reactor.now))
        }
    }

    private func failed(_ endpoint: Int, _ failure: UpstreamFailure) {
        perform(machine.connectFailed(endpoint: endpoint, with: failure, now: reactor.now))
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
