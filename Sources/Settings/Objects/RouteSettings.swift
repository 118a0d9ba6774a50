package import Gate
import Policy
import StrictJSON

/// What goes where, and who may.
package struct RouteSettings: Sendable {
    package var name = ""
    package var match = MatchSettings()
    package var upstream = ""
    /// nil: every kind for which an issuer, a solution or a listener with subjects of certificates is configured.
    package var authenticate: [Credential]?
    package var requireSolution = false
    package var policy: RoutePolicySettings?
    package var rewrite: RewriteSettings?
    package var forwardCredentials = false
    /// nil: as in the general limits.
    package var maximumBodyBytes: Int?
    package var preAuthenticated = false
    /// The protocols of `Upgrade` that pass.
    package var upgrades = ["websocket"]
    package var timeouts = RouteTimeouts()
    package var canary: RouteShare?
    package var mirror: RouteShare?

    /// A way to prove who one is.
    package enum Credential: String, Sendable, CaseIterable {
        case jwt, apiToken, basic, clientCertificate
    }

    static let shape = Shape<RouteSettings>(
        "Route", "What goes where, and who may.", prototype: RouteSettings(),
        [
            Field("name", \.name, .name, required: true, "Its name in logs, metrics and audit records; unique."),
            Field("match", \.match, .object(MatchSettings.shape), required: true, "Which requests it is for."),
            Field("upstream", \.upstream, .text, required: true, "The name of the upstream they go to."),
            Field(
                "authenticate", \.authenticate, .optional(.list(.choice())),
                "The credentials that are looked at, one of which is needed; [] lets everybody in; null for every kind"
                    + " for which an issuer, a solution or a listener with subjects of client certificates is"
                    + " configured."),
            Field("requireSolution", \.requireSolution, .bool, "Refuse callers whose solution is not known."),
            Field(
                "policy", \.policy, .optional(.object(RoutePolicySettings.shape)),
                "The policy that decides; null to let in everybody who is authenticated."),
            Field(
                "rewrite", \.rewrite, .optional(.object(RewriteSettings.shape)),
                "The path that the upstream sees; null for the client's own in canonical form."),
            Field(
                "forwardCredentials", \.forwardCredentials, .bool,
                "Leave the credentials that were looked at in the request."),
            Field(
                "maximumBodyBytes", \.maximumBodyBytes, .optional(.size(0...(1 << 50))),
                "The longest request body; null for the general limit."),
            Field(
                "preAuthenticated", \.preAuthenticated, .bool,
                "Tell an Eclipse Ditto upstream the subjects in x-ditto-pre-authenticated."),
            Field(
                "upgrades", \.upgrades, .list(.text),
                "The protocols that clients may switch a connection to, as they stand in Upgrade; from all other requests"
                    + " that field is removed. Ended when the credential expires or is revoked."),
            Field(
                "timeouts", \.timeouts, .object(RouteTimeouts.shape),
                "How long the upstream may take here, where that differs from what it may take elsewhere."),
            Field(
                "canary", \.canary,
                .optional(
                    .object(
                        RouteShare.shape(
                            "Canary", "An upstream that some of the route's clients are sent to, always the same ones.",
                            share: "How many of a hundred clients.", standard: 5))),
                "Another upstream for a share of the clients; null for none."),
            Field(
                "mirror", \.mirror,
                .optional(
                    .object(
                        RouteShare.shape(
                            "Mirror",
                            "An upstream that gets copies of requests without a body, marked x-tollgate-mirrored: 1."
                                + " Its answers are thrown away.",
                            share: "How many of a hundred requests, drawn by chance.", standard: 100))),
                "Another upstream that gets copies; null for none."),
        ],
        check: { route, json, reading in route.check(json, &reading) })
}

/// Which requests a route is for.
package struct MatchSettings: Sendable {
    package var path = ""
    package var hosts: [String] = []
    package var methods: [String]?

    static let shape = Shape<MatchSettings>(
        "Match", "Which requests a route is for.", prototype: MatchSettings(),
        [
            Field(
                "path", \.path, .text, required: true,
                "/exact, /with/{capture}, /with/* for any one segment, /with/** for any number of them, which"
                    + " templates call {rest}. Compared with the decoded path, segment by segment."),
            Field(
                "hosts", \.hosts, .list(.text),
                "api.example.com, or *.example.com for all names below; none for every host."),
            Field(
                "methods", \.methods, .optional(.list(.method, atLeast: 1, orElse: "name a method, or null for all")),
                "Methods in capital letters; GET brings HEAD along; null for all."),
        ])
}

/// The path that the upstream sees.
package struct RewriteSettings: Sendable {
    package var stripPrefix: String?
    package var replacePrefix: String?
    package var with: String?
    package var path: String?

    static let shape = Shape<RewriteSettings>(
        "Rewrite", "The path that the upstream sees.", prototype: RewriteSettings(),
        exactlyOneOf: ["stripPrefix", "replacePrefix", "path"],
        [
            Field(
                "stripPrefix", \.stripPrefix, .optional(.text),
                "The first segments of match.path, which are left out."),
            Field(
                "replacePrefix", \.replacePrefix, .optional(.text),
                "The first segments of match.path, which are replaced by those of \"with\"."),
            Field("with", \.with, .optional(.text), "What stands in the place of replacePrefix."),
            Field(
                "path", \.path, .optional(.text),
                "A path made of literal segments and what match.path captured: /v2/{id}/{rest}."),
        ],
        check: { rewrite, json, reading in
            guard (rewrite.replacePrefix == nil) != (rewrite.with == nil) else { return }
            reading.error("\"replacePrefix\" and \"with\" belong together; give both", at: json)
        })
}

/// Which policy guards a route, and what it is asked.
package struct RoutePolicySettings: Sendable {
    /// The policy's name.
    package var use = ""
    /// `type:/path` with captures.
    package var resource = ""
    package var reading = Self.reads
    package var writing = Self.writes

    private static let reads = RequirementSettings(permissions: .read, check: .partial)
    private static let writes = RequirementSettings(permissions: .write, check: .unrestricted)

    static let shape = Shape<RoutePolicySettings>(
        "RoutePolicy", "Which policy guards a route, and what it is asked.", prototype: RoutePolicySettings(),
        [
            Field("use", \.use, .text, required: true, "The name of the policy."),
            Field(
                "resource", \.resource, .text, required: true,
                "The resource that is asked about: type:/path, with what match.path captured: thing:/{rest}."),
            Field(
                "reading", \.reading,
                .object(RequirementSettings.shape("ReadingRequirement", "GET, HEAD and OPTIONS", reads)),
                "What GET, HEAD and OPTIONS ask."),
            Field(
                "writing", \.writing,
                .object(RequirementSettings.shape("WritingRequirement", "all other methods", writes)),
                "What all other methods ask."),
        ])
}
