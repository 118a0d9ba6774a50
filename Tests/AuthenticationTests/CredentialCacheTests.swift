import Authentication
import Identity
import TestKit
import Testing

/// What a cache holds in these tests.
final class Payload: Sendable {
    let number: Int

    init(_ number: Int) {
        self.number = number
    }
}

@Suite struct CredentialCacheTests {
    static let hashKey: CredentialHashKey = {
        var random = SeededGenerator(seed: 7)
        return CredentialHashKey(random: &random)
    }()

    static func token(_ number: Int, count: Int = 40) -> [UInt8] {
        let tail = Array("token-\(number)".utf8)
        return [UInt8](repeating: UInt8(ascii: "x"), count: max(0, count - tail.count)) + tail
    }

    @Test func whatWasPutInIsFoundAgain() {
        var cache = CredentialCache<Payload>(key: Self.hashKey)
        for number in 0..<500 { cache.put(Self.token(number), number) }
        for number in 0..<500 { #expect(cache.get(Self.token(number)) == number) }
        #expect(cache.count == 500)
        #expect(cache.get(Self.token(500)) == nil)
    }

    @Test func everyByteCounts() {
        // The hash looks at the tails only, so a difference in front of them must be found by the comparison.
        for count in [1, 2, 7, 8, 9, 15, 16, 63, 64, 65, 71, 200] {
            var cache = CredentialCache<Payload>(key: Self.hashKey)
            let token = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
            cache.put(token, 1)
            #expect(cache.get(token) == 1)
            for index in token.indices {
                var other = token
                other[index] ^= 1
                #expect(cache.get(other) == nil, "byte \(index) of \(count)")
            }
            #expect(cache.get(token + [0]) == nil)
            #expect(cache.get(Array(token.dropLast())) == nil)
            #expect(cache.get(token) == 1)
        }
    }

    @Test func theBorderBetweenTheFieldsCounts() {
        var cache = CredentialCache<Payload>(key: Self.hashKey)
        cache.put(Array("ab".utf8), apiToken: Array("c".utf8), 1)
        #expect(cache.get(Array("ab".utf8), apiToken: Array("c".utf8)) == 1)
        #expect(cache.get(Array("a".utf8), apiToken: Array("bc".utf8)) == nil)
        #expect(cache.get(Array("abc".utf8)) == nil)
        #expect(cache.get([], apiToken: Array("abc".utf8)) == nil)
    }

    @Test func theKindsOfTheRouteCount() {
        var cache = CredentialCache<Payload>(key: Self.hashKey)
        cache.put(Array("ab".utf8), allowed: [.jwt, .apiToken], 1)
        #expect(cache.get(Array("ab".utf8), allowed: [.jwt]) == nil)
        #expect(cache.get(Array("ab".utf8), allowed: .all) == nil)
        #expect(cache.get(Array("ab".utf8), allowed: [.jwt, .apiToken]) == 1)
    }

    @Test func anEntryEndsWithItsExpiry() {
        var cache = CredentialCache<Payload>(key: Self.hashKey)
        cache.put(Self.token(1), 1, expires: 100, now: 50)
        #expect(cache.get(Self.token(1), now: 99) == 1)
        #expect(cache.get(Self.token(1), now: 100) == nil)
        #expect(cache.count == 0)
        cache.put(Self.token(1), 1, expires: 100, now: 100)
        #expect(cache.count == 0)
    }

    @Test func anotherGenerationIsAMiss() {
        var cache = CredentialCache<Payload>(key: Self.hashKey)
        cache.put(Self.token(1), 1, generation: 1)
        #expect(cache.get(Self.token(1), generation: 2) == nil)
        cache.put(Self.token(1), 2, generation: 2)
        #expect(cache.get(Self.token(1), generation: 2) == 2)
        // Gone for good, even if a number came back.
        #expect(cache.get(Self.token(1), generation: 1) == nil)
    }

    @Test func theSameKeyIsReplaced() {
        var cache = CredentialCache<Payload>(key: Self.hashKey)
        cache.put(Self.token(1), 1)
        cache.put(Self.token(1), 2)
        #expect(cache.count == 1)
        #expect(cache.get(Self.token(1)) == 2)
    }

    @Test(arguments: [0, 8, 100, 1_024])
    func capacityIsNeverExceeded(_ capacity: Int) {
        var cache = CredentialCache<Payload>(key: Self.hashKey, capacity: capacity)
        for number in 0..<5_000 {
            cache.put(Self.token(number), number)
            #expect(cache.count <= max(8, capacity))
            #expect(cache.get(Self.token(number)) == number)
        }
        // Eight slots to choose from leave few of them unused.
        #expect(cache.count >= max(8, capacity) / 2)
    }

    @Test func bytesAreBounded() {
        var cache = CredentialCache<Payload>(key: Self.hashKey, maximumBytes: 10_000)
        for number in 0..<200 { cache.put(Self.token(number, count: 1_000), number) }
        #expect(cache.count == 10)
        cache.put(Self.token(1, count: 10_001), 1)
        #expect(cache.get(Self.token(1, count: 10_001)) == nil)
        #expect(cache.get(Self.token(199, count: 1_000)) == 199)
    }

    @Test func whatIsUsedStaysAndWhatIsIdleGoes() {
        var cache = CredentialCache<Payload>(key: Self.hashKey, capacity: 256)
        cache.put(Self.token(-1), -1)
        for number in 0..<5_000 {
            cache.put(Self.token(number), number)
            #expect(cache.get(Self.token(-1)) == -1, "evicted at \(number)")
        }
    }

    @Test func theDeadGiveWayFirst() {
        var cache = CredentialCache<Payload>(key: Self.hashKey, capacity: 64)
        for number in 0..<64 { cache.put(Self.token(number), number, expires: 10, now: 0) }
        for number in 100..<110 { cache.put(Self.token(number), number, expires: 1_000, now: 20) }
        for number in 100..<110 { #expect(cache.get(Self.token(number), now: 20) == number) }
    }

    @Test func anEmptyKeyIsNotKept() {
        var cache = CredentialCache<Payload>(key: Self.hashKey)
        cache.put([], 1)
        #expect(cache.count == 0)
        #expect(cache.get([]) == nil)
    }

    @Test func removeAllForgets() {
        var cache = CredentialCache<Payload>(key: Self.hashKey)
        for number in 0..<500 { cache.put(Self.token(number), number) }
        cache.removeAll()
        #expect(cache.count == 0)
        #expect(cache.get(Self.token(3)) == nil)
        cache.put(Self.token(3), 3)
        #expect(cache.get(Self.token(3)) == 3)
    }

    @Test func valuesAreReleased() {
        var cache = CredentialCache<Payload>(key: Self.hashKey, capacity: 8)
        weak var first: Payload?
        do {
            let payload = Payload(1)
            first = payload
            cache.insert(
                CredentialKey(PresentedCredentials(authorization: Self.token(1)), allowed: .all), value: payload,
                expires: .max, generation: 1, now: 0)
        }
        #expect(first != nil)
        #expect(cache.get(Self.token(1), generation: 2) == nil)
        #expect(first == nil)
    }
}

extension CredentialCache where Value == Payload {
    mutating func put(
        _ authorization: [UInt8], apiToken: [UInt8] = [], allowed: CredentialSet = .all, _ number: Int,
        expires: Int64 = .max, generation: UInt64 = 1, now: Int64 = 0
    ) {
        let key = CredentialKey(authorization: authorization.span, apiToken: apiToken.span, allowed: allowed)
        insert(key, value: Payload(number), expires: expires, generation: generation, now: now)
    }

    mutating func get(
        _ authorization: [UInt8], apiToken: [UInt8] = [], allowed: CredentialSet = .all, generation: UInt64 = 1,
        now: Int64 = 0
    ) -> Int? {
        find(
            authorization: authorization.span, apiToken: apiToken.span, allowed: allowed, generation: generation,
            now: now)?.value.number
    }
}
