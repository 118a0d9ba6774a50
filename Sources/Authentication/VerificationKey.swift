import Crypto
import CryptoExtras
import FoundationEssentials

/// One key of an issuer, parsed once; verifying with it parses nothing.
struct VerificationKey: Sendable {
    enum Material: Sendable {
        case rsa(_RSA.Signing.PublicKey, modulusBytes: Int)
        case p256(P256.Signing.PublicKey)
        case p384(P384.Signing.PublicKey)
        case p521(P521.Signing.PublicKey)
        case ed25519(Curve25519.Signing.PublicKey)
        case secret(SymmetricKey)
    }

    /// `kid`; nil when the key has none.
    let keyID: String?
    /// What the key may be used with: its own `alg`, or all of the issuer's that fit it.
    let algorithms: Set<Algorithm>
    let material: Material
    /// SHA-256 over everything that makes the key what it is, for telling two key sets apart.
    let fingerprint: [UInt8]

    /// The length every signature of this key and algorithm has.
    ///
    /// ECDSA is two numbers side by side, never DER (RFC 7518 §3.4); RSA is as long as the modulus (RFC 8017 §8.2.2).
    func signatureLength(for algorithm: Algorithm) -> Int {
        switch material {
        case .rsa(_, let modulusBytes): modulusBytes
        case .p256, .ed25519: 64
        case .p384: 96
        case .p521: 132
        case .secret: algorithm.digestBytes
        }
    }

    /// Whether the signature is this key's over the message; false for an algorithm the key must not be used with.
    ///
    /// Zero or oversized ECDSA numbers, Ed25519 scalars beyond the group order and any padding but the exact one
    /// fail inside the library (BoringSSL); the tests hold it to that.
    func isValid(_ signature: [UInt8], for message: ArraySlice<UInt8>, algorithm: Algorithm) -> Bool {
        guard algorithms.contains(algorithm), signature.count == signatureLength(for: algorithm) else { return false }
        switch (algorithm, material) {
        case (.RS256, .rsa(let key, _)):
            return Self.verify(signature, SHA256.hash(data: message), key, .insecurePKCS1v1_5)
        case (.RS384, .rsa(let key, _)):
            return Self.verify(signature, SHA384.hash(data: message), key, .insecurePKCS1v1_5)
        case (.RS512, .rsa(let key, _)):
            return Self.verify(signature, SHA512.hash(data: message), key, .insecurePKCS1v1_5)
        // The library's PSS is MGF1 over the same hash with a salt as long as the hash: what RFC 7518 §3.5 asks for.
        case (.PS256, .rsa(let key, _)):
            return Self.verify(signature, SHA256.hash(data: message), key, .PSS)
        case (.PS384, .rsa(let key, _)):
            return Self.verify(signature, SHA384.hash(data: message), key, .PSS)
        case (.PS512, .rsa(let key, _)):
            return Self.verify(signature, SHA512.hash(data: message), key, .PSS)
        case (.ES256, .p256(let key)):
            guard let value = try? P256.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(value, for: SHA256.hash(data: message))
        case (.ES384, .p384(let key)):
            guard let value = try? P384.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(value, for: SHA384.hash(data: message))
        case (.ES512, .p521(let key)):
            guard let value = try? P521.Signing.ECDSASignature(rawRepresentation: signature) else { return false }
            return key.isValidSignature(value, for: SHA512.hash(data: message))
        case (.EdDSA, .ed25519(let key)):
            return key.isValidSignature(signature, for: message)
        case (.HS256, .secret(let key)):
            return HMAC<SHA256>.isValidAuthenticationCode(signature, authenticating: message, using: key)
        case (.HS384, .secret(let key)):
            return HMAC<SHA384>.isValidAuthenticationCode(signature, authenticating: message, using: key)
        case (.HS512, .secret(let key)):
            return HMAC<SHA512>.isValidAuthenticationCode(signature, authenticating: message, using: key)
        case (_, .rsa), (_, .p256), (_, .p384), (_, .p521), (_, .ed25519), (_, .secret):
            return false
        }
    }

    private static func verify(
        _ signature: [UInt8], _ digest: some Digest, _ key: _RSA.Signing.PublicKey, _ padding: _RSA.Signing.Padding
    ) -> Bool {
        key.isValidSignature(_RSA.Signing.RSASignature(rawRepresentation: signature), for: digest, padding: padding)
    }
}

extension Algorithm {
    /// The length of the algorithm's hash, which an HMAC key must not fall below (RFC 7518 §3.2).
    var digestBytes: Int {
        switch self {
        case .RS256, .PS256, .ES256, .HS256: 32
        case .RS384, .PS384, .ES384, .HS384: 48
        case .RS512, .PS512, .ES512, .HS512, .EdDSA: 64
        }
    }
}
