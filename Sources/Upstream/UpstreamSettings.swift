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

    package init(host: String, port: Int, isSecure: Bool = false) {
        self.host = host
        self.port = port
        self.isSecure = isSecure
        let bracketed = host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
        self.authority = Array("\(bracketed):\(port)".utf8)
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
    package var hostField: HostField
    /// Nanoseconds: one connection attempt may take this long, and a refused connection is tried again within it,
    /// so that a restart of the server behind costs its clients a wait and not an error.
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

    package init(
        name: String,
        endpoints: [Endpoint],
        hostField: HostField = .preserve,
        connectTimeout: Int64 = 3_000_000_000,
        responseTimeout: Int64 = 30_000_000_000,
        idleTimeout: Int64 = 60_000_000_000,
        maximumIdle: Int = 512,
        maximumConnections: Int = 1024,
        maximumPending: Int = 1024
    ) {
        self.name = name
        self.endpoints = endpoints
        self.hostField = hostField
        self.connectTimeout = connectTimeout
        self.responseTimeout = responseTimeout
        self.idleTimeout = idleTimeout
        self.maximumIdle = maximumIdle
        self.maximumConnections = maximumConnections
        self.maximumPending = maximumPending
    }
}
