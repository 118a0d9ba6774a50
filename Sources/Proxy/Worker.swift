import Audit
import Authentication
import Gate
import Glibc
import Identity
import Logging
import NIOPosix
import RateLimit
import Reactor
import TLS
import Upstream
import Wire

/// Everything one event loop owns: its gatekeeper, its pools, its audit ring, its connections and their deadlines.
///
/// Every member is touched on the loop only, so nothing in here is locked.
final class Worker {
    /// What all workers of a gateway share.
    struct Shared: Sendable {
        let feed: SnapshotFeed
        let gate: Gatekeeper.Shared
        let verifiers: NIOThreadPool
        /// Password hashes have threads of their own: guessing at secrets does not hold up tokens.
        let hashers: NIOThreadPool
        let logger: Logger
        let resolver: NameResolver
        let tickets: TLSTicketKeys?
        let places = AddressPlaces()
    }

    /// Signatures of one loop that may wait for a thread.
    static let maximumProofs = 4096
    /// Password hashes of one loop that may wait for a thread.
    static let maximumHashes = 64

    let reactor: Reactor
    let shared: Shared
    let metrics: LoopMetrics
    let ring: AuditRing?
    let gatekeeper: Gatekeeper
    var ids: DecisionIDGenerator
    private(set) var plans: [RoutePlan] = []
    /// For requests that found no route.
    let unrouted: RoutePlan
    private(set) var rules = ConnectionRules()
    /// How many configurations there have been: what was made for one is not for the next.
    private(set) var configuration = 0
    var answerLines: AnswerLines
    private(set) var inFlight = 0
    /// Those of them that are tunnels or event streams: they are bounded by the connections.
    private var streaming = 0
    private(set) var isDraining = false
    /// While draining: how long an idle connection is left open for a request that may be on its way to it.
    private(set) var lastCall: Int64 = 0

    private(set) var targets: [String: UpstreamTarget] = [:]
    var wheel: DeadlineWheel
    /// What is due and has not had its turn yet, the latest first.
    var due: [any Deadlined] = []
    private(set) var connections: [ObjectIdentifier: any ClientConnection] = [:]
    private var handshakes: [ObjectIdentifier: ClientHandshake] = [:]
    private var greetings: [ObjectIdentifier: ProxyGreeting] = [:]
    /// The TLS of each listener by its name.
    private(set) var doors: [String: TLSServerContext] = [:]
    var mirrored: [ObjectIdentifier: MirroredRequest] = [:]
    /// Handlers that no connection needs now, some 6 KB each with their buffers, or 10.
    var handlers = FreeList<ClientHandler>(fewest: 64)
    /// Proofs that wait for a thread or run on one.
    var proofs = 0
    var hashes = 0
    /// Those of them that the present round has brought.
    var gathered: [GatheredProof] = []
    private var spanID: UInt64
    /// Labels of policy entries by engine and entry, as far as requests have met them.
    private var entryTexts: [[AuditText]] = []
    var lastLook: Int64 = 0
    /// Streams that are still to be reviewed under the generation beside it.
    var unreviewed: [ClientHandler] = []
    var reviewedGeneration: UInt64
    var lastSweep: Int64
    /// Whether this is the loop that does what one must do for all.
    let isFirst: Bool
    private var whenEmpty: [@Sendable () -> Void] = []
    private(set) var isStopped = false

    init(reactor: Reactor, shared: Shared, ring: AuditRing?, metrics: LoopMetrics, isFirst: Bool) {
        var random = SystemRandomNumberGenerator()
        let (publication, generation) = shared.feed.latest()
        self.reactor = reactor
        self.shared = shared
        self.ring = ring
        self.metrics = metrics
        self.gatekeeper = Gatekeeper(snapshot: publication.snapshot, generation: generation, shared: shared.gate)
        self.ids = DecisionIDGenerator(random: &random)
        self.spanID = random.next()
        self.reviewedGeneration = generation
        self.unrouted = RoutePlan(unrouted: metrics.route(""))
        self.answerLines = AnswerLines(publication.snapshot.limits, unixNanoseconds: reactor.unixNow)
        self.lastSweep = reactor.now
        self.isFirst = isFirst
        self.wheel = DeadlineWheel(now: reactor.now)
        adopt(publication, generation)
    }

