package import Crypto
package import CryptoExtras
import FoundationEssentials

/// Makes keys and signs tokens with them, for tests that need both sides of a signature. No key outlives the process.
package struct TokenMint: Sendable {
    /// One private key with the algorithm it signs with.
    package enum Key: Sendable {
        case rsa(_RSA.Signing.PrivateKey, algorithm: String)
        case p256(P256.Signing.PrivateKey)
        case p384(P384.Signing.PrivateKey)
        case p521(P521.Signing.PrivateKey)
        case ed25519(Curve25519.Signing.PrivateKey)
        case hmac(SymmetricKey, algorithm: String)

        /// The name a token's header gives, such as `RS256`.
        package var algorithm: String {
            switch self {
            case .rsa(_, let algorithm): algorithm
            case .p256: "ES256"
            case .p384: "ES384"
            case .p521: "ES512"
            case .ed25519: "EdDSA"
            case .hmac(_, let algorithm): algorithm
            }
        }
    }

    /// The `kid` that tokens name.
    package let keyID: String
    /// The private key.
    package let key: Key

    /// A mint around a key that already exists.
    package init(keyID: String, key: Key) {
        self.keyID = keyID
        self.key = key
    }

    /// A mint with a fresh key for `RS256`…`PS512`, `ES256`, `ES384`, `ES512`, `EdDSA` or `HS256`…`HS512`.
    package init(_ algorithm: String, keyID: String = "test-key") throws {
        self.keyID = keyID
        switch algorithm {
        case "ES256": key = .p256(P256.Signing.PrivateKey())
        case "ES384": key = .p384(P384.Signing.PrivateKey())
        case "ES512": key = .p521(P521.Signing.PrivateKey())
        case "EdDSA": key = .ed25519(Curve25519.Signing.PrivateKey())
        case "HS256", "HS384", "HS512": key = .hmac(SymmetricKey(size: .init(bitCount: 512)), algorithm: algorithm)
        case "RS256", "RS384", "RS512", "PS256", "PS384", "PS512":
            key = .rsa(try _RSA.Signing.PrivateKey(keySize: .bits2048), algorithm: algorithm)
        default: throw UnknownAlgorithm(name: algorithm)
        }
    }

    /// A name that no key can be made for.
    package struct UnknownAlgorithm: Error {
        package let name: String
    }
}

// MARK: - Signing

extension TokenMint {
    /// A signed token. `header` adds members to `alg`, `typ` and `kid`, or takes their place.
    package func token(_ claims: Literal, header: Literal = [:]) throws -> String {
        let standard: Literal = ["alg": .string(key.algorithm), "typ": "JWT", "kid": .string(keyID)]
        return try token(headerBytes: standard.merging(header).bytes, payloadBytes: claims.bytes)
    }

    /// A signed token around any two byte sequences, well-formed or not.
    package func token(headerBytes: [UInt8], payloadBytes: [UInt8]) throws -> String {
        let signed = base64url(headerBytes) + "." + base64url(payloadBytes)
        return signed + "." + base64url(try signature(over: Array(signed.utf8)))
    }

    /// The signature as JWS writes it: for ECDSA the two numbers side by side, RFC 7518 section 3.4.
    package func signature(over message: [UInt8]) throws -> [UInt8] {
        switch key {
        case .rsa(let key, let algorithm):
            let padding: _RSA.Signing.Padding = algorithm.hasPrefix("PS") ? .PSS : .insecurePKCS1v1_5
            if algorithm.hasSuffix("384") {
                return Array(try key.signature(for: SHA384.hash(data: message), padding: padding).rawRepresentation)
            }
            if algorithm.hasSuffix("512") {
                return Array(try key.signature(for: SHA512.hash(data: message), padding: padding).rawRepresentation)
            }
            return Array(try key.signature(for: SHA256.hash(data: message), padding: padding).rawRepresentation)
        case .p256(let key): return Array(try key.signature(for: message).rawRepresentation)
        case .p384(let key): return Array(try key.signature(for: message).rawRepresentation)
        case .p521(let key): return Array(try key.signature(for: message).rawRepresentation)
        case .ed25519(let key): return Array(try key.signature(for: message))
        case .hmac(let key, let algorithm):
            if algorithm.hasSuffix("384") {
                return Array(HMAC<SHA384>.authenticationCode(for: message, using: key))
            }
            if algorithm.hasSuffix("512") {
                return Array(HMAC<SHA512>.authenticationCode(for: message, using: key))
            }
            return Array(HMAC<SHA256>.authenticationCode(for: message, using: key))
        }
    }
}

// MARK: - Key sets

extension TokenMint {
    /// The public key as a JWK (for HMAC the secret itself), RFC 7517 and RFC 8037.
    package func jwk() throws -> Literal {
        let common: Literal = ["kid": .string(keyID), "use": "sig", "alg": .string(key.algorithm)]
        switch key {
        case .rsa(let key, _):
            let numbers = try key.publicKey.getKeyPrimitives()
            return common.merging([
                "kty": "RSA", "n": .string(base64url(numbers.modulus)), "e": .string(base64url(numbers.publicExponent)),
            ])
        case .p256(let key): return common.merging(Self.point("P-256", key.publicKey.rawRepresentation))
        case .p384(let key): return common.merging(Self.point("P-384", key.publicKey.rawRepresentation))
        case .p521(let key): return common.merging(Self.point("P-521", key.publicKey.rawRepresentation))
        case .ed25519(let key):
            return common.merging([
                "kty": "OKP", "crv": "Ed25519", "x": .string(base64url(key.publicKey.rawRepresentation)),
            ])
        case .hmac(let key, _):
            return common.merging([
                "kty": "oct", "k": .string(base64url(unsafe key.withUnsafeBytes { unsafe Array($0) })),
            ])
        }
    }

    /// A key set of several mints.
    package static func jwks(_ mints: [TokenMint]) throws -> Literal {
        ["keys": .array(try mints.map { try $0.jwk() })]
    }

    private static func point(_ curve: String, _ raw: some Collection<UInt8>) -> Literal {
        let half = raw.count / 2
        return [
            "kty": "EC", "crv": .string(curve), "x": .string(base64url(raw.prefix(half))),
            "y": .string(base64url(raw.dropFirst(half))),
        ]
    }
}
