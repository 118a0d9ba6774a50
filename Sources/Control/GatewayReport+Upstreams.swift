import Gate

/// What is told of upstreams; every label is a name from the configuration.
extension GatewayReport {
    func upstreamFamilies() -> [MetricFamily] {
        let byEndpoint = endpoints()
        let byUpstream = merged(loops.map(\.allUpstreams))
        guard !byUpstream.isEmpty else { return [] }
        return [
            family(
                "tollgate_upstream_requests_total", "Requests sent to an endpoint, retries and copies included.",
                byEndpoint, \.requests),
            family(
                "tollgate_upstream_failures_total",
                "Requests that an endpoint answered with a server error, too late, or not in HTTP.", byEndpoint,
                \.failures),
            family(
                "tollgate_upstream_connect_failures_total", "Attempts to connect to an endpoint that failed.",
                byEndpoint, \.connectFailures),
            family(
                "tollgate_upstream_ejections_total", "Times that a loop stopped sending an endpoint requests.",
                byEndpoint, \.ejections),
            MetricFamily(
                "tollgate_upstream_in_rotation", help: "Event loops that send requests to an endpoint.", kind: .gauge,
                samples: byEndpoint.map { labels, metrics in
                    MetricSample(labels: labels, .integer(metrics.reduce(0) { $0 + $1.inRotation.value }))
                }),
            family("tollgate_upstream_retries_total", "Requests sent once more.", byUpstream, \.retries),
            family(
                "tollgate_upstream_denied_retries_total",
                "Requests that were not sent once more because the budget of retries was used up.", byUpstream,
                \.deniedRetries),
            family(
                "tollgate_upstream_overflows_total",
                "Requests that found no connection and no room to wait for one.", byUpstream, \.overflows),
        ] + shareFamilies()
    }

    private func shareFamilies() -> [MetricFamily] {
        let byRoute = routes().map { (labels: [(name: "route", value: $0.name)], metrics: $0.metrics) }
        return [
            MetricFamily(
                "tollgate_canary_requests_total", help: "Requests of a route that went to its canary.", kind: .counter,
                samples: byRoute.map { MetricSample(labels: $0.labels, .integer(total($0.metrics) { $0.canary })) }),
            MetricFamily(
                "tollgate_mirrored_requests_total",
                help: "Requests of a route that its mirror was to get, by whether a copy was made to be sent.",
                kind: .counter,
                samples: byRoute.flatMap { labels, metrics in
                    [
                        MetricSample(
                            labels: labels + [(name: "result", value: "copied")],
                            .integer(total(metrics) { $0.mirrored })),
                        MetricSample(
                            labels: labels + [(name: "result", value: "passed over")],
                            .integer(total(metrics) { $0.unmirrored })),
                    ]
                }),
        ]
    }

    private typealias Labelled<Metrics> = [(labels: [(name: String, value: String)], metrics: [Metrics])]

    private func family<Metrics>(
        _ name: String, _ help: String, _ series: Labelled<Metrics>, _ counter: (Metrics) -> Counter
    ) -> MetricFamily {
        MetricFamily(
            name, help: help, kind: .counter,
            samples: series.map { labels, metrics in
                MetricSample(
                    labels: labels, .integer(metrics.reduce(0) { $0 &+ Int64(clamping: counter($1).value) }))
            })
    }

    private func merged(_ maps: [[String: UpstreamMetrics]]) -> Labelled<UpstreamMetrics> {
        var all: [String: [UpstreamMetrics]] = [:]
        for map in maps { for (name, metrics) in map { all[name, default: []].append(metrics) } }
        return all.sorted { $0.key < $1.key }.map { ([(name: "upstream", value: $0.key)], $0.value) }
    }

    private func endpoints() -> Labelled<EndpointMetrics> {
        merged(loops.map(\.allUpstreams)).flatMap { labels, metrics in
            var all: [String: [EndpointMetrics]] = [:]
            for one in metrics { for (name, endpoint) in one.allEndpoints { all[name, default: []].append(endpoint) } }
            return all.sorted { $0.key < $1.key }.map { (labels + [(name: "endpoint", value: $0.key)], $0.value) }
        }
    }
}