    /// The time of the present batch of events.
    func now() -> Now { Now(monotonic: reactor.now, unixNanoseconds: reactor.unixNow) }

    /// The id of a span towards an upstream: unique within the trace is all it must be. Also any 64 bits where chance is
    /// asked for, once mixed.
    func nextSpanID() -> UInt64 {
        spanID &+= 0x9e37_79b9_7f4a_7c15
        return spanID
    }

    // MARK: Configuration

    /// Reads one number; only when it changed is there anything to do.
    func adoptLatest() {
        guard shared.feed.generation != gatekeeper.generation else { return }
        let (publication, generation) = shared.feed.latest()
        adopt(publication, generation)
    }

    private func adopt(_ publication: Publication, _ generation: UInt64) {
        let isSame = !plans.isEmpty && publication.snapshot === gatekeeper.snapshot
        gatekeeper.snapshot = publication.snapshot
        gatekeeper.generation = generation
        guard !isSame else { return }
        rules = publication.snapshot.connection
        answerLines = AnswerLines(publication.snapshot.limits, unixNanoseconds: reactor.unixNow)
        configuration += 1
        handlers.removeAll()
        entryTexts = []
        for listener in publication.listeners { doors[listener.name] = listener.context }
        var adopted: [String: UpstreamTarget] = [:]
        var left = targets
        for settings in publication.upstreams {
            let board = publication.boards[settings.name] ?? HealthBoard()
            // The same settings mean the same servers: their connections stay, and what is known of their health.
            if let target = left[settings.name], target.pool.settings == settings {
                left[settings.name] = nil
                target.pool.adopt(board)
                adopted[settings.name] = target
            } else {
                adopted[settings.name] = target(settings, board)
            }
        }
        // What a new pool says of an endpoint comes after the last word of the old one.
        for target in left.values { target.pool.close() }
        targets = adopted
        plans = publication.snapshot.routes.enumerated().map { index, route in
            RoutePlan(
                route: route, index: index, configuration: configuration, targets: adopted,
                metrics: metrics.route(route.name))
        }
    }

    private func target(_ settings: UpstreamSettings, _ board: HealthBoard) -> UpstreamTarget {
        let metrics = self.metrics.upstream(settings.name)
        let pool = Pool(
            settings: settings, reactor: reactor, resolver: shared.resolver, board: board, runsChecks: isFirst,
            seed: nextSpanID(), observer: PoolMetrics(settings, metrics, logger: shared.logger))
        return UpstreamTarget(pool: pool, metrics: metrics)
    }

    // MARK: Connections

    /// Takes a connected descriptor over, or closes it when there are enough. A handshake goes by the newest settings.
    func accepted(_ descriptor: Int32, from peer: StreamAddress, at listener: ListenerAddress) {
        guard takesConnections else {
            close(descriptor)
            return
        }
        let address = PeerAddress(text: Array(peer.host.utf8)) ?? .unknown
        adoptLatest()
        guard listener.proxyPeers.contains(where: { $0.contains(address) }) else {
            return take(descriptor, from: address, at: listener)
        }
        ProxyGreeting(worker: self, balancer: address).begin(descriptor) { [self] descriptor, client in
            take(descriptor, from: client, at: listener)
        }
    }

    private func take(_ descriptor: Int32, from address: PeerAddress, at listener: ListenerAddress) {
        var place: AddressPlaces.Place?
        if rules.maximumConnectionsPerAddress > 0 {
            place = shared.places.take(for: address, of: rules.maximumConnectionsPerAddress)
            guard place != nil else {
                metrics.crowdedOut.add()
                close(descriptor)
                return
            }
        }
        if let context = doors[listener.name] {
            let handshake = ClientHandshake(worker: self, address: address, listener: listener.name, place: place)
            handshake.begin(descriptor, context)
        } else {
            let peer = Peer(address: address, listener: listener.name, place: place)
            HTTP1Connection(worker: self, peer: peer, speaksHTTP2: listener.speaksHTTP2).open(descriptor)
        }
    }

    func began(_ greeting: ProxyGreeting) {
        greetings[ObjectIdentifier(greeting)] = greeting
        wheel.note(greeting)
    }

    func ended(_ greeting: ProxyGreeting, isBad: Bool) {
        greetings[ObjectIdentifier(greeting)] = nil
        if isBad { metrics.badProxyHeaders.add() }
        tellWhenEmpty()
    }

