import Audit
import Authentication
import Gate
import Identity
import Logging
import Policy
import Proxy
import RateLimit
import Routing
import TestKit
import Upstream
import Wire

/// A data plane in this process, in front of a scripted origin.
struct Gateway {
    static let token = "tgt_0123456789012345678901234567890123456789012"

    let server: GatewayServer
    let origin: RawOrigin
    let port: Int

    init(
        origin: RawOrigin, quota: Quota = .standard, adjust: (inout ConnectionRules) -> Void = { _ in },
        settings: (inout UpstreamSettings) -> Void = { _ in }, workers: Int = 1, proxyPeers: [AddressBlock] = [],
        audit: AuditWriter? = nil
    ) async throws {
        self.origin = origin
        let publication = try Self.publication(
            origin: origin.port, quota: quota, adjust: adjust, settings: settings)
        server = try GatewayServer(
            publication,
            options: .init(
                listeners: [.init(name: "test", host: "127.0.0.1", port: 0, proxyPeers: proxyPeers)],
                workers: workers, maximumClients: 1000, verifierThreads: 1),
            audit: audit, logger: Logger(label: "test"))
        port = try await server.start()[0]
    }

    func stop() async {
        await server.stop()
        origin.stop()
    }

    static func publication(
        origin port: Int, quota: Quota, adjust: (inout ConnectionRules) -> Void = { _ in },
        settings: (inout UpstreamSettings) -> Void = { _ in }
    ) throws -> Publication {
        let rules = try [
            RouteRule(name: "public", path: RoutePattern("/public/**")),
            RouteRule(name: "guarded", path: RoutePattern("/guarded/**")),
            RouteRule(name: "small", path: RoutePattern("/small"), methods: ["POST"]),
        ]
        let resource = try CaptureTemplate(resource: "thing:/{rest}", for: rules[1].path)
        let engine = try PolicyEngine(
            document: PolicyDocument(
                policyId: "test:policy",
                entries: [
                    .init(
                        label: "reader", subjects: [.init(id: "integration:lamps")],
                        resources: [.init(key: "thing:/open", grant: [.read])])
                ]),
            resolving: { _ in nil })
        var connection = ConnectionRules()
        adjust(&connection)
        var upstream = UpstreamSettings(
            name: "things", endpoints: [Endpoint(host: "127.0.0.1", port: port)], connectTimeout: 500_000_000,
            // Longer than any test may take on a machine that is busy.
            responseTimeout: 600_000_000_000)
        settings(&upstream)
        let lamps = SolutionCredentials(
            id: "lamps", apiTokens: [APIToken(id: "t1", sha256: APIToken.digest(of: Array(token.utf8)))],
            subjects: ["integration:lamps"])
        let snapshot = Snapshot(
            routes: [
                Route(name: "public", upstream: "things", accepts: []),
                Route(
                    name: "guarded", upstream: "things", accepts: .all,
                    policy: RoutePolicy(engine: 0, resource: resource)),
                Route(name: "small", upstream: "things", accepts: [], maximumBodyBytes: 16),
            ],
            table: try RouteTable(rules), authenticator: Authenticator(issuers: [], solutions: [lamps]),
            engines: [engine], limits: LimitRules(quota: quota, failures: .standard), forwarding: ForwardingRules(),
            connection: connection)
        return Publication(snapshot: snapshot, upstreams: [upstream])
    }
}
