package import Authentication

/// A solution: how it proves itself, who it then is, and how often it may ask.
package struct SolutionSettings: Sendable, Named {
    /// The solution's id.
    package var name = ""
    package var apiTokens: [APITokenSettings] = []
    /// What `Basic solution-id:secret` is verified against.
    package var secretHash: PasswordHash?
    package var subjects: [String] = []
    package var rateLimit: QuotaSettings?

    static let shape = Shape<SolutionSettings>(
        "Solution", "A solution: how it proves itself, who it then is, and how often it may ask.",
        prototype: SolutionSettings(),
        [
            Field(
                "apiTokens", \.apiTokens, .list(.object(APITokenSettings.shape)),
                "Tokens for x-cr-api-token; those of `tollgate token create` are added."),
            Field(
                "secretHash", \.secretHash, .optional(.passwordHash),
                "The hash ($scrypt$…) of the secret that Basic solution-id:secret presents; null for no secret."),
            Field("subjects", \.subjects, .list(.subject), "The subjects of a caller that is the solution itself."),
            Field(
                "rateLimit", \.rateLimit, .optional(.object(QuotaSettings.shape)),
                "Its own limit; null for the general one."),
        ])
}

/// An API token, of which only the hash is known.
package struct APITokenSettings: Sendable {
    package var id = ""
    /// 32 bytes; empty only while errors are being collected.
    package var sha256: [UInt8] = []
    /// Unix seconds; nil for never.
    package var expires: Int64?
    package var label: String?

    static let shape = Shape<APITokenSettings>(
        "APIToken", "An API token, of which only the hash is kept.", prototype: APITokenSettings(),
        [
            Field("id", \.id, .name, required: true, "Its name in logs and for revoking it; unique."),
            Field("sha256", \.sha256, .sha256, required: true, "The SHA-256 of the token, in hexadecimal."),
            Field("expires", \.expires, .optional(.timestamp), "From when on it is refused; null for never."),
            Field("label", \.label, .optional(.text), "What it is for, for people."),
        ])
}

/// Where `tollgate token` keeps what it makes.
package struct TokenStoreSettings: Sendable {
    /// Resolved; the file need not exist.
    package var file = "var/api-tokens.json"

    static let shape = Shape<TokenStoreSettings>(
        "TokenStore", "Where `tollgate token create` keeps the hashes of the tokens it makes.",
        prototype: TokenStoreSettings(),
        [Field("file", \.file, .unresolvedPath, "A file that only `tollgate token` writes; it need not exist.")])
}
