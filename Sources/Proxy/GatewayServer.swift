package import Audit
import Authentication
package import Gate
package import Logging
import Glibc
import NIOCore
import NIOPosix
package import RateLimit
import Synchronization
import Upstream

/// Where clients connect.
package struct ListenerAddress: Sendable, Hashable {
    package var name: String
    package var host: String
    /// 0 lets the system choose.
    package var port: Int

    package init(name: String, host: String, port: Int) {
        self.name = name
        self.host = host
        self.port = port
    }
}

/// Why the data plane could not start.
package enum ServerError: Error, CustomStringConvertible {
    case cannotListen(ListenerAddress, reason: String)

    package var description: String {
        switch self {
        case .cannotListen(let address, let reason):
            "listener \"\(address.name)\" cannot listen on \(address.host):\(address.port): \(reason). "
                + "Is another process on that port?"
        }
    }
}

/// The data plane: one worker per event loop, each with its own listening sockets (SO_REUSEPORT), so that a connection
/// lives and dies on the loop that accepted it.
package final class GatewayServer: Sendable {
    package struct Options: Sendable {
        package var listeners: [ListenerAddress]
        /// Event loops; at least 1.
        package var workers: Int
        /// Clients remembered by the limiter.
        package var maximumClients: Int
        /// Threads that verify signatures and secrets.
        package var verifierThreads: Int

        package init(listeners: [ListenerAddress], workers: Int, maximumClients: Int, verifierThreads: Int) {
            self.listeners = listeners
            self.workers = max(1, workers)
            self.maximumClients = maximumClients
            self.verifierThreads = max(1, verifierThreads)
        }
    }

    package let feed: SnapshotFeed
    /// One per worker.
    package let metrics: [LoopMetrics]
    package let limiter: LimiterTable
    private let options: Options
    private let group: MultiThreadedEventLoopGroup
    private let verifiers: NIOThreadPool
    private let workers: [NIOLoopBound<Worker>]
    private let listening = Mutex<[any Channel]>([])
    private let draining = Atomic<Bool>(false)

    /// `audit` gives each worker its ring; `nil` writes no records. `clock` is read once per event.
    package init(
        _ publication: Publication, options: Options, audit: AuditWriter?, logger: Logger,
        clock: @escaping @Sendable () -> Now = SystemClock.now
    ) {
        var random = SystemRandomNumberGenerator()
        let hashKey = CredentialHashKey(random: &random)
        let feed = SnapshotFeed(publication)
        let limiter = LimiterTable(maximumCells: options.maximumClients, shards: 64)
        let verifiers = NIOThreadPool(numberOfThreads: options.verifierThreads)
        let shared = Worker.Shared(
            feed: feed,
            gate: Gatekeeper.Shared(
                limiter: limiter, admissions: SharedCredentialCache(key: hashKey), hashKey: hashKey),
            verifiers: verifiers, logger: logger, clock: clock)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: options.workers)
        let loops = Array(group.makeIterator())
        let metrics = loops.map { _ in LoopMetrics() }
        self.metrics = metrics
        self.workers = loops.enumerated().compactMap { index, loop in
            // Made on its loop, which nothing else may touch it from. Cannot fail: the loop was started just now.
            try? loop.submit {
                let ring = audit.flatMap { index < $0.rings.count ? $0.rings[index] : nil }
                let worker = Worker(loop: loop, shared: shared, ring: ring, metrics: metrics[index])
                worker.startTicking()
                return NIOLoopBound(worker, eventLoop: loop)
            }.wait()
        }
        self.feed = feed
        self.limiter = limiter
        self.options = options
        self.group = group
        self.verifiers = verifiers
    }

    /// Binds every listener on every loop. Returns the ports, in the order of the options.
    package func start() async throws -> [Int] {
        verifiers.start()
        var ports: [Int] = []
        for listener in options.listeners {
            var port = listener.port
            for worker in workers {
                let channel = try await bind(listener, port: port, worker: worker)
                port = channel.localAddress?.port ?? port
                listening.withLock { $0.append(channel) }
            }
            ports.append(port)
        }
        return ports
    }

    private func bind(_ listener: ListenerAddress, port: Int, worker: NIOLoopBound<Worker>) async throws -> any Channel
    {
        let bootstrap = ServerBootstrap(group: worker.eventLoop, childGroup: worker.eventLoop)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.socketOption(.init(rawValue: SO_REUSEPORT)), value: 1)
            .childChannelOption(.socketOption(.tcp_nodelay), value: 1)
            .childChannelOption(.allowRemoteHalfClosure, value: true)
            .childChannelOption(.recvAllocator, value: ReadBuffers.allocator)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let worker = worker.value
                    guard worker.takesConnections else { throw ChannelError.ioOnClosedChannel }
                    try channel.pipeline.syncOperations.addHandler(ClientHandler(worker: worker))
                }
            }
        do {
            return try await bootstrap.bind(host: listener.host, port: port).get()
        } catch {
            throw ServerError.cannotListen(listener, reason: "\(error)")
        }
    }

    /// Makes a configuration the one in force for every request that is decided from now on.
    package func publish(_ publication: Publication) {
        feed.publish(publication)
    }

    /// Whether new requests are welcome.
    package var isReady: Bool { !draining.load(ordering: .relaxed) }

    /// Takes no new connections, ends idle ones, and waits until the rest have ended or the time is over.
    ///
    /// `timeout` in nanoseconds. Returns whether every request was finished.
    package func drain(timeout: Int64) async -> Bool {
        draining.store(true, ordering: .relaxed)
        let channels = listening.withLock { channels in
            let all = channels
            channels = []
            return all
        }
        for channel in channels { try? await channel.close().get() }
        let drained = workers.map { worker in
            worker.eventLoop.flatSubmit { worker.value.drain() }
        }
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                for future in drained { try? await future.get() }
                return true
            }
            group.addTask {
                try? await Task.sleep(nanoseconds: UInt64(max(0, timeout)))
                return false
            }
            let first = await group.next() ?? false
            if !first {
                // The futures end only with their connections: cut these, so that the other task can end as well.
                for worker in workers { worker.eventLoop.execute { worker.value.stop() } }
            }
            group.cancelAll()
            return first
        }
    }

    /// Ends everything. The audit writer is stopped afterwards by its owner.
    package func stop() async {
        for worker in workers {
            try? await worker.eventLoop.submit { worker.value.stop() }.get()
        }
        try? await group.shutdownGracefully()
        try? await verifiers.shutdownGracefully()
    }
}

/// The machine's clocks.
package enum SystemClock {
    /// Both clocks, read one after the other.
    @Sendable package static func now() -> Now {
        Now(monotonic: read(CLOCK_MONOTONIC), unixNanoseconds: read(CLOCK_REALTIME))
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        // Unsafe: fills this one structure; these two clocks cannot fail.
        unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
