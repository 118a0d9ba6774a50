import Authentication
import Crypto
import CryptoExtras
import FoundationEssentials
import Identity
import StrictJSON
import TestKit
import Testing

/// Signatures of every algorithm, made with private keys of our own.
@Suite struct SignatureTests {
    static let names = Algorithm.allCases.map(\.rawValue)

    /// One key of each algorithm; making RSA keys is slow, so they are made once.
    static let mints: [String: TokenMint] = {
        var mints: [String: TokenMint] = [:]
        for name in names { mints[name] = try? TokenMint(name, keyID: name) }
        return mints
    }()

    static func authenticator(algorithms: Set<Algorithm> = Set(Algorithm.allCases)) throws -> Authenticator {
        let jwks = try TokenMint.jwks(names.compactMap { mints[$0] })
        let keys = try KeySet.parse(jwks: jwks.bytes, for: algorithms)
        return Authenticator(issuers: [.test(keys: keys, algorithms: algorithms)], solutions: [])
    }

    static func bearer(_ token: String) -> PresentedCredentials {
        PresentedCredentials(authorization: Array("Bearer \(token)".utf8))
    }

    @Test(arguments: names)
    func aTokenOfEveryAlgorithmIsAccepted(_ name: String) throws {
        let mint = try #require(Self.mints[name])
        let result = try Self.authenticator().complete(Self.bearer(mint.token(.claims())), now: .testNow)
        #expect(try result.get().principal.subjects == ["idp:user-1"])
    }

    @Test(arguments: names)
    func everyChangedBitOfTheSignatureIsNoticed(_ name: String) throws {
        let mint = try #require(Self.mints[name])
        let authenticator = try Self.authenticator()
        let parts = try mint.token(.claims()).split(separator: ".").map(String.init)
        let signature = try #require(decodeBase64url(parts[2]))
        for index in stride(from: 0, to: signature.count, by: max(1, signature.count / 9)) {
            var changed = signature
            changed[index] ^= 0x10
            let token = "\(parts[0]).\(parts[1]).\(base64url(changed))"
            let result = authenticator.complete(Self.bearer(token), now: .testNow)
            #expect(result == .failure(.invalid(.signature)), "byte \(index)")
        }
    }

    @Test(arguments: names)
    func aSignatureOfAnotherLengthIsRefused(_ name: String) throws {
        let mint = try #require(Self.mints[name])
        let authenticator = try Self.authenticator()
        let parts = try mint.token(.claims()).split(separator: ".").map(String.init)
        let signature = try #require(decodeBase64url(parts[2]))
        let others: [[UInt8]] = [
            [], [0], signature + [0], [0] + signature, Array(signature.dropLast()), Array(signature.dropFirst()),
            signature + signature,
        ]
        for other in others {
            let token = "\(parts[0]).\(parts[1]).\(base64url(other))"
            let step = authenticator.begin(Self.bearer(token), allowed: .jwt, now: .testNow)
            guard case .finished(.failure(.invalid(.signature))) = step else {
                Issue.record("\(other.count) bytes went past the cheap checks")
                continue
            }
        }
    }

    @Test(arguments: names)
    func theSameKeyUnderAnotherAlgorithmIsRefused(_ name: String) throws {
        let mint = try #require(Self.mints[name])
        let authenticator = try Self.authenticator()
        for other in Self.names where other != name {
            let token = try mint.token(.claims(), header: ["alg": .string(other)])
            let result = authenticator.complete(Self.bearer(token), now: .testNow)
            #expect(result == .failure(.invalid(.algorithm)), "\(name) as \(other)")
        }
    }

    @Test(arguments: ["ES256", "ES384", "ES512"])
    func zeroAndOversizedNumbersAndDERAreRefused(_ name: String) throws {
        let mint = try #require(Self.mints[name])
        let authenticator = try Self.authenticator()
        let parts = try mint.token(.claims()).split(separator: ".").map(String.init)
        let signature = try #require(decodeBase64url(parts[2]))
        let half = signature.count / 2
        let zero = [UInt8](repeating: 0, count: half)
        let ones = [UInt8](repeating: 0xff, count: half)
        let one = Array(zero.dropLast()) + [1]
        let r = Array(signature.prefix(half))
        let s = Array(signature.suffix(half))
        for forged in [zero + zero, zero + s, r + zero, ones + s, r + ones, one + one, ones + ones, s + r] {
            let token = "\(parts[0]).\(parts[1]).\(base64url(forged))"
            #expect(
                authenticator.complete(Self.bearer(token), now: .testNow) == .failure(.invalid(.signature)))
        }
        if case .p256(let key) = mint.key {
            let message = Array("\(parts[0]).\(parts[1])".utf8)
            let der = Array(try key.signature(for: message).derRepresentation)
            let token = "\(parts[0]).\(parts[1]).\(base64url(der))"
            #expect(
                authenticator.complete(Self.bearer(token), now: .testNow) == .failure(.invalid(.signature)))
        }
    }

    @Test func theTwinOfAnEd25519SignatureIsRefused() throws {
        // S + L verifies in libraries that do not reduce S (RFC 8032 §5.1.7): the signature would be malleable.
        let mint = try #require(Self.mints["EdDSA"])
        let parts = try mint.token(.claims()).split(separator: ".").map(String.init)
        let signature = try #require(decodeBase64url(parts[2]))
        let order: [UInt8] =
            [
                0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
            ] + [UInt8](repeating: 0, count: 15) + [0x10]
        var twin = signature
        var carry = 0
        for index in 0..<32 {
            let sum = Int(twin[32 + index]) + Int(order[index]) + carry
            twin[32 + index] = UInt8(truncatingIfNeeded: sum)
            carry = sum >> 8
        }
        let token = "\(parts[0]).\(parts[1]).\(base64url(twin))"
        #expect(
            try Self.authenticator().complete(Self.bearer(token), now: .testNow) == .failure(.invalid(.signature)))
    }

    @Test func paddingsAreNotExchanged() throws {
        // The same RSA key without an alg of its own, under an issuer that allows both paddings.
        let mint = try #require(Self.mints["RS256"])
        let keys = try KeySet.parse(
            jwks: Literal.object([("keys", [try mint.jwk().without("alg")])]).bytes, for: [.RS256, .PS256])
        let authenticator = Authenticator(
            issuers: [.test(keys: keys, algorithms: [.RS256, .PS256])], solutions: [])
        let good = try mint.token(.claims())
        #expect(throws: Never.self) { try authenticator.complete(Self.bearer(good), now: .testNow).get() }
        let lying = try mint.token(.claims(), header: ["alg": "PS256"])
        #expect(authenticator.complete(Self.bearer(lying), now: .testNow) == .failure(.invalid(.signature)))
    }

    @Test func aMACIsDecidedAtOnceAndASignatureIsNot() throws {
        let authenticator = try Self.authenticator()
        for name in Self.names {
            let token = try #require(Self.mints[name]).token(.claims())
            let step = authenticator.begin(Self.bearer(token), allowed: .jwt, now: .testNow)
            switch step {
            case .finished: #expect(name.hasPrefix("HS"))
            case .pending(let proof):
                #expect(!name.hasPrefix("HS"))
                #expect(!proof.isPasswordHash)
            }
        }
    }
}
