import Authentication
import Identity
import StrictJSON
import TestKit
import Testing

/// All of `Tests/Oracles/jwt-cases.json`: verdict and class of the reason.
@Suite struct JWTOracleTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let id: String
        let token: [UInt8]
        let isAccepted: Bool
        let reason: String?

        var testDescription: String { id }
    }

    /// Cases in which our class of reason differs from the file's, and why.
    private static let otherReasons: [String: (reason: String, why: String)] = [
        "kid-wrong-same-type": ("alg", "the named key says PS256 itself, so RS256 is refused before any signature"),
        "sig-trunc": ("format", "what is left of the text has unused bits that are not zero: no base64url"),
    ]

    static let cases: [Case] = {
        guard let document = try? JSON.parse(Oracle.bytes("jwt-cases.json"), limits: .configuration) else { return [] }
        return (document.member("cases")?.array ?? []).map { element in
            Case(
                id: element.member("id")?.string ?? "?", token: Array((element.member("token")?.string ?? "").utf8),
                isAccepted: element.member("expect")?.string == "accept", reason: element.member("reason")?.string)
        }
    }()

    /// The verifier the file's `config` describes, with the issuer that `iss-nfc-ok` assumes beside it.
    ///
    /// `changing` names a case whose token is only to be refused because of a bad key, which the file leaves to us.
    private static func authenticator(changing id: String) throws -> (Authenticator, now: Int64) {
        let config = try #require(
            try JSON.parse(Oracle.bytes("jwt-cases.json"), limits: .configuration).member("config"))
        let names = try #require(config.member("algorithms")?.array).compactMap(\.string)
        let algorithms = Set(names.compactMap(Algorithm.init(name:)))
        #expect(algorithms.count == names.count)
        let common = try #require(config.member("jwks")?.member("keys")?.array).map { Literal($0) }
        let keySet: Literal = ["keys": .array(try changed(common, for: id))]
        let keys = try KeySet.parse(jwks: keySet.bytes, for: algorithms)
        let issuers = ["https://issuer.test", "https://caf\u{e9}.test"].map { issuer in
            Issuer(
                name: issuer, issuer: issuer, audiences: [config.member("audience")?.string ?? ""],
                algorithms: algorithms, keys: KeySource(initial: keys),
                clockSkew: config.member("leeway")?.number?.integer ?? 0,
                maximumTokenBytes: Int(config.member("max_token_bytes")?.number?.integer ?? 0),
                maximumDepth: Int(config.member("max_json_depth")?.number?.integer ?? 0))
        }
        let now = try #require(config.member("now")?.number?.integer)
        return (Authenticator(issuers: issuers, solutions: []), now)
    }

    @Test func theFileIsComplete() {
        #expect(Self.cases.count == 116)
    }

    @Test(arguments: cases)
    func verdict(_ item: Case) throws {
        let (authenticator, now) = try Self.authenticator(changing: item.id)
        let presented = PresentedCredentials(authorization: Array("Bearer ".utf8) + item.token)
        let result = authenticator.complete(presented, allowed: .all, now: now)
        switch result {
        case .success:
            #expect(item.isAccepted, "accepted, though it is to be refused")
        case .failure(let failure):
            #expect(!item.isAccepted, "refused as \(failure)")
            let expected = Self.otherReasons[item.id]?.reason ?? item.reason
            #expect(Self.reason(failure) == expected)
        }
    }

    /// The key set of a case of which the file only says in words what is wrong with its key.
    private static func changed(_ keys: [Literal], for id: String) throws -> [Literal] {
        switch id {
        case "key-ops-sign-only":
            keys.map { $0["kid"] == "rs" ? $0.merging(["key_ops": ["sign"]]) : $0 }
        case "ec-coord-ge-p":
            try keys.map { key in
                guard key["kid"] == "es" else { return key }
                let x = try #require(decodeBase64url(key["x"] ?? ""))
                return key.merging(["x": .string(base64url(addingP256Prime(x)))])
            }
        case "key-unknown-kty":
            keys + [["kty": "XYZ", "kid": "future", "use": "sig", "q": "AQAB"]]
        case "key-dup-kid":
            keys.flatMap { $0["kid"] == "es" ? [$0, $0.merging(["kid": "rs"])] : [$0] }
        case "ed-small-order":
            keys + [
                [
                    "kty": "OKP", "kid": "so", "crv": "Ed25519",
                    "x": .string(base64url([1] + [UInt8](repeating: 0, count: 31))),
                ]
            ]
        case "hs-weak":
            keys + [["kty": "oct", "kid": "w", "k": .string(base64url(Array("secret".utf8)))]]
        case "ec-zero-point":
            keys + [
                [
                    "kty": "EC", "kid": "bad", "crv": "P-256",
                    "x": .string(base64url([UInt8](repeating: 0, count: 32))),
                    "y": .string(base64url([UInt8](repeating: 0, count: 32))),
                ]
            ]
        case "rsa-e-even":
            keys + keys.filter { $0["kid"] == "rs" }.map { $0.merging(["kid": "e2", "e": "Ag"]) }
        default: keys
        }
    }

    /// Our reasons in the words of the file.
    private static func reason(_ failure: AuthenticationFailure) -> String {
        switch failure {
        case .malformed: "format"
        case .missing, .contradictory, .keysUnavailable, .overloaded: "none"
        case .invalid(let invalid):
            switch invalid {
            case .format: "format"
            case .tooLarge: "size"
            case .algorithm: "alg"
            case .critical: "crit"
            case .type: "typ"
            case .unknownIssuer, .audience, .claims: "claims"
            case .expired: "expired"
            case .notYetValid: "not_yet"
            case .unknownKey: "key"
            case .signature: "signature"
            case .unknownAPIToken, .expiredAPIToken, .badSecret: "none"
            case .binding, .certificateNames, .expiredCertificate: "none"
            }
        }
    }
}

/// Base64url by the book, independent of the room's own decoder.
func decodeBase64url(_ text: String) -> [UInt8]? {
    let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
    var bits: UInt32 = 0
    var held = 0
    var output: [UInt8] = []
    for character in text.utf8 {
        guard let value = alphabet.firstIndex(of: character) else { return nil }
        bits = (bits << 6 | UInt32(value)) & 0xfff
        held += 6
        if held >= 8 {
            held -= 8
            output.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
        }
    }
    return output
}

/// A P-256 coordinate plus the prime of the field: 33 bytes that mean the same point to a lax reader.
private func addingP256Prime(_ coordinate: [UInt8]) -> [UInt8] {
    let prime: [UInt8] =
        [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1] + [UInt8](repeating: 0, count: 12) + [UInt8](repeating: 0xff, count: 12)
    var carry = 0
    var sum: [UInt8] = []
    for (a, b) in zip(coordinate.reversed(), prime.reversed()) {
        let digit = Int(a) + Int(b) + carry
        sum.append(UInt8(truncatingIfNeeded: digit))
        carry = digit >> 8
    }
    return [UInt8(carry)] + sum.reversed()
}
