import Authentication
import Identity
import TestKit
import Testing

@Suite struct SharedCredentialCacheTests {
    private func key(_ number: Int) -> CredentialKey {
        CredentialKey(
            PresentedCredentials(authorization: CredentialCacheTests.token(number)), allowed: .all)
    }

    private func lookup(
        _ cache: SharedCredentialCache<Payload>, _ number: Int, generation: UInt64 = 1, now: Int64 = 0
    ) -> SharedCredentialCache<Payload>.Hit? {
        let token = CredentialCacheTests.token(number)
        let none: [UInt8] = []
        return cache.lookup(
            authorization: token.span, apiToken: none.span, allowed: .all, generation: generation, now: now)
    }

    @Test func aHitFillsAnotherCache() throws {
        let shared = SharedCredentialCache<Payload>(key: CredentialCacheTests.hashKey)
        for number in 0..<300 {
            shared.insert(key(number), value: Payload(number), expires: 100, generation: 1, now: 0)
        }
        #expect(shared.count == 300)
        var own = CredentialCache<Payload>(key: CredentialCacheTests.hashKey)
        for number in 0..<300 {
            let hit = try #require(lookup(shared, number))
            #expect(hit.value.number == number)
            #expect(hit.expires == 100)
            own.insert(hit.key, value: hit.value, expires: hit.expires, generation: 1, now: 0)
            #expect(own.get(CredentialCacheTests.token(number)) == number)
        }
        #expect(lookup(shared, 300) == nil)
    }

    @Test func expiryAndGenerationHold() {
        let shared = SharedCredentialCache<Payload>(key: CredentialCacheTests.hashKey)
        shared.insert(key(1), value: Payload(1), expires: 100, generation: 1, now: 0)
        #expect(lookup(shared, 1, now: 99)?.value.number == 1)
        #expect(lookup(shared, 1, generation: 2) == nil)
        shared.insert(key(1), value: Payload(1), expires: 100, generation: 2, now: 0)
        #expect(lookup(shared, 1, generation: 2, now: 100) == nil)
        shared.insert(key(1), value: Payload(1), expires: 100, generation: 2, now: 0)
        shared.removeAll()
        #expect(shared.count == 0)
    }

    @Test func capacityHoldsUnderManyWriters() async {
        let shared = SharedCredentialCache<Payload>(key: CredentialCacheTests.hashKey, capacity: 1_024)
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<8 {
                group.addTask {
                    for number in 0..<1_000 {
                        let name = writer * 1_000 + number
                        shared.insert(self.key(name), value: Payload(name), expires: .max, generation: 1, now: 0)
                        if let hit = self.lookup(shared, name) { #expect(hit.value.number == name) }
                    }
                }
            }
        }
        #expect(shared.count <= 1_024)
        #expect(shared.count >= 512)
    }
}
