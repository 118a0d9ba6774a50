import TestKit
import Testing
import Upstream

@Suite struct BalancerTests {
    private func endpoints(_ weights: [Int]) -> [Endpoint] {
        weights.enumerated().map { Endpoint(host: "10.0.0.\($0)", port: 80, weight: $1) }
    }

    private func balancer(_ policy: Balancer.Policy, _ weights: [Int]) -> Balancer {
        Balancer(policy, endpoints: endpoints(weights))
    }

    // MARK: Round robin

    @Test func turnsAreSpreadEvenlyByWeight() {
        var balancer = balancer(.roundRobin, [5, 1, 1])
        let turns = (0..<14).compactMap { _ in balancer.choose(key: 0, random: 0) }
        #expect(turns == [0, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 2, 0, 0])
    }

    @Test func whoIsOutGetsNoTurn() {
        var balancer = balancer(.roundRobin, [1, 1, 1])
        balancer.setCandidate(false, 1)
        #expect((0..<4).compactMap { _ in balancer.choose(key: 0, random: 0) } == [0, 2, 0, 2])
        balancer.setCandidate(false, 0)
        balancer.setCandidate(false, 2)
        #expect(balancer.choose(key: 0, random: 0) == nil)
    }

    @Test(arguments: [Balancer.Policy.roundRobin, .leastRequest, .consistentHash])
    func theAvoidedIsTakenOnlyWhenThereIsNoOther(_ policy: Balancer.Policy) {
        var balancer = balancer(policy, [1, 1])
        for number in UInt64(0)..<50 { #expect(balancer.choose(key: number, random: number, avoiding: 0) == 1) }
        balancer.setCandidate(false, 1)
        #expect(balancer.choose(key: 0, random: 0, avoiding: 0) == 0)
    }

    @Test(arguments: [Balancer.Policy.roundRobin, .leastRequest, .consistentHash])
    func aSingleEndpointIsTheChoice(_ policy: Balancer.Policy) {
        var balancer = balancer(policy, [3])
        #expect(balancer.choose(key: 7, random: 7) == 0)
        balancer.setCandidate(false, 0)
        #expect(balancer.choose(key: 7, random: 7) == nil)
    }

    // MARK: Least request

    @Test func theLessBusyOfTwoIsTaken() {
        var balancer = balancer(.leastRequest, [1, 1])
        balancer.began(0)
        var random = SeededGenerator(seed: 1)
        for _ in 0..<50 { #expect(balancer.choose(key: 0, random: random.next()) == 1) }
        balancer.began(1)
        balancer.began(1)
        for _ in 0..<50 { #expect(balancer.choose(key: 0, random: random.next()) == 0) }
        balancer.ended(1)
        balancer.ended(1)
        #expect(balancer.load(of: 1) == 0)
    }

    @Test func theBusiestOfManyIsNeverTaken() {
        var balancer = balancer(.leastRequest, [1, 1, 1, 1])
        for _ in 0..<3 { balancer.began(2) }
        var random = SeededGenerator(seed: 2)
        var seen = Set<Int>()
        for _ in 0..<200 { seen.insert(balancer.choose(key: 0, random: random.next()) ?? -1) }
        #expect(seen == [0, 1, 3])
    }

    @Test func whoHasLittleToDoHeedsWeightsToo() {
        for underWay in 1...4 {
            var balancer = balancer(.leastRequest, [1, 3])
            var random = SeededGenerator(seed: 4)
            var counts = [0, 0]
            var busy: [Int] = []
            for _ in 0..<4_000 {
                if busy.count == underWay { balancer.ended(busy.removeFirst()) }
                let endpoint = balancer.choose(key: 0, random: random.next()) ?? 0
                balancer.began(endpoint)
                busy.append(endpoint)
                counts[endpoint] += 1
            }
            // Not the share itself where the other is busy, but nobody starves.
            #expect((500...1_500).contains(counts[0]), "\(underWay): \(counts)")
        }
        var three = balancer(.leastRequest, [1, 10, 10])
        var random = SeededGenerator(seed: 5)
        var counts = [0, 0, 0]
        for _ in 0..<21_000 { counts[three.choose(key: 0, random: random.next()) ?? 0] += 1 }
        #expect((800...1_200).contains(counts[0]) && (9_500...10_500).contains(counts[1]), "\(counts)")
    }

    @Test func loadCountsPerWeight() {
        var balancer = balancer(.leastRequest, [3, 1])
        var random = SeededGenerator(seed: 3)
        var counts = [0, 0]
        for _ in 0..<400 {
            guard let endpoint = balancer.choose(key: 0, random: random.next()) else { continue }
            counts[endpoint] += 1
            balancer.began(endpoint)
        }
        #expect(counts == [300, 100])
    }

    // MARK: Consistent hashing

    private func owners(_ balancer: inout Balancer) -> [Int] {
        (0..<3000).map { balancer.choose(key: UInt64($0) &* 0x9e37_79b9_7f4a_7c15, random: 0) ?? -1 }
    }

    @Test func aClientKeepsItsEndpointAndOnlyTheLostSharesMove() {
        var balancer = balancer(.consistentHash, [1, 1, 1])
        let before = owners(&balancer)
        #expect(owners(&balancer) == before)
        balancer.setCandidate(false, 1)
        let without = owners(&balancer)
        for (old, new) in zip(before, without) { #expect(old == 1 ? new != 1 : new == old) }
        balancer.setCandidate(true, 1)
        #expect(owners(&balancer) == before)
    }

    @Test func theOrderInTheFileDoesNotMatter() {
        let endpoints = endpoints([1, 1, 1])
        var one = Balancer(.consistentHash, endpoints: endpoints)
        var other = Balancer(.consistentHash, endpoints: endpoints.reversed())
        #expect(owners(&one) == owners(&other).map { 2 - $0 })
    }

    @Test func sharesFollowTheWeights() {
        var balancer = balancer(.consistentHash, [1, 3])
        let counts = owners(&balancer).reduce(into: [0, 0]) { $0[$1] += 1 }
        // 3000 draws of probability 3/4: five standard deviations are 119.
        #expect(abs(counts[1] - 2250) < 119)
    }
}
