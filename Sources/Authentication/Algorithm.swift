/// The signature algorithms of RFC 7518 §3.1 and RFC 8037 that an issuer may be configured with; never `none`.
package enum Algorithm: String, Sendable, CaseIterable {
    case RS256, RS384, RS512
    case PS256, PS384, PS512
    case ES256, ES384, ES512
    case EdDSA
    case HS256, HS384, HS512

    /// The algorithm with exactly this name, byte by byte; names are case-sensitive.
    package init?(name: String) {
        guard let match = Self.allCases.first(where: { $0.rawValue.utf8.elementsEqual(name.utf8) }) else { return nil }
        self = match
    }

    /// What a key must be to be used with the algorithm.
    var family: Family {
        switch self {
        case .RS256, .RS384, .RS512, .PS256, .PS384, .PS512: .rsa
        case .ES256: .p256
        case .ES384: .p384
        case .ES512: .p521
        case .EdDSA: .ed25519
        case .HS256, .HS384, .HS512: .secret
        }
    }

    /// A kind of key: one JWK `kty` and curve.
    enum Family: Sendable, Equatable {
        case rsa, p256, p384, p521, ed25519, secret
    }
}
