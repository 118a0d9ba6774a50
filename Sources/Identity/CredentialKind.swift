/// How a caller proved who it is.
package enum CredentialKind: UInt8, Sendable, CaseIterable {
    /// Nothing was presented, or the route asks for nothing.
    case none
    /// A signed token of an issuer (RFC 7519).
    case jwt
    /// A token minted by this gateway for a solution.
    case apiToken
    /// `solution-id:secret` (RFC 7617).
    case basic
    /// A client certificate of the connection (RFC 8446 §4.4.2).
    case certificate

    /// The name used in audit records: `none`, `jwt`, `api-token`, `basic` or `certificate`.
    package var label: StaticString {
        switch self {
        case .none: "none"
        case .jwt: "jwt"
        case .apiToken: "api-token"
        case .basic: "basic"
        case .certificate: "certificate"
        }
    }
}

/// The kinds of credential a route accepts; empty for a route without authentication.
@usableFromInline
package struct CredentialSet: OptionSet, Sendable, Hashable {
    @usableFromInline
    package let rawValue: UInt8

    @usableFromInline
    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    /// Whether there is none. Concrete, because the one every `OptionSet` has is generic and slow.
    @inlinable
    package var isEmpty: Bool { rawValue == 0 }

    /// Signed tokens of an issuer.
    package static let jwt = CredentialSet(rawValue: 1)
    /// Tokens minted for a solution.
    package static let apiToken = CredentialSet(rawValue: 2)
    /// A solution's id and secret.
    package static let basic = CredentialSet(rawValue: 4)
    /// Client certificates that name somebody.
    package static let certificate = CredentialSet(rawValue: 8)
    /// Every kind that stands in a field of the request.
    package static let all: CredentialSet = [.jwt, .apiToken, .basic]
}
