import Audit
import Gate
import Identity
import Logging
import Upstream
import Wire

/// One upstream as a loop's plans refer to it: its pool, and its names as they stand in records.
final class UpstreamTarget {
    let pool: Pool
    let metrics: UpstreamMetrics
    let auditName: AuditText
    /// By endpoint, and what stands there while none has the request.
    private let names: [UpstreamFragment]
    private let nowhere: UpstreamFragment

    init(pool: Pool, metrics: UpstreamMetrics) {
        self.pool = pool
        self.metrics = metrics
        let name = AuditText(pool.settings.name)
        self.auditName = name
        self.names = pool.settings.endpoints.map {
            UpstreamFragment(endpoint: AuditText(utf8: $0.authority), pool: name)
        }
        self.nowhere = UpstreamFragment(endpoint: .none, pool: name)
    }

    func names(_ endpoint: Int?) -> UpstreamFragment {
        guard let endpoint, endpoint < names.count else { return nowhere }
        return names[endpoint]
    }
}

/// What a connection needs of its route besides the snapshot's own.
final class RoutePlan {
    /// How long the upstream may take, in nanoseconds.
    struct Timeouts {
        let connect: Int64
        let firstByte: Int64
        let idle: Int64
        /// `nil` is for ever.
        let total: Int64?

        /// The route's own, else those of the upstream.
        init(_ route: RouteTimeouts, _ upstream: UpstreamSettings) {
            connect = route.connect ?? upstream.connectTimeout
            firstByte = route.firstByte ?? upstream.responseTimeout
            idle = route.idle ?? upstream.responseTimeout
            total = route.total
        }
    }

    /// Where a client's requests go.
    struct Destination {
        let target: UpstreamTarget
        let timeouts: Timeouts
    }

    let route: Route
    /// Its place among the worker's, and the configuration that it belongs to.
    let index: Int
    let configuration: Int
    let auditName: AuditText
    let metrics: RouteMetrics
    let mirror: UpstreamTarget?
    private let mirrorPercent: Int
    let primary: Destination?
    let canary: Destination?
    private let canaryPercent: Int

    /// Makes the canary's choice another than that of the endpoint, which goes by the same hash.
    private static let canarySalt: UInt64 = 0x6361_6e61_7279_2e2e

    /// Of a request that finds no route.
    convenience init(unrouted metrics: RouteMetrics) {
        let route = Route(name: "", upstream: "", accepts: .all)
        self.init(route: route, index: -1, configuration: -1, targets: [:], metrics: metrics)
    }

    init(
        route: Route, index: Int, configuration: Int, targets: [String: UpstreamTarget], metrics: RouteMetrics
    ) {
        let destination = { (target: UpstreamTarget) in
            Destination(target: target, timeouts: Timeouts(route.timeouts, target.pool.settings))
        }
        self.route = route
        self.index = index
        self.configuration = configuration
        self.auditName = AuditText(route.name)
        self.metrics = metrics
        self.primary = targets[route.upstream].map(destination)
        self.canary = route.canary.flatMap { targets[$0.upstream] }.map(destination)
        self.canaryPercent = route.canary?.percent ?? 0
        self.mirror = route.mirror.flatMap { targets[$0.upstream] }
        self.mirrorPercent = route.mirror?.percent ?? 0
    }

    /// Whether a client's requests go to the canary: always the same while the percentage is the same, and a client who is in
    /// a share is in every greater one.
    func isCanary(_ affinity: UInt64) -> Bool {
        canary != nil && Self.isIn(canaryPercent, StableHash.mix(affinity ^ Self.canarySalt))
    }

    /// Whether the mirror gets a request; `random` is any 64 bits.
    func mirrors(_ random: UInt64) -> Bool {
        Self.isIn(mirrorPercent, StableHash.mix(random))
    }

    private static func isIn(_ percent: Int, _ number: UInt64) -> Bool {
        number % 100 < UInt64(clamping: percent)
    }
}

/// Counts what a pool tells of itself.
final class PoolMetrics: PoolObserver {
    private let upstream: String
    private let authorities: [String]
    private let metrics: UpstreamMetrics
    private let endpoints: [EndpointMetrics]
    private let logger: Logger

    init(_ settings: UpstreamSettings, _ metrics: UpstreamMetrics, logger: Logger) {
        self.upstream = settings.name
        self.authorities = settings.endpoints.map { String(decoding: $0.authority, as: UTF8.self) }
        self.metrics = metrics
        self.endpoints = authorities.map { metrics.endpoint($0) }
        self.logger = logger
    }

    func observe(_ event: PoolEvent) {
        switch event {
        case .sent(let endpoint): endpoints[endpoint].requests.add()
        case .failed(let endpoint): endpoints[endpoint].failures.add()
        case .connectFailed(let endpoint): endpoints[endpoint].connectFailures.add()
        case .ejected(let endpoint):
            endpoints[endpoint].ejections.add()
            endpoints[endpoint].inRotation.value = 0
            logger.warning("Too many requests in a row failed: endpoint ejected.", metadata: name(endpoint))
        case .readmitted(let endpoint):
            endpoints[endpoint].inRotation.value = 1
            logger.notice("A request succeeded: endpoint is back.", metadata: name(endpoint))
        case .checked(let endpoint, true):
            logger.notice("Health checks succeed: endpoint is back.", metadata: name(endpoint))
        case .checked(let endpoint, false):
            logger.warning("Health checks fail: endpoint is out.", metadata: name(endpoint))
        case .rotation(let endpoint, let isIn): endpoints[endpoint].inRotation.value = isIn ? 1 : 0
        case .overflowed: metrics.overflows.add()
        }
    }

    private func name(_ endpoint: Int) -> Logger.Metadata {
        ["upstream": "\(upstream)", "endpoint": "\(authorities[endpoint])"]
    }
}
