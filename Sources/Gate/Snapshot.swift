package import Authentication
package import Identity
package import NIOCore
package import Policy
package import RateLimit
package import Routing
package import Wire

/// The configuration, compiled: immutable, shared by all loops, replaced as a whole.
package final class Snapshot: Sendable {
    /// By the index that `table` gives.
    package let routes: [Route]
    package let table: RouteTable
    package let authenticator: Authenticator
    /// By the index in `RoutePolicy.engine`.
    package let engines: [PolicyEngine]
    /// What each engine says about a caller without subjects; made here, because making a view takes a lock.
    let anonymousViews: [PolicyView]
    package let limits: LimitRules
    package let forwarding: ForwardingRules
    package let connection: ConnectionRules
    /// Whom client certificates name, by listener; none where they name nobody.
    let certificates: [String: CertificateRules]

    package init(
        routes: [Route], table: RouteTable, authenticator: Authenticator, engines: [PolicyEngine], limits: LimitRules,
        forwarding: ForwardingRules, connection: ConnectionRules, certificates: [String: CertificateRules] = [:]
    ) {
        self.routes = routes
        self.table = table
        self.authenticator = authenticator
        self.engines = engines
        self.anonymousViews = engines.map { $0.view(for: [], now: 0) }
        self.limits = limits
        self.forwarding = forwarding
        self.connection = connection
        self.certificates = certificates
    }

    /// The label of a policy entry, for audit records and explanations.
    package func label(of entry: PolicyEntry) -> String? {
        engines.indices.contains(entry.engine) ? engines[entry.engine].label(of: entry.entry) : nil
    }
}

/// One route, compiled.
package final class Route: Sendable {
    package let name: String
    /// The name of the upstream.
    package let upstream: String
    /// Which credentials are looked at; none means that everyone is let in.
    package let accepts: CredentialSet
    /// Whether the caller's solution must be known.
    package let requiresSolution: Bool
    package let policy: RoutePolicy?
    package let rewrite: Rewrite
    /// Whether the credentials that were looked at travel on.
    package let forwardsCredentials: Bool
    /// Whether `x-ditto-pre-authenticated` is set towards the upstream.
    package let preAuthenticates: Bool
    /// Bytes; `nil` is unlimited.
    package let maximumBodyBytes: Int64?
    /// The protocols a client may switch to.
    package let upgrades: [UpgradeProtocol]
    private let upgradeNames: [[UInt8]]
    package let timeouts: RouteTimeouts
    /// Some clients go to another upstream.
    package let canary: RouteShare?
    /// Some requests are sent to another upstream as well.
    package let mirror: RouteShare?
    /// Whether the path travels on as it was normalised.
    let keepsPath: Bool
    /// The credential fields that end here.
    package let consumedFields: FieldSet

    package init(
        name: String, upstream: String, accepts: CredentialSet, requiresSolution: Bool = false,
        policy: RoutePolicy? = nil, rewrite: Rewrite = .none, forwardsCredentials: Bool = false,
        preAuthenticates: Bool = false, maximumBodyBytes: Int64? = nil,
        upgrades: [UpgradeProtocol] = [.webSocket], timeouts: RouteTimeouts = RouteTimeouts(),
        canary: RouteShare? = nil, mirror: RouteShare? = nil
    ) {
        self.name = name
        self.upstream = upstream
        self.accepts = accepts
        self.requiresSolution = requiresSolution
        self.policy = policy
        self.rewrite = rewrite
        self.forwardsCredentials = forwardsCredentials
        self.preAuthenticates = preAuthenticates
        self.maximumBodyBytes = maximumBodyBytes
        self.upgrades = upgrades
        self.upgradeNames = upgrades.map(\.name)
        self.timeouts = timeouts
        self.canary = canary
        self.mirror = mirror
        self.keepsPath = rewrite == .none
        // Credentials that a route looks at are used up here; others are the upstream's business.
        var consumed: FieldSet = []
        if !forwardsCredentials {
            if !accepts.isDisjoint(with: .all) { consumed.formUnion(FieldSet(.authorization)) }
            if accepts.contains(.apiToken) { consumed.formUnion(FieldSet(.apiToken)) }
        }
        self.consumedFields = consumed
    }

    /// The protocol that a request may switch to (RFC 9110 §7.8): the first that it asks for and the route allows; nil
    /// when its `Upgrade` is to be ignored, as every server may.
    ///
    /// A request with content is none of them: its body would have to be whole before the first byte of the tunnel. A
    /// WebSocket begins with GET (RFC 6455 §4.1).
    package func upgrade(_ head: borrowing RequestHead, in bytes: borrowing ByteBuffer) -> UpgradeProtocol? {
        guard head.upgrade != nil, let index = head.upgrade(among: upgradeNames, in: bytes) else { return nil }
        guard head.framing == .none || head.framing == .length(0) else { return nil }
        return upgrades[index].isWebSocket && head.method != .get ? nil : upgrades[index]
    }
}

/// A share of a route's requests, and the upstream it goes to.
package struct RouteShare: Sendable, Equatable {
    /// The name of the upstream.
    package var upstream: String
    /// 0...100.
    package var percent: Int

    package init(upstream: String, percent: Int) {
        self.upstream = upstream
        self.percent = percent
    }
}

