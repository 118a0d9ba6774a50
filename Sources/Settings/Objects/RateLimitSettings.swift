package import RateLimit

/// How often an admitted client may ask.
package struct RateLimitSettings: Sendable {
    /// Who shares one bucket.
    package enum Scope: String, Sendable, CaseIterable {
        case client, solution, subject
    }

    package var requestsPerMinute = 360
    /// nil: as many as `requestsPerMinute`.
    package var burst: Int?
    package var per = Scope.client
    package var maximumClients = 1_000_000
    package var legacyHeaders = false
    package var name = "default"

    /// The rate and the burst, which the table has held to their bounds.
    package func quota() throws(QuotaError) -> Quota {
        try Quota(requestsPerMinute: requestsPerMinute, burst: burst ?? requestsPerMinute)
    }

    static let shape = Shape<RateLimitSettings>(
        "RateLimit", "How often an admitted client may ask; a solution may have a limit of its own.",
        prototype: RateLimitSettings(),
        [
            Field("requestsPerMinute", \.requestsPerMinute, .requestsPerMinute, "How fast the bucket refills."),
            Field(
                "burst", \.burst, .optional(.burst),
                "How many requests a full bucket admits at once; null for as many as requestsPerMinute."),
            Field(
                "per", \.per, .choice(),
                "Who shares a bucket: each client (the issuer's client template, else the solution, else the first"
                    + " subject), each solution, or each first subject."),
            Field(
                "maximumClients", \.maximumClients, .integer(1...100_000_000),
                "Buckets that are remembered; a bucket is forgotten only when it is full again."),
            Field(
                "legacyHeaders", \.legacyHeaders, .bool,
                "Also send X-RateLimit-Limit, -Remaining and -Reset beside the RateLimit fields."),
            Field("name", \.name, .name, "The policy's name in RateLimit-Policy and RateLimit."),
        ])
}

/// A limit that takes the place of the general one.
package struct QuotaSettings: Sendable {
    package var requestsPerMinute = 360
    /// nil: as many as `requestsPerMinute`.
    package var burst: Int?

    /// The rate and the burst, which the table has held to their bounds.
    package func quota() throws(QuotaError) -> Quota {
        try Quota(requestsPerMinute: requestsPerMinute, burst: burst ?? requestsPerMinute)
    }

    static let shape = Shape<QuotaSettings>(
        "Quota", "A limit that takes the place of the general one.", prototype: QuotaSettings(),
        [
            Field(
                "requestsPerMinute", \.requestsPerMinute, .requestsPerMinute, required: true,
                "How fast the bucket refills."),
            Field(
                "burst", \.burst, .optional(.burst),
                "How many requests a full bucket admits at once; null for as many as requestsPerMinute."),
        ])
}

/// How often one client address may present credentials that prove nothing.
package struct FailedAuthenticationSettings: Sendable {
    package var requestsPerMinute = 360
    package var burst = 360

    /// The rate and the burst, which the table has held to their bounds.
    package func quota() throws(QuotaError) -> Quota {
        try Quota(requestsPerMinute: requestsPerMinute, burst: burst)
    }

    static let shape = Shape<FailedAuthenticationSettings>(
        "FailedAuthentication",
        "How often one client address may present credentials that prove nothing, before it is answered 429.",
        prototype: FailedAuthenticationSettings(),
        [
            Field("requestsPerMinute", \.requestsPerMinute, .requestsPerMinute, "How fast the bucket refills."),
            Field("burst", \.burst, .burst, "How many failures a full bucket bears at once."),
        ])
}

extension Kind where Value == Int {
    static var requestsPerMinute: Kind { .integer(1...Quota.maximumRequestsPerMinute) }
    static var burst: Kind { .integer(1...Quota.maximumBurst) }
}
