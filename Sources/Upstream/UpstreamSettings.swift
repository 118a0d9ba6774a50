package import TLS

/// One server behind the gateway, as an address to connect to.
package struct Endpoint: Sendable, Hashable {
    /// A host name or an IP literal without brackets.
    package let host: String
    /// 1...65535.
    package let port: Int
    /// `host:port` as it stands in a Host field and in the audit log (RFC 9110 §7.2); IPv6 in brackets.
    package let authority: [UInt8]
    /// Whether it is spoken to in TLS.
    package let isSecure: Bool
    /// Its share of the requests, at least 1.
    package var weight: Int

    package init(host: String, port: Int, isSecure: Bool = false, weight: Int = 1) {
        self.host = host
        self.port = port
        self.isSecure = isSecure
        self.weight = weight
        let bracketed = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        self.authority = Array("\(bracketed):\(port)".utf8)
    }
}

/// How an endpoint is asked whether it is well. Times in nanoseconds.
package struct HealthCheck: Sendable, Hashable {
    /// Origin-form target of a GET.
    package var path: String
    /// From the end of one check to the next.
    package var interval: Int64
    /// For connecting and the head of the answer.
    package var timeout: Int64
    /// Good answers in a row that bring an endpoint back.
    package var healthy: Int
    /// Bad ones in a row that take it out of rotation.
    package var unhealthy: Int
    /// The statuses that are good.
    package var statuses: ClosedRange<Int>

    package init(
        path: String = "/", interval: Int64 = 5_000_000_000, timeout: Int64 = 1_000_000_000, healthy: Int = 2,
        unhealthy: Int = 3, statuses: ClosedRange<Int> = 200...399
    ) {
        self.path = path
        self.interval = interval
        self.timeout = timeout
        self.healthy = healthy
        self.unhealthy = unhealthy
        self.statuses = statuses
    }
}

/// Everything one upstream is configured with. Two equal values may share one pool across a reload.
package struct UpstreamSettings: Sendable, Hashable {
    /// What stands in the Host field towards the endpoint.
    package enum HostField: Sendable, Hashable {
        /// The authority the client asked for.
        case preserve
        /// The endpoint's own `host:port`.
        case endpoint
    }

    package var name: String
    package var endpoints: [Endpoint]
    /// For the endpoints that are secure.
    package var tls: TLSClientContext?
    /// Whether its servers are spoken to in HTTP/2: by ALPN over TLS, else with prior knowledge.
    package var speaksHTTP2 = false
    package var balance: Balancer.Policy
    package var hostField: HostField
    /// Nanoseconds: one connection attempt may take this long (half of it when there is more than one endpoint, so that
    /// time is left for another), and a refused connection is tried again within it, so that a restart of the server
    /// behind costs its clients a wait and not an error.
    package var connectTimeout: Int64
    /// Nanoseconds between the last byte of the request and the first of the answer, and between any two later reads.
    package var responseTimeout: Int64
    /// Nanoseconds an unused connection is kept.
    package var idleTimeout: Int64
    /// Unused connections kept per event loop.
    package var maximumIdle: Int
    /// Open connections per event loop, idle ones included.
    package var maximumConnections: Int
    /// Requests that may wait for a connection per event loop; the next one is refused with 503.
    package var maximumPending: Int
    /// `nil` for no active checks.
    package var healthCheck: HealthCheck?
    package var ejection: HealthStateMachine.Ejection
    package var retries: RetryBudget.Rules
    /// Nanoseconds after which host names are looked up again.
    package var resolveEvery: Int64

    package init(
        name: String,
        endpoints: [Endpoint],
        balance: Balancer.Policy = .roundRobin,
        hostField: HostField = .preserve,
        connectTimeout: Int64 = 3_000_000_000,
        responseTimeout: Int64 = 30_000_000_000,
        idleTimeout: Int64 = 60_000_000_000,
        maximumIdle: Int = 512,
        maximumConnections: Int = 1024,
        maximumPending: Int = 1024,
        healthCheck: HealthCheck? = nil,
        ejection: HealthStateMachine.Ejection = HealthStateMachine.Ejection(),
        retries: RetryBudget.Rules = RetryBudget.Rules(),
        resolveEvery: Int64 = 30_000_000_000
    ) {
        self.name = name
        self.endpoints = endpoints
        self.balance = balance
        self.hostField = hostField
        self.connectTimeout = connectTimeout
        self.responseTimeout = responseTimeout
        self.idleTimeout = idleTimeout
        self.maximumIdle = maximumIdle
        self.maximumConnections = maximumConnections
        self.maximumPending = maximumPending
        self.healthCheck = healthCheck
        self.ejection = ejection
        self.retries = retries
        self.resolveEvery = resolveEvery
    }
}
