package import Audit
import Authentication
package import Gate
package import Logging
import NIOPosix
package import RateLimit
package import Reactor
import NIOConcurrencyHelpers
import Synchronization
package import TLS
import Upstream

/// Where clients connect.
package struct ListenerAddress: Sendable {
    package var name: String
    package var host: String
    /// 0 lets the system choose.
    package var port: Int
    /// Whether a client may begin with the preface of HTTP/2 (RFC 9113 §3.3).
    package var speaksHTTP2: Bool
    /// Peers whose connections begin with a header of the PROXY protocol.
    package var proxyPeers: [AddressBlock]

    package init(
        name: String, host: String, port: Int, speaksHTTP2: Bool = true, proxyPeers: [AddressBlock] = []
    ) {
        self.speaksHTTP2 = speaksHTTP2
        self.proxyPeers = proxyPeers
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
            "listener \"\(address.name)\" cannot listen on \(address.host):\(address.port): \(reason)."
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
    private let reactors: [ReactorHandle]
    private let shared: Worker.Shared
    private let audit: AuditWriter?
    private let workers = NIOLockedValueBox<[ReactorBound<Worker>]>([])
    private let sockets = NIOLockedValueBox<[ListeningSocket]>([])
    private let listening = NIOLockedValueBox<[ReactorBound<Acceptor>]>([])
    private let draining = Atomic<Bool>(false)

    /// `audit` gives each worker its ring; `nil` writes no records. `tickets` are those of the publication's listeners.
    package init(
        _ publication: Publication, options: Options, audit: AuditWriter?, tickets: TLSTicketKeys? = nil, logger: Logger
    ) throws {
        var random = SystemRandomNumberGenerator()
        let hashKey = CredentialHashKey(random: &random)
        let verifiers = NIOThreadPool(numberOfThreads: options.verifierThreads)
        self.feed = SnapshotFeed(publication)
        self.limiter = LimiterTable(maximumCells: options.maximumClients, shards: 64)
        self.shared = Worker.Shared(
            feed: feed,
            gate: Gatekeeper.Shared(
                limiter: limiter, admissions: SharedCredentialCache(key: hashKey), hashKey: hashKey),
            verifiers: verifiers,
            hashers: NIOThreadPool(numberOfThreads: (options.verifierThreads + 1) / 2), logger: logger,
            resolver: NameResolver { body in verifiers.submit { _ in body() } }, tickets: tickets)
        self.options = options
        self.audit = audit
        self.metrics = (0..<options.workers).map { _ in LoopMetrics() }
        self.reactors = try (0..<options.workers).map { index throws(ReactorError) in
            try ReactorHandle(name: "tollgate-\(index)")
        }
    }

    /// Starts the workers, which all take connections of every listener. Returns the ports, in the order of the options.
    ///
    /// A listener takes over those of the `inherited` sockets that are at its address, and opens its own where there is none.
    /// Where it takes over none, nobody else may listen there.
    package func start(inheriting inherited: [ListeningSocket] = []) async throws -> [Int] {
        let places = try options.listeners.map { ($0, try Self.address(of: $0)) }
        try checkFree(places, but: inherited)
        shared.verifiers.start()
        shared.hashers.start()
        for (index, reactor) in reactors.enumerated() {
            let ring = audit.flatMap { index < $0.rings.count ? $0.rings[index] : nil }
            let (shared, metrics) = (shared, metrics[index])
            let worker = await reactor.submit { reactor in
                let worker = Worker(
                    reactor: reactor, shared: shared, ring: ring, metrics: metrics, isFirst: index == 0)
                worker.startTicking()
                return ReactorBound(worker, on: reactor)
            }
            workers.withLockedValue { $0.append(worker) }
        }
        var ports: [Int] = []
        for (listener, address) in places {
            ports.append(try await listen(listener, at: address, inheriting: inherited))
        }
        return ports
    }

    private static func address(of listener: ListenerAddress) throws(ServerError) -> StreamAddress {
        guard let address = StreamAddress(resolving: listener.host, port: listener.port) else {
            throw .cannotListen(listener, reason: "the host has no address")
        }
        return address
    }

    /// All of them before any is opened: listeners of one gateway may overlap. At the ports of what it takes over the process
    /// before listens itself.
    private func checkFree(
        _ places: [(ListenerAddress, StreamAddress)], but inherited: [ListeningSocket]
    ) throws(ServerError) {
        for (listener, address) in places where !inherited.contains(where: { $0.address.port == address.port }) {
            do throws(ReactorError) {
                try ListeningSocket.checkFree(address)
            } catch {
                throw .cannotListen(listener, reason: "\(error)")
            }
        }
    }

    private func listen(
        _ listener: ListenerAddress, at address: StreamAddress, inheriting inherited: [ListeningSocket]
    ) async throws(ServerError) -> Int {
        var found = inherited.filter { $0.isAt(address) }
        do throws(ReactorError) {
            if found.isEmpty {
                found.append(try ListeningSocket(at: address))
                while found.count < reactors.count { found.append(try ListeningSocket(at: found[0].address)) }
            }
        } catch {
            throw .cannotListen(listener, reason: "\(error)")
        }
        // Among those of one address the kernel spreads connections: each has to have a taker.
        let workers = self.workers.withLockedValue { $0 }
        for index in 0..<max(found.count, reactors.count) {
            let turn = index % reactors.count
            try await accept(from: found[index % found.count], listener, on: reactors[turn], worker: workers[turn])
        }
        sockets.withLockedValue { $0 += found }
        return found[0].address.port
    }

    private func accept(
        from socket: ListeningSocket, _ listener: ListenerAddress, on reactor: ReactorHandle,
        worker: ReactorBound<Worker>
    ) async throws(ServerError) {
        let result = await reactor.submit { reactor -> Result<ReactorBound<Acceptor>, ReactorError> in
            Result { () throws(ReactorError) in
                let acceptor = try Acceptor(reactor, on: socket) { descriptor, peer in
                    guard let worker = worker.value(on: reactor) else { return }
                    worker.accepted(descriptor, from: peer, at: listener)
                }
                return ReactorBound(acceptor, on: reactor)
            }
        }
        switch result {
        case .success(let acceptor): listening.withLockedValue { $0.append(acceptor) }
        case .failure(let error): throw .cannotListen(listener, reason: "\(error)")
        }
    }

    /// The sockets it listens on, for the process that is to take over.
    package var listeningSockets: [ListeningSocket] { sockets.withLockedValue { $0 } }

    /// Makes a configuration the one in force for every request that is decided from now on.
    package func publish(_ publication: Publication) {
        feed.publish(publication)
    }

    /// Whether new requests are welcome.
    package var isReady: Bool { !draining.load(ordering: .relaxed) }

    /// Takes no new connections, ends idle ones after a moment, and waits until the rest have ended or the time is over.
    ///
    /// `timeout` in nanoseconds. Returns false where it passed; see `abandon`.
    package func drain(timeout: Int64) async -> Bool {
        draining.store(true, ordering: .relaxed)
        let acceptors = listening.withLockedValue { acceptors in
            let all = acceptors
            acceptors = []
            return all
        }
        for reactor in reactors {
            await reactor.submit { reactor in
                for acceptor in acceptors { acceptor.value(on: reactor)?.close() }
            }
        }
        sockets.withLockedValue { $0 = [] }
        let workers = self.workers.withLockedValue { $0 }
        let reactors = self.reactors
        return await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                await withDiscardingTaskGroup { drains in
                    for (reactor, worker) in zip(reactors, workers) {
                        drains.addTask { await Self.drained(worker, on: reactor, within: timeout) }
                    }
                }
                return true
            }
            group.addTask {
                try? await Task.sleep(nanoseconds: UInt64(max(0, timeout)))
                return false
            }
            let first = await group.next() ?? false
            if !first {
                // The other task ends only with the connections: cut these.
                abandon()
            }
            group.cancelAll()
            return first
        }
    }

    /// Cuts what is under way, on record, as when the time of `drain` has passed; that one, if it waits, returns true. Any
    /// thread, at any time.
    package func abandon() {
        for (reactor, worker) in zip(reactors, workers.withLockedValue { $0 }) {
            reactor.execute { worker.value(on: $0)?.stop() }
        }
    }

    private static func drained(
        _ worker: ReactorBound<Worker>, on reactor: ReactorHandle, within timeout: Int64
    ) async {
        await withCheckedContinuation { continuation in
            reactor.execute { reactor in
                guard let worker = worker.value(on: reactor) else { return continuation.resume() }
                worker.drain(within: timeout) { continuation.resume() }
            }
        }
    }

    /// Ends everything. The audit writer is stopped afterwards by its owner.
    package func stop() async {
        for (reactor, worker) in zip(reactors, workers.withLockedValue { $0 }) {
            await reactor.submit { worker.value(on: $0)?.stop() }
            reactor.join()
        }
        try? await shared.verifiers.shutdownGracefully()
        try? await shared.hashers.shutdownGracefully()
    }
}
