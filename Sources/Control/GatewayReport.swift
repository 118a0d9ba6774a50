package import Gate
import Glibc
import Identity

/// Everything the gateway counts, gathered for one scrape. Sums over event loops; no label comes from a client.
package struct GatewayReport: Sendable {
    /// What the audit writer did so far.
    package struct Trail: Sendable {
        package var records: UInt64
        package var bytes: UInt64
        package var lost: UInt64
        package var isHealthy: Bool

        package init(records: UInt64, bytes: UInt64, lost: UInt64, isHealthy: Bool) {
            self.records = records
            self.bytes = bytes
            self.lost = lost
            self.isHealthy = isHealthy
        }
    }

    /// One per event loop.
    package var loops: [LoopMetrics]
    /// nil when no records are written.
    package var audit: Trail?
    /// Buckets that the limiter remembers.
    package var limitedClients: Int
    /// Whether new requests are welcome.
    package var isReady: Bool
    package var reloads: (succeeded: Int, failed: Int)
    /// Unix seconds of the configuration in force.
    package var configuredAt: Int64
    /// By configured name: usable keys at present, nil when there never were any.
    package var issuerKeys: [(issuer: String, count: Int?)]

    package init(
        loops: [LoopMetrics], audit: Trail?, limitedClients: Int,
        isReady: Bool, reloads: (succeeded: Int, failed: Int), configuredAt: Int64,
        issuerKeys: [(issuer: String, count: Int?)]
    ) {
        self.loops = loops
        self.audit = audit
        self.limitedClients = limitedClients
        self.isReady = isReady
        self.reloads = reloads
        self.configuredAt = configuredAt
        self.issuerKeys = issuerKeys
    }

    /// As metric families.
    package func families() -> MetricsReport {
        MetricsReport(
            requestFamilies() + upstreamFamilies() + connectionFamilies() + streamFamilies() + auditFamilies()
                + operationFamilies())
    }

    private func requestFamilies() -> [MetricFamily] {
        var outcomes: [MetricSample] = []
        var answers: [MetricSample] = []
        var durations: [(labels: [(name: String, value: String)], counts: [Int64], sum: Double)] = []
        for (route, metrics) in routes() {
            let label = (name: "route", value: route)
            for (index, outcome) in Outcome.allCases.enumerated() {
                let count = total(metrics) { $0.outcomes[index] }
                outcomes.append(
                    MetricSample(labels: [label, (name: "outcome", value: "\(outcome.label)")], .integer(count)))
            }
            for family in 1...5 {
                let count = total(metrics) { $0.statuses[family - 1] }
                answers.append(MetricSample(labels: [label, (name: "status", value: "\(family)xx")], .integer(count)))
            }
            let counts = (0...RouteMetrics.bounds.count).map { bucket in total(metrics) { $0.durations[bucket] } }
            durations.append(([label], counts, Double(total(metrics, \.durationSum)) / 1_000_000))
        }
        return [
            MetricFamily(
                "tollgate_requests_total", help: "Requests by route and outcome; route \"-\" is none.", kind: .counter,
                samples: outcomes),
            MetricFamily(
                "tollgate_responses_total", help: "Answers by route and family of the status.", kind: .counter,
                samples: answers),
            .histogram(
                "tollgate_request_duration_seconds", help: "From the head of a request to the end of its answer.",
                bounds: RouteMetrics.bounds.map { Double($0) / 1_000_000 }, series: durations),
        ]
    }

    private func connectionFamilies() -> [MetricFamily] {
        let opened = sum(\.connections)
        return [
            .one("tollgate_connections_total", "Client connections taken.", .counter, opened),
            .one(
                "tollgate_connections", "Client connections open.", .gauge, max(0, opened - sum(\.closedConnections))),
            .one(
                "tollgate_verifications_total", "Credentials that went to a verifier thread: those not seen before.",
                .counter, sum(\.verifications)),
            MetricFamily(
                "tollgate_tls_handshakes_total", help: "TLS handshakes with clients, by result.", kind: .counter,
                samples: HandshakeResult.allCases.map { result in
                    MetricSample(
                        labels: [(name: "result", value: "\(result.label)")],
                        .integer(sum { $0.handshakes[result.rawValue] }))
                }),
            .one(
                "tollgate_crowded_out_connections_total",
                "Connections closed at once because their address had limits.maximumConnectionsPerAddress open.",
                .counter, sum(\.crowdedOut)),
            .one(
                "tollgate_bad_proxy_headers_total",
                "Connections of trusted balancers that did not begin with a header of the PROXY protocol.", .counter,
                sum(\.badProxyHeaders)),
            MetricFamily(
                "tollgate_http2_connection_errors_total",
                help:
                    "HTTP/2 connections ended for what the client did: a flood of frames, against the protocol, or too slow.",
                kind: .counter,
                samples: [
                    ("flood", sum(\.floodedHTTP2)), ("protocol", sum(\.brokenHTTP2)), ("timeout", sum(\.stalledHTTP2)),
                ].map { reason, count in
                    MetricSample(labels: [(name: "reason", value: reason)], .integer(count))
                }),
            .one(
                "tollgate_http2_refused_streams_total",
                "Requests of HTTP/2 refused unread: beyond limits.maximumStreams, or after GOAWAY.", .counter,
                sum(\.refusedStreams)),
            .one("tollgate_limited_clients", "Clients whose bucket is remembered.", .gauge, Int64(limitedClients)),
        ]
    }

    private func streamFamilies() -> [MetricFamily] {
        var open: [MetricSample] = []
        var closed: [MetricSample] = []
        for kind in StreamKind.allCases {
            let label = (name: "kind", value: "\(kind.label)")
            let opened = loops.reduce(0) { $0 &+ Int64(clamping: $1.streams.opened(kind).value) }
            var ended: Int64 = 0
            for end in StreamEnd.allCases {
                let count = loops.reduce(0) { $0 &+ Int64(clamping: $1.streams.closed(kind, end).value) }
                ended &+= count
                closed.append(MetricSample(labels: [label, (name: "reason", value: "\(end.label)")], .integer(count)))
            }
            open.append(MetricSample(labels: [label], .integer(max(0, opened - ended))))
        }
        return [
            MetricFamily("tollgate_streams", help: "Tunnels and event streams open.", kind: .gauge, samples: open),
            MetricFamily(
                "tollgate_streams_closed_total", help: "Tunnels and event streams that ended, by reason.",
                kind: .counter, samples: closed),
        ]
    }

    private func auditFamilies() -> [MetricFamily] {
        guard let audit else { return [] }
        return [
            .one(
                "tollgate_audit_records_total", "Records written.", .counter, Int64(clamping: audit.records)),
            .one(
                "tollgate_audit_bytes_total", "Bytes of records written.", .counter,
                Int64(clamping: audit.bytes)),
            .one(
                "tollgate_audit_lost_records_total", "Records lost for want of room; the trail says so too.", .counter,
                Int64(clamping: audit.lost)),
            .one(
                "tollgate_audit_refusals_total", "Requests refused because they could not be recorded.", .counter,
                sum(\.auditRefusals)),
            .one(
                "tollgate_audit_healthy", "Whether the trail can be written: 1 or 0.", .gauge, audit.isHealthy ? 1 : 0),
        ]
    }

    private func operationFamilies() -> [MetricFamily] {
        var families: [MetricFamily] = [
            .one(
                "tollgate_ready", "Whether new requests are welcome: 1, or 0 while draining or for want of audit room.",
                .gauge, isReady ? 1 : 0),
            MetricFamily(
                "tollgate_reloads_total", help: "Configurations read again, by result.", kind: .counter,
                samples: [
                    MetricSample(labels: [(name: "result", value: "taken")], .integer(Int64(reloads.succeeded))),
                    MetricSample(labels: [(name: "result", value: "refused")], .integer(Int64(reloads.failed))),
                ]),
            .one(
                "tollgate_configuration_timestamp_seconds", "When the configuration in force was taken.", .gauge,
                configuredAt),
            .one("tollgate_workers", "Event loops.", .gauge, Int64(loops.count)),
        ]
        if !issuerKeys.isEmpty {
            families.append(
                MetricFamily(
                    "tollgate_issuer_keys", help: "Usable keys of an issuer; -1 while none was ever had.", kind: .gauge,
                    samples: issuerKeys.map { issuer, count in
                        MetricSample(labels: [(name: "issuer", value: issuer)], .integer(Int64(count ?? -1)))
                    }))
        }
        if let bytes = ProcessMemory.resident() {
            families.append(.one("process_resident_memory_bytes", "Memory in use.", .gauge, bytes))
        }
        return families
    }

    /// The routes of all loops by name, in its order.
    func routes() -> [(name: String, metrics: [RouteMetrics])] {
        var routes: [String: [RouteMetrics]] = [:]
        for loop in loops {
            for (name, metrics) in loop.allRoutes { routes[name.isEmpty ? "-" : name, default: []].append(metrics) }
        }
        return routes.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    func total(_ metrics: [RouteMetrics], _ counter: (RouteMetrics) -> Counter) -> Int64 {
        metrics.reduce(0) { $0 &+ Int64(clamping: counter($1).value) }
    }

    private func sum(_ counter: (LoopMetrics) -> Counter) -> Int64 {
        loops.reduce(0) { $0 &+ Int64(clamping: counter($1).value) }
    }
}

extension MetricFamily {
    fileprivate static func one(_ name: String, _ help: String, _ kind: Kind, _ value: Int64) -> MetricFamily {
        MetricFamily(name, help: help, kind: kind, samples: [MetricSample(.integer(value))])
    }
}

/// What the system says about this process.
enum ProcessMemory {
    /// Bytes of resident memory, nil where the system does not say.
    static func resident() -> Int64? {
        guard let bytes = try? LockedFile(path: "/proc/self/statm").read() else { return nil }
        let pages = bytes.split(separator: UInt8(ascii: " ")).dropFirst().first
        return pages.flatMap { Int64(String(decoding: $0, as: UTF8.self)) }.map { $0 * Int64(getpagesize()) }
    }
}
