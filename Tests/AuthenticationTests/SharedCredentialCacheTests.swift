import Authentication
import Identity
import TestKit
import Testing

@Suite struct SharedCredentialCacheTests {
    private typealias Cache = SharedCredentialCache<Payload>

    private static func key(_ number: Int, allowed: CredentialSet = .all) -> CredentialKey {
        CredentialKey(
            PresentedCredentials(authorization: CredentialCacheTests.token(number)), allowed: allowed)
    }

    private func put(
        _ cache: Cache, _ number: Int, bytes: Int = 100, expires: Int64 = .max, generation: UInt64 = 1, now: Int64 = 0
    ) {
        guard let digest = Self.key(number).digest else { return }
        cache.insert(
            digest, value: Payload(number), bytes: bytes, expires: expires, generation: generation, now: now)
    }

    private func lookup(
        _ cache: Cache, _ authorization: [UInt8], apiToken: [UInt8] = [], allowed: CredentialSet = .all,
        generation: UInt64 = 1, now: Int64 = 0
    ) -> Cache.Hit? {
        CredentialDigest(authorization: authorization.span, apiToken: apiToken.span, allowed: allowed)
            .flatMap { cache.lookup($0, generation: generation, now: now) }
    }

    private func get(_ cache: Cache, _ number: Int, generation: UInt64 = 1, now: Int64 = 0) -> Int? {
        lookup(cache, CredentialCacheTests.token(number), generation: generation, now: now)?.value.number
    }

    @Test func whatWasPutInIsFoundAgain() throws {
        let cache = Cache(key: CredentialCacheTests.hashKey)
        for number in 0..<5_000 { put(cache, number, expires: 100 + Int64(number)) }
        #expect(cache.count == 5_000)
        for number in 0..<5_000 {
            let hit = try #require(lookup(cache, CredentialCacheTests.token(number)))
            #expect(hit.value.number == number)
            #expect(hit.expires == 100 + Int64(number))
        }
        #expect(get(cache, 5_000) == nil)
    }

    @Test func everyByteCounts() throws {
        for count in [1, 8, 55, 56, 64, 65, 200] {
            let cache = Cache(key: CredentialCacheTests.hashKey)
            let token = (0..<count).map { UInt8(truncatingIfNeeded: $0) }
            let key = try #require(CredentialKey(PresentedCredentials(authorization: token), allowed: .all).digest)
            cache.insert(key, value: Payload(1), bytes: 1, expires: .max, generation: 1, now: 0)
            #expect(lookup(cache, token)?.value.number == 1)
            for index in token.indices {
                var other = token
                other[index] ^= 1
                #expect(lookup(cache, other) == nil, "byte \(index) of \(count)")
            }
            #expect(lookup(cache, token + [0]) == nil)
            #expect(lookup(cache, Array(token.dropLast())) == nil)
        }
    }

    @Test func theBorderBetweenTheFieldsAndTheKindsCount() throws {
        let cache = Cache(key: CredentialCacheTests.hashKey)
        let (ab, c, a, bc) = (Array("ab".utf8), Array("c".utf8), Array("a".utf8), Array("bc".utf8))
        let presented = PresentedCredentials(authorization: ab, apiToken: c)
        let key = try #require(CredentialKey(presented, allowed: [.jwt, .apiToken]).digest)
        cache.insert(key, value: Payload(1), bytes: 1, expires: .max, generation: 1, now: 0)
        #expect(lookup(cache, ab, apiToken: c, allowed: [.jwt, .apiToken])?.value.number == 1)
        #expect(lookup(cache, a, apiToken: bc, allowed: [.jwt, .apiToken]) == nil)
        #expect(lookup(cache, ab + c, allowed: [.jwt, .apiToken]) == nil)
        #expect(lookup(cache, [], apiToken: ab + c, allowed: [.jwt, .apiToken]) == nil)
        #expect(lookup(cache, ab, apiToken: c, allowed: .jwt) == nil)
        #expect(lookup(cache, ab, apiToken: c, allowed: .all) == nil)
    }

