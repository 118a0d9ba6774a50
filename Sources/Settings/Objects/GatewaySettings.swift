package import Upstream

/// Everything gateway.json says, checked and with all defaults in place.
package struct GatewaySettings: Sendable {
    /// The file they were read from, as it was named.
    package var file = "gateway.json"
    package var listeners = [ListenerSettings()]
    package var admin = AdminSettings()
    /// Event loops; 0 stands for one per core.
    package var workers = 0
    package var issuers: [IssuerSettings] = []
    package var solutions: [SolutionSettings] = []
    package var tokens = TokenStoreSettings()
    package var rateLimit = RateLimitSettings()
    package var failedAuthentication = FailedAuthenticationSettings()
    package var policies: [PolicySettings] = []
    package var upstreams: [UpstreamSettings] = []
    package var routes: [RouteSettings] = []
    package var limits = LimitSettings()
    package var forwarding = ForwardingSettings()
    package var audit = AuditTrailSettings()
    package var logging = LoggingSettings()

    /// The settings of an empty file.
    package init() {}

    static let shape = Shape<GatewaySettings>(
        "Gateway", "The configuration of a Tollgate gateway.", prototype: GatewaySettings(),
        [
            Field(
                "listeners", \.listeners, .list(.object(ListenerSettings.shape), atLeast: 1, orElse: "name a listener"),
                "Where clients connect."),
            Field("admin", \.admin, .object(AdminSettings.shape), "Health, readiness and metrics."),
            Field(
                "workers", \.workers, .integer(0...1024),
                "Event loops; 0 means one for each core that the process may use."),
            Field(
                "issuers", \.issuers, .named(.name, IssuerSettings.shape), "Who may issue JSON Web Tokens, by name."),
            Field(
                "solutions", \.solutions, .named(.callerName, SolutionSettings.shape),
                "The solutions and how they prove themselves, by id."),
            Field(
                "tokens", \.tokens, .object(TokenStoreSettings.shape),
                "The API tokens that `tollgate token` keeps."),
            Field(
                "rateLimit", \.rateLimit, .object(RateLimitSettings.shape), "How often an admitted client may ask."),
            Field(
                "failedAuthentication", \.failedAuthentication, .object(FailedAuthenticationSettings.shape),
                "How often one client address may present credentials that prove nothing."),
            Field(
                "policies", \.policies, PolicySettings.kind, "Eclipse Ditto policies, by name."),
            Field(
                "upstreams", \.upstreams, .named(.name, UpstreamSettings.shape), "The servers behind, by name."),
            Field(
                "routes", \.routes, .list(.object(RouteSettings.shape)),
                "What goes where, and who may; the most specific match wins, then the earlier one."),
            Field(
                "limits", \.limits, .object(LimitSettings.shape), "Bounds that protect the gateway from its clients."),
            Field(
                "forwarding", \.forwarding, .object(ForwardingSettings.shape),
                "What proxies in front may tell, and what upstreams are told."),
            Field("audit", \.audit, .object(AuditTrailSettings.shape), "The record of every decision."),
            Field("logging", \.logging, .object(LoggingSettings.shape), "What the gateway says about itself."),
        ],
        check: { settings, json, reading in settings.check(json, &reading) })
}
