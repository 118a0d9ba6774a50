package import Identity
import NIOConcurrencyHelpers
import Synchronization

/// A count that one event loop adds to and the admin listener reads.
package final class Counter: Sendable {
    private let storage = Atomic<UInt64>(0)

    package init() {}

    /// Adds `amount`. Only the owning loop may call it, hence load and store instead of a locked addition. Relaxed:
    /// nothing else is published through a count.
    package func add(_ amount: UInt64 = 1) {
        storage.store(storage.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    }

    /// The count so far, from any thread.
    package var value: UInt64 { storage.load(ordering: .relaxed) }
}

/// A number that one event loop sets and the admin listener reads.
package final class Gauge: Sendable {
    private let storage = Atomic<Int64>(0)

    package init() {}

    /// Relaxed: nothing else is published through it.
    package var value: Int64 {
        get { storage.load(ordering: .relaxed) }
        set { storage.store(newValue, ordering: .relaxed) }
    }
}

/// What happened to the requests of one route on one event loop.
package final class RouteMetrics: Sendable {
    /// Upper bounds of the duration histogram in microseconds; the last bucket has none.
    package static let bounds: [Int64] = [
        250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 10_000_000,
    ]

    /// Indexed by `Outcome.rawValue`.
    package let outcomes = Outcome.allCases.map { _ in Counter() }
    /// Answers by first digit of the status, 1 to 5 at index 0 to 4.
    package let statuses = (1...5).map { _ in Counter() }
    /// One more than `bounds`.
    package let durations = (0...RouteMetrics.bounds.count).map { _ in Counter() }
    package let durationSum = Counter()
    /// Requests that went to the canary's upstream.
    package let canary = Counter()
    /// Requests that were mirrored, and those that should have been but found no room or carried a body.
    package let mirrored = Counter()
    package let unmirrored = Counter()

    package init() {}

    /// Counts one finished request. `micros` is its duration.
    package func record(_ outcome: Outcome, status: Int, micros: Int64) {
        let index = Int(outcome.rawValue)
        if index < outcomes.count { outcomes[index].add() }
        let family = status / 100 - 1
        if family >= 0, family < statuses.count { statuses[family].add() }
        var bucket = 0
        while bucket < Self.bounds.count, micros > Self.bounds[bucket] { bucket += 1 }
        durations[bucket].add()
        durationSum.add(UInt64(max(0, micros)))
    }
}

/// How the TLS handshake of a client ended.
package enum HandshakeResult: Int, Sendable, CaseIterable {
    /// A session was made, with all that takes.
    case full
    /// An earlier session was gone on with.
    case resumed
    /// The peers did not come to terms, or the client left.
    case failed
    /// It was not complete in time.
    case timedOut

    /// The label of the metric.
    package var label: StaticString {
        switch self {
        case .full: "full"
        case .resumed: "resumed"
        case .failed: "failed"
        case .timedOut: "timed-out"
        }
    }
}

/// The counters of one event loop, by route name so that they outlive a reload.
package final class LoopMetrics: Sendable {
    package let connections = Counter()
    package let closedConnections = Counter()
    package let verifications = Counter()
    package let auditRefusals = Counter()
    /// Connections of trusted peers that did not begin with a header of the PROXY protocol.
    package let badProxyHeaders = Counter()
    /// Connections closed at once because their address had all its places.
    package let crowdedOut = Counter()
    /// Connections of HTTP/2 that ended because the client did not keep to the protocol.
    package let brokenHTTP2 = Counter()
    /// Those that cost too much for what they brought.
    package let floodedHTTP2 = Counter()
    /// Those that did not go on in time: took nothing of their answers, or did not end a header block.
    package let stalledHTTP2 = Counter()
    /// Requests of HTTP/2 that were reset unread: beyond `limits.maximumStreams`, or after GOAWAY.
    package let refusedStreams = Counter()
    /// Indexed by `HandshakeResult.rawValue`.
    package let handshakes = HandshakeResult.allCases.map { _ in Counter() }
    package let streams = StreamMetrics()
    /// The loop takes this lock when it adopts a snapshot, the admin listener when it is scraped; no request does.
    private let routes = NIOLockedValueBox<[String: RouteMetrics]>([:])
    private let upstreams = NIOLockedValueBox<[String: UpstreamMetrics]>([:])

    package init() {}

    /// The counters of the route, made when first asked for. Takes a lock: not for the path of a request.
    package func route(_ name: String) -> RouteMetrics {
        routes.withLockedValue { routes in
            if let known = routes[name] { return known }
            let made = RouteMetrics()
            routes[name] = made
            return made
        }
    }

    /// The counters of the upstream, as with `route`.
    package func upstream(_ name: String) -> UpstreamMetrics {
        upstreams.withLockedValue { upstreams in
            if let known = upstreams[name] { return known }
            let made = UpstreamMetrics()
            upstreams[name] = made
            return made
        }
    }

    /// All upstreams seen so far.
    package var allUpstreams: [String: UpstreamMetrics] { upstreams.withLockedValue { $0 } }

    /// All routes seen so far.
    package var allRoutes: [String: RouteMetrics] { routes.withLockedValue { $0 } }
}
