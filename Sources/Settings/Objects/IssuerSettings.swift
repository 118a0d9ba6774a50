package import Authentication
package import Identity

/// One issuer of JSON Web Tokens, and what its tokens mean here.
package struct IssuerSettings: Sendable, Named {
    /// What its tokens are held to beyond RFC 7519.
    package enum Profile: String, Sendable, CaseIterable {
        case jwt, rfc9068
    }

    package var name = ""
    /// What `iss` has to be, byte for byte.
    package var issuer = ""
    package var audiences: [String] = []
    package var algorithms: [Algorithm] = [.RS256]
    /// nil only while errors are being collected.
    package var keys: KeysSettings?
    package var clockSkew = Duration.seconds(10)
    /// Empty: `{{ jwt:sub }}`.
    package var subjects: [ClaimTemplate] = []
    /// nil: the issuer's name.
    package var subjectPrefix: String?
    package var client: ClaimTemplate?
    package var solution: ClaimTemplate?
    package var tenant: ClaimTemplate?
    package var requiredType: String?
    package var profile = Profile.jwt
    package var maximumTokenBytes = 8 << 10
    package var refreshInterval = Duration.seconds(300)
    package var requireExpiry = true
    package var maximumLifetime: Duration?

    static let shape = Shape<IssuerSettings>(
        "Issuer", "An issuer of JSON Web Tokens, and what its tokens mean here.", prototype: IssuerSettings(),
        [
            Field("issuer", \.issuer, .text, required: true, "What the claim iss has to be, byte for byte."),
            Field(
                "audiences", \.audiences,
                .list(.text, atLeast: 1, orElse: "without an audience, tokens made for others would be accepted here"),
                required: true, "What the claim aud has to name at least one of, byte for byte."),
            Field(
                "algorithms", \.algorithms, .list(.choice(), atLeast: 1, orElse: "name an algorithm"),
                "The signature algorithms its tokens may use."),
            Field("keys", \.keys, KeysSettings.kind, required: true, "Where its keys come from."),
            Field(
                "clockSkew", \.clockSkew, .duration(.zero...(.seconds(3_600))),
                "How far its clock may differ from ours, for exp, nbf and iat alike."),
            Field(
                "subjects", \.subjects, .list(.claimTemplate),
                "Templates of the caller's subjects, in the notation of Eclipse Ditto: {{ jwt:claim }},"
                    + " {{ jwt:object/member }}, {{ jwt:scope | fn:split(' ') }}. None stands for {{ jwt:sub }}."),
            Field(
                "subjectPrefix", \.subjectPrefix, .optional(.text),
                "Subjects become <prefix>:<resolved>; null for the issuer's name."),
            Field(
                "client", \.client, .optional(.claimTemplate),
                "Template of the client whose limit a request spends; null for the solution, else the first subject."),
            Field("solution", \.solution, .optional(.claimTemplate), "Template of the solution a token belongs to."),
            Field("tenant", \.tenant, .optional(.claimTemplate), "Template of the tenant a token belongs to."),
            Field(
                "requiredType", \.requiredType, .optional(.text),
                "What the header parameter typ has to be, such as \"at+jwt\"; null accepts none, JWT and at+jwt."),
            Field(
                "profile", \.profile, .choice(),
                "rfc9068 demands typ at+jwt and the claims sub, client_id, iat and jti."),
            Field(
                "maximumTokenBytes", \.maximumTokenBytes, .size(256...(64 << 10)), "Longer tokens are refused unread."),
            Field(
                "refreshInterval", \.refreshInterval, .duration(.seconds(1)...(.seconds(30 * 86_400))),
                "How often keys from a url or by discovery are fetched again."),
            Field("requireExpiry", \.requireExpiry, .bool, "Refuse tokens without exp."),
            Field(
                "maximumLifetime", \.maximumLifetime, .optional(.duration(.seconds(1)...(.seconds(3_650 * 86_400)))),
                "The longest a token may live from iat to exp; null for any length."),
        ],
        check: { issuer, json, reading in issuer.check(json, &reading) })
}