    @Test func expiryAndGenerationHold() {
        let cache = Cache(key: CredentialCacheTests.hashKey)
        put(cache, 1, expires: 100)
        #expect(get(cache, 1, now: 99) == 1)
        #expect(get(cache, 1, generation: 2) == nil)
        // Gone for good, even if a number came back.
        #expect(get(cache, 1) == nil)
        put(cache, 1, expires: 100, generation: 2)
        #expect(get(cache, 1, generation: 2, now: 100) == nil)
        #expect(cache.count == 0)
        put(cache, 1, expires: 100, now: 100)
        #expect(cache.count == 0)
        put(cache, 1)
        cache.removeAll()
        #expect(cache.count == 0)
        #expect(get(cache, 1) == nil)
    }

    @Test func theSameKeyIsReplacedAndAnEmptyOneHasNoDigest() {
        let cache = Cache(key: CredentialCacheTests.hashKey)
        put(cache, 1, expires: 100)
        put(cache, 1, expires: 200)
        #expect(cache.count == 1)
        #expect(get(cache, 1, now: 150) == 1)
        #expect(CredentialKey(PresentedCredentials(), allowed: .all).digest == nil)
    }

    @Test(arguments: [16, 1_024])
    func capacityIsNeverExceeded(_ capacity: Int) {
        let cache = Cache(key: CredentialCacheTests.hashKey, capacity: capacity)
        for number in 0..<10_000 {
            put(cache, number)
            #expect(get(cache, number) == number)
            #expect(cache.count <= capacity)
        }
        #expect(cache.count == capacity, "every place is used")
    }

    @Test func bytesAreBounded() {
        // A kilobyte takes 17 units of 64 bytes, and a shard has 64.
        let cache = Cache(key: CredentialCacheTests.hashKey, maximumBytes: 16 * 64 * 64)
        for number in 0..<1_000 { put(cache, number, bytes: 1_024) }
        #expect(cache.count == 16 * 3)
        put(cache, 1_000, bytes: 5_000)
        #expect(get(cache, 1_000) == nil)
        put(cache, 1_001, bytes: 4_000)
        #expect(get(cache, 1_001) == 1_001)
    }

    @Test func whatIsUsedStaysAndWhatIsIdleGoes() {
        let cache = Cache(key: CredentialCacheTests.hashKey, capacity: 16 * 64)
        put(cache, -1)
        for number in 0..<20_000 {
            put(cache, number)
            #expect(get(cache, -1) == -1, "evicted at \(number)")
        }
    }

    @Test func theDeadGiveWayFirst() {
        let cache = Cache(key: CredentialCacheTests.hashKey, capacity: 16 * 64)
        for number in 0..<16 * 64 { put(cache, number, expires: 10) }
        for number in 0..<16 * 64 { _ = get(cache, number) }
        for number in 2_000..<2_100 { put(cache, number, expires: 1_000, now: 20) }
        for number in 2_000..<2_100 { #expect(get(cache, number, now: 20) == number) }
    }

    @Test func aSweepTakesTheDeadAndNobodyElse() {
        let cache = Cache(key: CredentialCacheTests.hashKey)
        for number in 0..<20_000 { put(cache, number, expires: number % 2 == 0 ? 100 : 200) }
        for number in 20_000..<20_010 { put(cache, number, generation: 2) }
        cache.sweep(generation: 1, now: 99)
        #expect(cache.count == 20_010)
        cache.sweep(generation: 1, now: 100)
        #expect(cache.count == 10_010)
        #expect(get(cache, 1, now: 100) == 1)
        cache.sweep(generation: 2, now: 100)
        #expect(cache.count == 10)
        for number in 0..<20_000 { put(cache, number) }
        for number in 0..<20_000 { #expect(get(cache, number) == number) }
        for number in 20_000..<20_010 { #expect(get(cache, number, generation: 2) == number) }
    }

    @Test func valuesAreReleased() throws {
        let cache = Cache(key: CredentialCacheTests.hashKey)
        weak var first: Payload?
        do {
            let payload = Payload(1)
            first = payload
            cache.insert(
                try #require(Self.key(1).digest), value: payload, bytes: 1, expires: .max, generation: 1, now: 0)
        }
        #expect(first != nil)
        #expect(get(cache, 1, generation: 2) == nil)
        #expect(first == nil)
    }

    @Test func capacityHoldsUnderManyWriters() async {
        let cache = Cache(key: CredentialCacheTests.hashKey, capacity: 1_024)
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for number in 0..<1_000 {
                        let name = writer * 1_000 + number
                        self.put(cache, name)
                        if let found = self.get(cache, name) { #expect(found == name) }
                    }
                }
            }
        }
        #expect(cache.count <= 1_024)
        #expect(cache.count >= 512)
    }
}
