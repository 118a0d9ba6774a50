import Audit
import Authentication
import Control
import Gate
import Logging
import Proxy
import RateLimit
import Reactor
import Settings
import NIOConcurrencyHelpers
import TLS

/// The rooms, connected and running. One caller at a time starts, reloads and stops it.
final class RunningGateway: Sendable {
    private struct State {
        var plan: Plan
        var sources: [(issuer: String, source: KeySource)]
        var reloads = (succeeded: 0, failed: 0)
        var configuredAt: Int64
    }

    private let file: String
    private let log: Logger
    private let server: GatewayServer
    private let audit: AuditWriter?
    private let registry: KeyRegistry
    private let keyClient: KeyClient
    private let tickets: TLSTicketKeys
    private let admin = NIOLockedValueBox<AdminServer?>(nil)
    private let adminSocket = NIOLockedValueBox<ListeningSocket?>(nil)
    private let state: NIOLockedValueBox<State>
    /// What the process began with: of that, some things stay until it ends.
    private let started: GatewaySettings

    /// The configuration in force.
    var plan: Plan { state.withLockedValue { $0.plan } }

    private init(
        _ plan: Plan, file: String, log: Logger, server: GatewayServer, audit: AuditWriter?, registry: KeyRegistry,
        keyClient: KeyClient, tickets: TLSTicketKeys, sources: [(issuer: String, source: KeySource)]
    ) {
        self.file = file
        self.log = log
        self.server = server
        self.audit = audit
        self.registry = registry
        self.keyClient = keyClient
        self.tickets = tickets
        started = plan.settings
        state = NIOLockedValueBox(State(plan: plan, sources: sources, configuredAt: SystemClock.now().unix))
    }

    /// Opens the audit trail, then the listeners, then the admin listener; with the sockets of `inheritance` where they are
    /// at the places of the configuration.
    static func start(_ plan: Plan, file: String, inheritance: Inheritance) async throws -> RunningGateway {
        let settings = plan.settings
        let log = logger(settings.logging)
        for warning in plan.warnings { log.warning("\(warning)") }

        let workers = settings.workers > 0 ? settings.workers : AvailableCores.count
        // The trail first: where it is another gateway's, nothing else has begun that would have to be ended.
        var trail = settings.audit.trail
        // The process before goes on to write for as long as it has requests.
        trail.isSuccessor = inheritance.isSuccessor
        let audit = settings.audit.enabled ? try writer(trail, loops: workers, log: log) : nil
        // The server exists only after the first snapshot; keys can be withdrawn only after that.
        let feed = NIOLockedValueBox<SnapshotFeed?>(nil)
        let client = KeyClient()
        let registry = KeyRegistry(
            fetch: KeyFetch { url throws(KeyFetchError) in try await client.get(url) }, log: log,
            onRemoval: { feed.withLockedValue { $0 }?.invalidate() })
        var sources: [(issuer: String, source: KeySource)] = []
        let tickets: TLSTicketKeys
        let server: GatewayServer
        do {
            tickets = try TLSTicketKeys(now: SystemClock.now().monotonic)
            let publication = try plan.publication(tickets: tickets) { request in
                let source = registry.source(for: request)
                sources.append((request.issuer, source))
                return source
            }
            let listeners = settings.listeners.map {
                ListenerAddress(
                    name: $0.name, host: $0.address.host, port: $0.address.port, speaksHTTP2: $0.http2,
                    proxyPeers: $0.proxyPeers)
            }
            server = try GatewayServer(
                publication,
                options: GatewayServer.Options(
                    listeners: listeners, workers: workers, maximumClients: settings.rateLimit.maximumClients,
                    verifierThreads: AvailableCores.count),
                audit: audit, tickets: tickets, logger: log)
        } catch {
            await client.shutdown()
            throw error
        }
        feed.withLockedValue { $0 = server.feed }
        let gateway = RunningGateway(
            plan, file: file, log: log, server: server, audit: audit, registry: registry, keyClient: client,
            tickets: tickets, sources: sources)
        do {
            try await gateway.listen(inheriting: inheritance)
        } catch {
            await gateway.end()
            throw error
        }
        return gateway
    }

