import Crypto
import CryptoExtras
import FoundationEssentials
import StrictJSON

/// Why one key of a set is left out.
struct UnusableKey: Error {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}

extension VerificationKey {
    /// Reads one JWK (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2) and refuses whatever would weaken a signature.
    init(jwk: JSON, algorithms allowed: Set<Algorithm>) throws(UnusableKey) {
        guard jwk.object != nil else { throw UnusableKey("the key is not an object") }
        guard let type = jwk.member("kty")?.string else { throw UnusableKey("the key has no kty") }
        if let keyID = jwk.member("kid"), keyID.string == nil { throw UnusableKey("kid is not a string") }
        try Self.requireForVerifying(jwk)
        let declared = try Self.declaredAlgorithm(jwk)

        let parsed: (family: Algorithm.Family, material: Material, bytes: [UInt8])
        switch type {
        case "RSA": parsed = try Self.rsa(jwk)
        case "EC": parsed = try Self.ellipticCurve(jwk)
        case "OKP": parsed = try Self.octetKeyPair(jwk)
        case "oct": parsed = try Self.secret(jwk)
        default: throw UnusableKey("kty \(type.prefix(32)) is not supported; RSA, EC, OKP and oct are")
        }

        var usable = allowed.filter { $0.family == parsed.family }
        if let declared {
            guard declared.family == parsed.family else {
                throw UnusableKey("alg \(declared.rawValue) does not fit this kind of key")
            }
            usable.formIntersection([declared])
        }
        guard !usable.isEmpty else {
            throw UnusableKey("none of the algorithms configured for the issuer can use this key")
        }
        if parsed.family == .secret {
            usable = usable.filter { $0.digestBytes <= parsed.bytes.count }
            guard !usable.isEmpty else {
                throw UnusableKey("the secret is shorter than the hash of its algorithm (RFC 7518 section 3.2)")
            }
        }
        self.keyID = jwk.member("kid")?.string
        self.algorithms = usable
        self.material = parsed.material
        self.fingerprint = Self.fingerprint(keyID: jwk.member("kid")?.string, type, usable, parsed.bytes)
    }

    // MARK: - What the key is meant for

    private static func requireForVerifying(_ jwk: JSON) throws(UnusableKey) {
        if let use = jwk.member("use") {
            guard use.string == "sig" else { throw UnusableKey("use is not sig") }
        }
        if let operations = jwk.member("key_ops") {
            guard let names = operations.array, names.contains(where: { $0.string == "verify" }) else {
                throw UnusableKey("key_ops does not hold verify")
            }
        }
        for name in ["d", "p", "q", "dp", "dq", "qi", "oth"] where jwk.member(name) != nil {
            throw UnusableKey("the key is private (it has \(name)); publish the public half only and replace the key")
        }
    }

    private static func declaredAlgorithm(_ jwk: JSON) throws(UnusableKey) -> Algorithm? {
        guard let member = jwk.member("alg") else { return nil }
        guard let name = member.string else { throw UnusableKey("alg is not a string") }
        guard let algorithm = Algorithm(name: name) else {
            throw UnusableKey("alg \(name.prefix(32)) is not supported")
        }
        return algorithm
    }

    // MARK: - Kinds of key

    private typealias Parsed = (family: Algorithm.Family, material: Material, bytes: [UInt8])

    /// At least 2048 bits (RFC 7518 §3.3), at most 8192 so that one token cannot cost milliseconds, and an odd
    /// exponent from 65537 (FIPS 186-5 §5.4) to 33 bits, which is what BoringSSL takes.
    private static func rsa(_ jwk: JSON) throws(UnusableKey) -> Parsed {
        // Some libraries write the leading zero byte of a signed number (RFC 7518 §6.3.1.1 mentions it): no harm.
        let modulus = Array(try field("n", of: jwk).drop { $0 == 0 })
        let exponent = Array(try field("e", of: jwk).drop { $0 == 0 })
        guard let first = modulus.first, let last = modulus.last else { throw UnusableKey("the modulus is zero") }
        let bits = modulus.count * 8 - first.leadingZeroBitCount
        guard bits >= 2_048 else { throw UnusableKey("RSA with \(bits) bits is too weak; 2048 is the least") }
        guard bits <= 8_192 else { throw UnusableKey("RSA with \(bits) bits is too costly; 8192 is the most") }
        guard last & 1 == 1 else { throw UnusableKey("the RSA modulus is even") }
        guard exponent.count <= 5 else { throw UnusableKey("the RSA exponent is longer than 33 bits") }
        let value = exponent.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard value & 1 == 1 else { throw UnusableKey("the RSA exponent is even") }
        guard value >= 65_537 else { throw UnusableKey("the RSA exponent is smaller than 65537") }
        guard value < 1 << 33 else { throw UnusableKey("the RSA exponent is longer than 33 bits") }
        guard let key = try? _RSA.Signing.PublicKey(n: modulus, e: exponent) else {
            throw UnusableKey("n and e are no RSA public key")
        }
        return (.rsa, .rsa(key, modulusBytes: modulus.count), modulus + exponent)
    }

