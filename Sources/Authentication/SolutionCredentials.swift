/// How a solution proves itself, and who it then is.
package struct SolutionCredentials: Sendable {
    /// The solution's id; no colon in it, or Basic could not name it (RFC 7617 §2).
    package var id: String
    /// The tokens that stand for the solution.
    package var apiTokens: [APIToken]
    /// What `Basic solution-id:secret` is verified against; nil when the solution has no secret.
    package var secretHash: PasswordHash?
    /// The subjects of a caller that is the solution itself.
    package var subjects: [String]

    package init(
        id: String, apiTokens: [APIToken] = [], secretHash: PasswordHash? = nil, subjects: [String] = []
    ) {
        self.id = id
        self.apiTokens = apiTokens
        self.secretHash = secretHash
        self.subjects = subjects
    }
}