    private func listen(inheriting inheritance: Inheritance) async throws {
        let settings = plan.settings
        let ports = try await server.start(inheriting: inheritance.sockets)
        for (listener, port) in zip(settings.listeners, ports) {
            log.notice(
                "Listening.",
                metadata: [
                    "listener": "\(listener.name)",
                    "address": "\(HostAndPort(host: listener.address.host, port: port))",
                ])
        }
        if settings.admin.enabled { try await listen(at: settings.admin.address, inheriting: inheritance.sockets) }
        let own = listeningSockets
        let unused = inheritance.sockets.filter { socket in !own.contains { $0 === socket } }
            .map { "\(HostAndPort(host: $0.address.host, port: $0.address.port))" }
        let others = unused + inheritance.strangers.map { "descriptor \($0)" }
        guard !others.isEmpty else { return }
        log.warning(
            "Sockets that the process was started with are at no listener's address.",
            metadata: ["sockets": "\(others.joined(separator: " "))"])
    }

    /// All of this process's.
    private var listeningSockets: [ListeningSocket] {
        server.listeningSockets + [adminSocket.withLockedValue { $0 }].compactMap { $0 }
    }

    private func listen(at address: HostAndPort, inheriting inherited: [ListeningSocket]) async throws {
        let name = ListenerAddress(name: "admin", host: address.host, port: address.port)
        guard let place = StreamAddress(resolving: address.host, port: address.port) else {
            throw ServerError.cannotListen(name, reason: "the host has no address")
        }
        var socket = inherited.first { $0.isAt(place) }
        do throws(ReactorError) {
            // Not shared: a second gateway at the same place is a mistake, and is noticed here.
            if socket == nil { socket = try ListeningSocket(at: place, shares: false) }
        } catch {
            throw ServerError.cannotListen(name, reason: "\(error)")
        }
        guard let socket else { return }
        let routes = AdminRoutes(
            readiness: { [server, audit] in Self.readiness(server, audit) },
            metrics: { [weak self] in self?.report() ?? MetricsReport() })
        let started = try await AdminServer.start(listeningOn: socket.descriptor, routes: routes)
        admin.withLockedValue { $0 = started }
        adminSocket.withLockedValue { $0 = socket }
        log.notice(
            "Listening.",
            metadata: [
                "listener": "admin", "address": "\(HostAndPort(host: address.host, port: socket.address.port))",
            ])
    }

    // MARK: Reloading

    /// Reads the configuration again and puts it in force, or reports what is wrong with it and changes nothing.
    func reload() async {
        take("The configuration", tellsWhatWaits: true) { [file] () throws(Plan.Failure) in try Plan.load(file) }
    }

    /// Puts the present tokens in force and leaves everything else as it is.
    func reloadTokens() async {
        let plan = plan
        take("The tokens file") { [file] () throws(Plan.Failure) in
            try plan.rereading([plan.settings.tokens.file], of: file)
        }
    }

    /// Puts the present certificates in force for handshakes to come, and leaves everything else as it is.
    func reloadCertificates() async {
        let plan = plan
        take("The set of certificates") { [file] () throws(Plan.Failure) in
            try plan.rereading(plan.certificateFiles, of: file)
        }
    }

    private func take(_ subject: String, tellsWhatWaits: Bool = false, _ load: () throws(Plan.Failure) -> Plan) {
        let old = plan
        do throws(Plan.Failure) {
            let new = try load()
            var sources: [(issuer: String, source: KeySource)] = []
            let publication = try new.publication(tickets: tickets) { request in
                let source = registry.source(for: request)
                sources.append((request.issuer, source))
                return source
            }
            server.publish(publication)
            registry.keep(Set(new.keyRequests.map(\.request)))
            state.withLockedValue { state in
                state.plan = new
                state.sources = sources
                state.reloads.succeeded += 1
                state.configuredAt = SystemClock.now().unix
            }
            for warning in new.warnings where !old.warnings.contains(warning) { log.warning("\(warning)") }
            for name in tellsWhatWaits ? Self.fixed(started, new.settings) : [] {
                log.warning("A change takes effect only after a restart.", metadata: ["member": "\(name)"])
            }
            log.notice("\(subject) is in force.")
        } catch {
            registry.keep(Set(old.keyRequests.map(\.request)))
            state.withLockedValue { $0.reloads.failed += 1 }
            for line in error.lines { log.error("\(line)") }
            log.error("\(subject) has errors; what was in force stays.", metadata: ["errors": "\(error.errors)"])
        }
    }

