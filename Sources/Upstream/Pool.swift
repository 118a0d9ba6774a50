package import NIOCore
import NIOPosix
import Wire

/// The connections of one event loop to one upstream. Carries out what `PoolStateMachine` decides.
///
/// Owned by its loop: every call is made on it, and there is nothing to lock.
package final class Pool {
    package let settings: UpstreamSettings
    private let loop: any EventLoop
    private let clock: @Sendable () -> Int64
    private var machine: PoolStateMachine<UpstreamConnection, AnyObject>
    private var wakeUp: Scheduled<Void>?
    private var wakeUpTime = Int64.max

    /// `clock` gives monotonic nanoseconds; it is read only where a timer fires or an attempt ends.
    package init(settings: UpstreamSettings, loop: any EventLoop, clock: @escaping @Sendable () -> Int64) {
        self.settings = settings
        self.loop = loop
        self.clock = clock
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
            let bound = NIOLoopBound(Weak(consumer), eventLoop: loop)
            loop.execute { bound.value.consumer?.upstreamFailed(failure) }
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
        perform(machine.closed(connection, endpoint: connection.endpoint, now: clock()))
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
        let bound = NIOLoopBound(self, eventLoop: loop)
        let bootstrap = ClientBootstrap(group: loop)
            .connectTimeout(.nanoseconds(settings.connectTimeout))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelOption(.recvAllocator, value: ReadBuffers.allocator)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let connection = UpstreamConnection(endpoint: endpoint, pool: bound.value)
                    try channel.pipeline.syncOperations.addHandler(connection)
                }
            }
        let attempt: EventLoopFuture<any Channel>
        if let literal = try? SocketAddress(ipAddress: address.host, port: address.port) {
            attempt = bootstrap.connect(to: literal)
        } else {
            attempt = bootstrap.connect(host: address.host, port: address.port)
        }
        attempt.assumeIsolated().whenComplete { result in
            self.finished(result, endpoint: endpoint)
        }
    }

    private func finished(_ result: Result<any Channel, any Error>, endpoint: Int) {
        switch result {
        case .success(let channel):
            guard
                let connection = try? channel.pipeline.syncOperations.handler(type: UpstreamConnection.self),
                channel.isActive
            else {
                perform(machine.connectFailed(endpoint: endpoint, with: .refused, now: clock()))
                return
            }
            connection.joined()
            perform(machine.connected(connection, endpoint: endpoint, now: clock()))
        case .failure(let error):
            let isTimeout = if case .connectTimeout? = error as? ChannelError { true } else { false }
            let failure: UpstreamFailure = isTimeout ? .connectTimeout : .refused
            perform(machine.connectFailed(endpoint: endpoint, with: failure, now: clock()))
        }
    }

    private func schedule(at time: Int64) {
        guard time < wakeUpTime else { return }
        wakeUp?.cancel()
        wakeUpTime = time
        let bound = NIOLoopBound(self, eventLoop: loop)
        wakeUp = loop.scheduleTask(in: .nanoseconds(max(0, time - clock()))) {
            let pool = bound.value
            pool.wakeUp = nil
            pool.wakeUpTime = .max
            pool.perform(pool.machine.wake(now: pool.clock()))
        }
    }
}

private struct Weak {
    weak var consumer: (any UpstreamConsumer)?
    init(_ consumer: any UpstreamConsumer) { self.consumer = consumer }
}

/// How channels of the data plane size their read buffers.
package enum ReadBuffers {
    /// Starts at 4 KiB so that an idle connection stays small, grows to 64 KiB under bulk transfers.
    package static let allocator = AdaptiveRecvByteBufferAllocator(minimum: 2048, initial: 4096, maximum: 65536)
}
