import Authentication
import Identity
import StrictJSON
import Synchronization
import TestKit
import Testing

@Suite struct KeySourceTests {
    private static let algorithms: Set<Algorithm> = [.ES256]

    private final class Count: Sendable {
        private let calls = Atomic<Int>(0)
        var value: Int { calls.load(ordering: .relaxed) }
        func add() { calls.wrappingAdd(1, ordering: .relaxed) }
    }

    private func set(_ mints: TokenMint...) throws -> KeySet {
        try KeySet.parse(jwks: TokenMint.jwks(mints).bytes, for: Self.algorithms)
    }

    private func issuer(_ source: KeySource) -> Authenticator {
        Authenticator(issuers: [.test(keys: nil) { $0.keys = source }], solutions: [])
    }

    @Test func publishingSaysWhatChanged() throws {
        let first = try TokenMint("ES256", keyID: "1")
        let second = try TokenMint("ES256", keyID: "2")
        let renamed = TokenMint(keyID: "3", key: first.key)
        let empty = try set()
        let source = KeySource(initial: nil)
        #expect(source.current == nil)
        #expect(source.publish(empty) == .added)
        #expect(source.current?.isEmpty == true)
        #expect(source.publish(empty) == .unchanged)
        #expect(source.publish(try set(first)) == .added)
        #expect(source.publish(try set(first)) == .unchanged)
        #expect(source.publish(try set(second, first)) == .added)
        #expect(source.publish(try set(first, second)) == .unchanged)
        #expect(source.publish(empty) == .refusedEmpty)
        #expect(source.current?.count == 2)
        #expect(source.publish(try set(second)) == .removed)
        #expect(source.publish(try set(second, renamed)) == .added)
        #expect(source.publish(try set(second, first)) == .removed)
    }

    @Test func withoutAnyKeysEverTheAnswerIsNotAboutTheToken() throws {
        let count = Count()
        let mint = try TokenMint("ES256")
        let source = KeySource(initial: nil, onUnknownKeyID: count.add)
        let authenticator = issuer(source)
        let token = SignatureTests.bearer(try mint.token(.claims()))
        #expect(authenticator.complete(token, now: .testNow) == .failure(.keysUnavailable(issuer: "idp")))
        #expect(count.value == 1)
        // Junk is still junk, and asks nobody for keys.
        let expired = SignatureTests.bearer(try mint.token(.claims(["exp": 1])))
        #expect(authenticator.complete(expired, now: .testNow) == .failure(.invalid(.expired)))
        #expect(count.value == 1)
        source.publish(try set(mint))
        #expect(throws: Never.self) { try authenticator.complete(token, now: .testNow).get() }
    }

    @Test func anUnknownKeyIDAsksOnceAndFindsTheNewKey() throws {
        let count = Count()
        let old = try TokenMint("ES256", keyID: "old")
        let new = try TokenMint("ES256", keyID: "new")
        let source = KeySource(initial: try set(old), onUnknownKeyID: count.add)
        let authenticator = issuer(source)
        let token = SignatureTests.bearer(try new.token(.claims()))
        for _ in 0..<5 {
            #expect(authenticator.complete(token, now: .testNow) == .failure(.invalid(.unknownKey)))
        }
        #expect(count.value == 1)
        source.publish(try set(old, new))
        #expect(throws: Never.self) { try authenticator.complete(token, now: .testNow).get() }
        #expect(count.value == 1)
    }

    @Test func nothingButAnUnknownKeyIDOfACurrentTokenAsks() throws {
        let count = Count()
        let mint = try TokenMint("ES256", keyID: "known")
        let source = KeySource(initial: try set(mint), onUnknownKeyID: count.add)
        let authenticator = issuer(source)
        let unknown = TokenMint(keyID: "unknown", key: mint.key)
        for claims: Literal in [
            .claims(["exp": 1_799_999_000]), .claims(["aud": "other"]), .claims(["iss": "other"]),
            .claims(["nbf": 1_900_000_000]),
        ] {
            _ = authenticator.complete(SignatureTests.bearer(try unknown.token(claims)), now: .testNow)
        }
        _ = authenticator.complete(SignatureTests.bearer(try mint.token(.claims())), now: .testNow)
        #expect(count.value == 0)
    }
}

@Suite struct RefetchPolicyTests {
    @Test func aKeyIDIsAskedForOncePerLifetime() {
        var policy = RefetchPolicy(minimumInterval: 10, negativeLifetime: 60)
        #expect(policy.shouldRefetch(keyID: "a", now: 1_000) == true)
        #expect(policy.shouldRefetch(keyID: "a", now: 1_010) == false)
        #expect(policy.shouldRefetch(keyID: "a", now: 1_059) == false)
        #expect(policy.shouldRefetch(keyID: "a", now: 1_060) == true)
        #expect(policy.shouldRefetch(keyID: "a", now: 1_070) == false)
    }

    @Test func fetchesKeepTheirDistanceAndNoKeyIDSuffersForIt() {
        var policy = RefetchPolicy(minimumInterval: 10, negativeLifetime: 60)
        #expect(policy.shouldRefetch(keyID: "a", now: 1_000) == true)
        #expect(policy.shouldRefetch(keyID: "b", now: 1_009) == false)
        #expect(policy.shouldRefetch(keyID: "b", now: 1_010) == true)
        #expect(policy.shouldRefetch(keyID: "b", now: 1_020) == false)
    }

    @Test func bogusKeyIDsCannotRaiseTheRate() {
        var policy = RefetchPolicy(minimumInterval: 10, negativeLifetime: 60)
        var fetches = 0
        for millisecond in 0..<100_000 {
            if policy.shouldRefetch(keyID: "bogus-\(millisecond)", now: Int64(millisecond / 1_000)) { fetches += 1 }
        }
        #expect(fetches == 10)
    }

    @Test func theMemoryIsBounded() {
        var policy = RefetchPolicy(minimumInterval: 1, negativeLifetime: 1_000_000)
        for number in 0..<257 { #expect(policy.shouldRefetch(keyID: "\(number)", now: Int64(number)) == true) }
        // The oldest of 257 was forgotten, the others were not.
        #expect(policy.shouldRefetch(keyID: "1", now: 1_000) == false)
        #expect(policy.shouldRefetch(keyID: "0", now: 1_000) == true)
    }

    @Test func aClockSetBackSilencesNothing() {
        var policy = RefetchPolicy(minimumInterval: 10, negativeLifetime: 60)
        #expect(policy.shouldRefetch(keyID: "a", now: 1_000_000) == true)
        #expect(policy.shouldRefetch(keyID: "b", now: 5) == true)
        #expect(policy.shouldRefetch(keyID: "a", now: 20) == true)
    }

    @Test func noKeyIDIsAKeyIDOfItsOwn() {
        var policy = RefetchPolicy(minimumInterval: 1, negativeLifetime: 60)
        #expect(policy.shouldRefetch(keyID: nil, now: 0) == true)
        #expect(policy.shouldRefetch(keyID: "", now: 1) == true)
        #expect(policy.shouldRefetch(keyID: nil, now: 2) == false)
    }
}
