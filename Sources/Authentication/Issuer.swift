package import Identity

/// One issuer of tokens, and what its tokens mean here.
package struct Issuer: Sendable {
    /// The name in the configuration; what audit records show.
    package var name: String
    /// What `iss` must be, byte for byte. Two issuers of one authenticator must differ here: the first one wins.
    package var issuer: String
    /// What `aud` must name at least one of, byte for byte. With none, every token is refused.
    package var audiences: [String]
    /// The algorithms its tokens may be signed with.
    package var algorithms: Set<Algorithm>
    /// Its keys; shared by all snapshots of the configuration.
    package var keys: KeySource
    /// Seconds by which its clock may differ from ours, applied alike to `exp`, `nbf` and `iat`.
    package var clockSkew: Int64
    /// The `typ` its tokens must carry, compared as a media type (RFC 7515 §4.1.9); nil accepts none, `JWT` and
    /// `at+jwt`.
    package var requiredType: String?
    /// Hold tokens to RFC 9068: `typ` `at+jwt`, and `sub`, `client_id`, `iat`, `jti` present.
    package var profile9068: Bool
    /// The templates of its tokens' subjects; with none, or when they resolve to nothing, the subject is `sub`.
    package var subjects: [ClaimTemplate]
    /// Subjects become `<subjectPrefix>:<resolved>`, so that no issuer can make another one's subjects.
    package var subjectPrefix: String
    /// Whose rate limit a token spends; nil for the solution, or else the first subject.
    package var client: ClaimTemplate?
    /// The solution a token belongs to.
    package var solution: ClaimTemplate?
    /// The tenant a token belongs to.
    package var tenant: ClaimTemplate?
    /// Tokens longer than this many bytes are refused unread.
    package var maximumTokenBytes: Int
    /// The deepest nesting of header and payload.
    package var maximumDepth: Int
    /// Refuse tokens without `exp`.
    package var requireExpiry: Bool
    /// Seconds a token may live from `iat` to `exp`; makes both claims obligatory.
    package var maximumLifetime: Int64?

    package init(
        name: String, issuer: String, audiences: [String], algorithms: Set<Algorithm>, keys: KeySource,
        clockSkew: Int64 = 10, requiredType: String? = nil, profile9068: Bool = false,
        subjects: [ClaimTemplate] = [], subjectPrefix: String? = nil, client: ClaimTemplate? = nil,
        solution: ClaimTemplate? = nil, tenant: ClaimTemplate? = nil, maximumTokenBytes: Int = 8_192,
        maximumDepth: Int = 16, requireExpiry: Bool = true, maximumLifetime: Int64? = nil
    ) {
        self.name = name
        self.issuer = issuer
        self.audiences = audiences
        self.algorithms = algorithms
        self.keys = keys
        self.clockSkew = max(0, min(clockSkew, 86_400))
        self.requiredType = requiredType
        self.profile9068 = profile9068
        self.subjects = subjects
        self.subjectPrefix = subjectPrefix ?? name
        self.client = client
        self.solution = solution
        self.tenant = tenant
        self.maximumTokenBytes = maximumTokenBytes
        self.maximumDepth = maximumDepth
        self.requireExpiry = requireExpiry
        self.maximumLifetime = maximumLifetime
    }
}

/// An issuer as tokens are held to it: one object, with what need not be worked out for each token.
final class IssuerRules: Sendable {
    let issuer: Issuer
    /// `requiredType`, as it is compared.
    let requiredType: MediaType?

    init(_ issuer: Issuer) {
        self.issuer = issuer
        requiredType = issuer.requiredType.map(MediaType.init)
    }
}