    func began(_ handshake: ClientHandshake) {
        handshakes[ObjectIdentifier(handshake)] = handshake
        wheel.note(handshake)
    }

    func ended(_ handshake: ClientHandshake, _ result: HandshakeResult) {
        handshakes[ObjectIdentifier(handshake)] = nil
        metrics.handshakes[result.rawValue].add()
        tellWhenEmpty()
    }

    func opened(_ connection: any ClientConnection) {
        metrics.connections.add()
        connections[ObjectIdentifier(connection)] = connection
        if isDraining { connection.drain() }
    }

    func closed(_ connection: any ClientConnection) {
        metrics.closedConnections.add()
        connections[ObjectIdentifier(connection)] = nil
        tellWhenEmpty()
    }

    /// The same connection is somebody else's from now on.
    func replaced(_ old: any ClientConnection, by new: any ClientConnection) {
        connections[ObjectIdentifier(old)] = nil
        connections[ObjectIdentifier(new)] = new
        if isDraining { new.drain() }
    }

    /// Whether another connection may be taken: an even share of the bound for each loop.
    private var takesConnections: Bool {
        !isDraining && connections.count + handshakes.count + greetings.count < rules.maximumConnections
    }

    /// Ends idle connections within a second, or half of `timeout` nanoseconds where that is less, and the others after
    /// their present request; calls back when none is left.
    func drain(within timeout: Int64, _ whenDone: @escaping @Sendable () -> Void) {
        isDraining = true
        guard !isStopped else { return whenDone() }
        lastCall = min(1_000_000_000, timeout / 2)
        whenEmpty.append(whenDone)
        for handler in connections.values { handler.drain() }
        tellWhenEmpty()
    }

    /// After the present event, because what ends may be a handshake whose connection begins.
    private func tellWhenEmpty() {
        guard isDraining, !whenEmpty.isEmpty else { return }
        reactor.afterEvent { [self] in
            guard connections.isEmpty, handshakes.isEmpty, greetings.isEmpty else { return }
            let told = whenEmpty
            whenEmpty = []
            for body in told { body() }
        }
    }

    /// Ends what is left, and everything that belongs to the loop. Who waits for the loop to be empty waits no longer: a
    /// connection that a peer keeps open is looked after by nobody now.
    func stop() {
        isStopped = true
        isDraining = true
        for handshake in handshakes.values { handshake.close() }
        for greeting in Array(greetings.values) { greeting.close() }
        for handler in connections.values { handler.abandon() }
        for copy in Array(mirrored.values) { copy.abandon(now: now().monotonic) }
        for target in targets.values { target.pool.close() }
        targets = [:]
        plans = []
        due = []
        gathered = []
        handlers.removeAll()
        let told = whenEmpty
        whenEmpty = []
        for body in told { body() }
    }

    // MARK: Requests

    func exchangeBegan() { inFlight += 1 }

    func exchangeEnded() { inFlight -= 1 }

    func streamOpened() { streaming += 1 }

    func streamClosed() {
        streaming -= 1
        exchangeEnded()
    }

    /// Whether there are more requests under way, the newest included, than the configuration allows.
    var isCrowded: Bool { inFlight - streaming > rules.maximumRequests }

    // MARK: Audit

    /// Whether a record of one more request will surely find room, where the configuration asks for that.
    var mayRecord: Bool { ring?.mayAdmit(inFlight: inFlight) ?? true }

    /// Whether the record of a request that was not let in leaves what is kept for those that were.
    var mayRecordRefusal: Bool { ring?.mayAdmit(inFlight: inFlight - 1) ?? true }

    /// The label of a policy entry as it stands in records; made once per snapshot.
    func entryText(_ entry: PolicyEntry) -> AuditText {
        let (engine, index) = (entry.engine, Int(entry.entry))
        if engine < entryTexts.count, index < entryTexts[engine].count, !entryTexts[engine][index].isEmpty {
            return entryTexts[engine][index]
        }
        guard let label = gatekeeper.snapshot.label(of: entry) else { return .none }
        while entryTexts.count <= engine { entryTexts.append([]) }
        while entryTexts[engine].count <= index { entryTexts[engine].append(.none) }
        let text = AuditText(label)
        entryTexts[engine][index] = text
        return text
    }
}
