import NIOConcurrencyHelpers

/// What happened between one event loop and one endpoint.
package final class EndpointMetrics: Sendable {
    /// Requests that were given a connection to it.
    package let requests = Counter()
    /// Server errors, timeouts and broken answers among them.
    package let failures = Counter()
    package let connectFailures = Counter()
    package let ejections = Counter()
    /// 1 while the loop sends it requests.
    package let inRotation = Gauge()

    package init() {}
}

/// What happened between one event loop and one upstream; by name, so that it outlives a reload.
package final class UpstreamMetrics: Sendable {
    /// Requests that were sent a second time, and those that were not because the budget was used up.
    package let retries = Counter()
    package let deniedRetries = Counter()
    /// Requests that found no connection and no room to wait for one.
    package let overflows = Counter()
    /// As with the routes of `LoopMetrics`: no request takes this lock.
    private let endpoints = NIOLockedValueBox<[String: EndpointMetrics]>([:])

    package init() {}

    /// The counters of the endpoint with this `host:port`, made when first asked for. Takes a lock.
    package func endpoint(_ authority: String) -> EndpointMetrics {
        endpoints.withLockedValue { endpoints in
            if let known = endpoints[authority] { return known }
            let made = EndpointMetrics()
            endpoints[authority] = made
            return made
        }
    }

    /// All endpoints seen so far.
    package var allEndpoints: [String: EndpointMetrics] { endpoints.withLockedValue { $0 } }
}