    /// The members that differ and cannot be changed while running.
    private static func fixed(_ old: GatewaySettings, _ new: GatewaySettings) -> [String] {
        var names: [String] = []
        if !old.listeners.elementsEqual(new.listeners, by: { $0.isSamePlace(as: $1) }) { names.append("listeners") }
        if old.admin.enabled != new.admin.enabled || old.admin.address != new.admin.address { names.append("admin") }
        if old.workers != new.workers { names.append("workers") }
        if old.rateLimit.maximumClients != new.rateLimit.maximumClients { names.append("rateLimit.maximumClients") }
        if old.audit.enabled != new.audit.enabled || old.audit.trail != new.audit.trail { names.append("audit") }
        if old.logging.level != new.logging.level || old.logging.format != new.logging.format {
            names.append("logging")
        }
        return names
    }

    // MARK: Replacing

    /// Starts the process that is to take over, with the sockets of this one. Until it is ready nothing changes. Nil, and said
    /// why, where it cannot be started.
    func startSuccessor() -> Successor? {
        do throws(Successor.Failure) {
            let successor = try Successor(listeningSockets)
            log.notice("Another process is to take over.", metadata: ["pid": "\(successor.pid)"])
            return successor
        } catch {
            log.error("No other process can take over: \(error)")
            return nil
        }
    }

    /// The process that was to take over is not there any more; this one goes on.
    func lostSuccessor(_ end: String) {
        log.error("The process that was to take over has ended; this one goes on.", metadata: ["end": "\(end)"])
    }

    /// Another one was asked for before that.
    func declineSuccessor() {
        log.warning("Another process is to take over already, or this one is stopping: none is started.")
    }

    /// The process before has ended.
    func lostPredecessor() {
        log.notice("The process before has ended.")
    }

    // MARK: Stopping

    /// Finishes what is under way, within the configured time, and ends everything. Questions of operators are the
    /// `successor`'s from the beginning, where there is one.
    func stop(successor: Successor?) async {
        log.notice("Draining.")
        if let successor {
            ServiceManager.isReplaced(by: successor.pid)
            await stopAdmin()
        }
        if await !server.drain(timeout: plan.settings.limits.drainTimeout.wholeNanoseconds) {
            log.warning("Requests were cut: they took longer than limits.drainTimeout.")
        }
        await end()
        log.notice("Stopped.")
    }

    /// Cuts what is under way, on record, so that the `stop` that is running comes to its end.
    func abandon() {
        log.warning("Requests under way are cut: this is the second signal to stop.")
        audit?.hasten()
        server.abandon()
    }

    private func end() async {
        registry.keep([])
        await server.stop()
        if let audit, case let lost = await Self.stop(audit), lost > 0 {
            log.error("Audit records could not be written.", metadata: ["lost": "\(lost)"])
        }
        await stopAdmin()
        await keyClient.shutdown()
    }

    private func stopAdmin() async {
        let running = admin.withLockedValue { admin in
            defer { admin = nil }
            return admin
        }
        await running?.stop()
        adminSocket.withLockedValue { $0 = nil }
    }

    // MARK: Telling

    private func report() -> MetricsReport {
        let (sources, reloads, configuredAt) = state.withLockedValue { ($0.sources, $0.reloads, $0.configuredAt) }
        return GatewayReport(
            loops: server.metrics,
            audit: audit.map {
                let statistics = $0.statistics
                return GatewayReport.Trail(
                    records: statistics.records, bytes: statistics.bytes, lost: statistics.lost,
                    isHealthy: $0.isHealthy)
            },
            limitedClients: server.limiter.count, isReady: Self.readiness(server, audit) == .ready, reloads: reloads,
            configuredAt: configuredAt, issuerKeys: sources.map { ($0.issuer, $0.source.current?.count) }
        ).families()
    }

    private static func logger(_ settings: LoggingSettings) -> Logger {
        let format: StandardErrorLog.Format =
            switch settings.format {
            case .text: .text
            case .json: .json
            }
        let level: Logger.Level =
            switch settings.level {
            case .trace: .trace
            case .debug: .debug
            case .info: .info
            case .notice: .notice
            case .warning: .warning
            case .error: .error
            case .critical: .critical
            }
        return Logger(label: "tollgate") { StandardErrorLog(label: $0, format: format, level: level) }
    }
}