/// How long a route's upstream may take. In nanoseconds; `nil` is what the upstream itself says, and for `total` for ever.
package struct RouteTimeouts: Sendable, Equatable {
    /// For a connection to be had.
    package var connect: Int64?
    /// From the last byte of the request to the first of the answer.
    package var firstByte: Int64?
    /// Between two reads of the answer.
    package var idle: Int64?
    /// From the head of the request to the last byte of the answer.
    package var total: Int64?

    package init(connect: Int64? = nil, firstByte: Int64? = nil, idle: Int64? = nil, total: Int64? = nil) {
        self.connect = connect
        self.firstByte = firstByte
        self.idle = idle
        self.total = total
    }
}

/// Which policy guards a route, and what is asked of it.
package struct RoutePolicy: Sendable {
    /// What a method asks for.
    package struct Requirement: Sendable, Equatable {
        package var permissions: Permissions
        package var check: Check

        package init(permissions: Permissions, check: Check) {
            self.permissions = permissions
            self.check = check
        }
    }

    /// Index in `Snapshot.engines`.
    package var engine: Int
    /// The resource of a request, such as `thing:/{rest}`.
    package var resource: CaptureTemplate
    /// GET, HEAD, OPTIONS.
    package var reading: Requirement
    /// Every other method.
    package var writing: Requirement

    package init(
        engine: Int, resource: CaptureTemplate,
        reading: Requirement = Requirement(permissions: .read, check: .partial),
        writing: Requirement = Requirement(permissions: .write, check: .unrestricted)
    ) {
        self.engine = engine
        self.resource = resource
        self.reading = reading
        self.writing = writing
    }

    /// What the method asks for. An unknown method is a write: the stricter of the two.
    package func requirement(for method: Method) -> Requirement {
        switch method {
        case .get, .head, .options: reading
        case .post, .put, .patch, .delete, .trace, .connect, .other: writing
        }
    }
}

/// How often who may.
package struct LimitRules: Sendable {
    /// Whom a bucket belongs to.
    package enum Scope: Sendable {
        case client, solution, subject
    }

    /// The name in `RateLimit` and `RateLimit-Policy`.
    package var name: String
    package var scope: Scope
    package var quota: Quota
    /// By solution.
    package var overrides: [String: Quota]
    /// Of failed authentications, by peer address.
    package var failures: Quota
    /// Whether X-RateLimit-* fields are sent too.
    package var sendsLegacyFields: Bool

    package init(
        name: String = "default", scope: Scope = .client, quota: Quota, overrides: [String: Quota] = [:],
        failures: Quota, sendsLegacyFields: Bool = false
    ) {
        self.name = name
        self.scope = scope
        self.quota = quota
        self.overrides = overrides
        self.failures = failures
        self.sendsLegacyFields = sendsLegacyFields
    }

    /// Whose a bucket is, by name.
    package enum Owner: Sendable {
        case client(String)
        case solution(String)
        case subject(String)
    }

    /// Whose bucket a caller takes from: its client's, where there is no name of what the scope asks for.
    package func owner(of principal: Principal) -> Owner {
        switch scope {
        case .client: .client(principal.client)
        case .solution: principal.solution.map { .solution($0) } ?? .client(principal.client)
        case .subject: principal.subject.map { .subject($0) } ?? .client(principal.client)
        }
    }
}

/// What is told to the upstream about the client's connection.
package struct ForwardingRules: Sendable {
    /// Peers whose own X-Forwarded-For is believed.
    package var trustedPeers: [AddressBlock]
    /// Whether Forwarded and X-Forwarded-* are set.
    package var setsForwarded: Bool

    package init(trustedPeers: [AddressBlock] = [], setsForwarded: Bool = true) {
        self.trustedPeers = trustedPeers
        self.setsForwarded = setsForwarded
    }

    /// Whether the peer is one of our own proxies.
    package func trusts(_ peer: PeerAddress) -> Bool {
        trustedPeers.contains { $0.contains(peer) }
    }
}

/// Bounds on what one client connection may hold or take. Times in nanoseconds.
package struct ConnectionRules: Sendable {
    package var head = HeadLimits()
    /// From the first byte of a head to its last.
    package var headTimeout: Int64 = 10_000_000_000
    /// Between two reads of a body.
    package var bodyTimeout: Int64 = 30_000_000_000
    /// Bytes a second of a body, once the time of a pause is used up; 0 for none. Framing counts.
    package var minimumBodyRate: Int64 = 240
    /// The same for a client that reads an answer.
    package var minimumAnswerRate: Int64 = 240
    /// Between two requests.
    package var idleTimeout: Int64 = 75_000_000_000
    /// Between two reads, in either direction, of a tunnel or a stream of events.
    package var streamIdleTimeout: Int64 = 3_600_000_000_000
    /// On each loop.
    package var maximumConnections = 20_000
    /// On all loops together; 0 for no bound.
    package var maximumConnectionsPerAddress = 0
    /// Requests under way on each loop, tunnels and event streams aside.
    package var maximumRequests = 10_000
    /// Requests that one HTTP/2 connection may have under way.
    package var maximumStreams = 100

    package init() {}
}