    /// Coordinates have the full length of the curve's field (RFC 7518 §6.2.1.2) and make a point on it.
    private static func ellipticCurve(_ jwk: JSON) throws(UnusableKey) -> Parsed {
        guard let curve = jwk.member("crv")?.string else { throw UnusableKey("the key has no crv") }
        let x = try field("x", of: jwk)
        let y = try field("y", of: jwk)
        let lengths = ["P-256": 32, "P-384": 48, "P-521": 66]
        guard let length = lengths[curve] else {
            throw UnusableKey("crv \(curve.prefix(32)) is not supported; P-256, P-384 and P-521 are")
        }
        guard x.count == length, y.count == length else {
            throw UnusableKey("x and y must be \(length) bytes each for \(curve)")
        }
        let point = x + y
        switch curve {
        case "P-256":
            guard let key = try? P256.Signing.PublicKey(rawRepresentation: point) else { break }
            return (.p256, .p256(key), point)
        case "P-384":
            guard let key = try? P384.Signing.PublicKey(rawRepresentation: point) else { break }
            return (.p384, .p384(key), point)
        default:
            guard let key = try? P521.Signing.PublicKey(rawRepresentation: point) else { break }
            return (.p521, .p521(key), point)
        }
        throw UnusableKey("x and y are no point on \(curve)")
    }

    private static func octetKeyPair(_ jwk: JSON) throws(UnusableKey) -> Parsed {
        guard let curve = jwk.member("crv")?.string, curve == "Ed25519" else {
            throw UnusableKey("crv of an OKP key must be Ed25519")
        }
        let point = try field("x", of: jwk)
        guard point.count == 32 else { throw UnusableKey("an Ed25519 key has 32 bytes") }
        guard Ed25519Point.isCanonical(point) else { throw UnusableKey("the Ed25519 key is not canonically encoded") }
        guard !Ed25519Point.isSmallOrder(point) else {
            throw UnusableKey("the Ed25519 key is of small order: signatures that nobody made would verify")
        }
        guard let key = try? Curve25519.Signing.PublicKey(rawRepresentation: point) else {
            throw UnusableKey("x is no Ed25519 public key")
        }
        return (.ed25519, .ed25519(key), point)
    }

    private static func secret(_ jwk: JSON) throws(UnusableKey) -> Parsed {
        let secret = try field("k", of: jwk)
        return (.secret, .secret(SymmetricKey(data: secret)), secret)
    }

    // MARK: - Fields

    private static func field(_ name: String, of jwk: JSON) throws(UnusableKey) -> [UInt8] {
        guard let text = jwk.member(name)?.string else { throw UnusableKey("the key has no \(name)") }
        guard let bytes = Base64.decodeURL(Array(text.utf8)[...]), !bytes.isEmpty else {
            throw UnusableKey("\(name) is not base64url without padding")
        }
        return bytes
    }

    private static func fingerprint(
        keyID: String?, _ type: String, _ algorithms: Set<Algorithm>, _ bytes: [UInt8]
    ) -> [UInt8] {
        var hash = SHA256()
        // Each part is led by its length, so that no two keys run together into the same bytes.
        var parts = [Array(type.utf8), bytes] + algorithms.map(\.rawValue).sorted().map { Array($0.utf8) }
        if let keyID { parts.append(Array(keyID.utf8)) }
        for part in parts {
            hash.update(data: littleEndian(part.count))
            hash.update(data: part)
        }
        return Array(hash.finalize())
    }

    private static func littleEndian(_ length: Int) -> [UInt8] {
        stride(from: 0, to: 64, by: 8).map { UInt8(truncatingIfNeeded: length >> $0) }
    }
}
