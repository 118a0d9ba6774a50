/// Why a caller is not authenticated. Gate turns it into a status, Authentication picks none.
package enum AuthenticationFailure: Error, Sendable, Equatable {
    /// Nothing the route accepts was presented: 401 without an error code.
    case missing
    /// Credentials that break their own syntax: 400 `invalid_request`. The text is one sentence for the client.
    case malformed(StaticString)
    /// Two credentials that name different solutions: 400 `invalid_request`.
    case contradictory
    /// Well-formed credentials that prove nothing: 401 `invalid_token`.
    case invalid(InvalidToken)
    /// No key set of this issuer (by its configured name) was ever available: 503.
    case keysUnavailable(issuer: String)
    /// Too many proofs are waiting for a thread: 503. Authentication never answers it; whoever queues proofs does.
    case overloaded

    package static func == (left: AuthenticationFailure, right: AuthenticationFailure) -> Bool {
        switch (left, right) {
        case (.missing, .missing), (.contradictory, .contradictory), (.overloaded, .overloaded): true
        case (.malformed(let left), .malformed(let right)): "\(left)".utf8.elementsEqual("\(right)".utf8)
        case (.invalid(let left), .invalid(let right)): left == right
        case (.keysUnavailable(let left), .keysUnavailable(let right)): left.utf8.elementsEqual(right.utf8)
        case (.missing, _), (.malformed, _), (.contradictory, _), (.invalid, _), (.keysUnavailable, _),
            (.overloaded, _):
            false
        }
    }

    /// A stable name for audit records and metrics.
    package var code: StaticString {
        switch self {
        case .missing: "credentials-missing"
        case .malformed: "credentials-malformed"
        case .contradictory: "credentials-contradictory"
        case .invalid(let reason): reason.code
        case .keysUnavailable: "keys-unavailable"
        case .overloaded: "authentication-overloaded"
        }
    }
}

/// Why well-formed credentials were not accepted. Nothing here tells a stranger more than the token already does.
package enum InvalidToken: UInt8, Error, Sendable, CaseIterable {
    case format, tooLarge, algorithm, critical, type, unknownIssuer, audience, expired, notYetValid, unknownKey
    case signature, claims
    case unknownAPIToken, expiredAPIToken, badSecret
    case binding, certificateNames, expiredCertificate

    /// One sentence for `error_description` (RFC 6750 §3): no quotes, no backslash.
    package var detail: StaticString {
        switch self {
        case .format: "The token is not a well-formed JSON Web Token."
        case .tooLarge: "The token is longer than this gateway accepts."
        case .algorithm: "The token is signed with an algorithm that is not accepted."
        case .critical: "The token names critical header parameters, none of which is supported."
        case .type: "The token is of another type than the one wanted here."
        case .unknownIssuer: "The token was issued by somebody who is not trusted here."
        case .audience: "The token was issued for another audience."
        case .expired: "The token has expired."
        case .notYetValid: "The token is not valid yet."
        case .unknownKey: "The token names a signing key that its issuer does not publish."
        case .signature: "The signature of the token does not verify."
        case .claims: "The token lacks a claim that is needed here, or has one of the wrong form."
        case .unknownAPIToken: "The API token is unknown or was revoked."
        case .expiredAPIToken: "The API token has expired."
        case .badSecret: "The solution id or its secret is wrong."
        case .binding: "The token is bound to a client certificate that this connection did not show."
        case .certificateNames: "The client certificate has none of the names that are needed here."
        case .expiredCertificate: "The client certificate has expired."
        }
    }

    /// A stable name for audit records and metrics.
    package var code: StaticString {
        switch self {
        case .format: "token-format"
        case .tooLarge: "token-too-large"
        case .algorithm: "token-algorithm"
        case .critical: "token-critical"
        case .type: "token-type"
        case .unknownIssuer: "token-issuer"
        case .audience: "token-audience"
        case .expired: "token-expired"
        case .notYetValid: "token-not-yet-valid"
        case .unknownKey: "token-key"
        case .signature: "token-signature"
        case .claims: "token-claims"
        case .unknownAPIToken: "api-token-unknown"
        case .expiredAPIToken: "api-token-expired"
        case .badSecret: "secret-wrong"
        case .binding: "token-binding"
        case .certificateNames: "certificate-names"
        case .expiredCertificate: "certificate-expired"
        }
    }
}
