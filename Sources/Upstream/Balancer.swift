import Glibc
import Wire

/// Which endpoint takes the next request, by one of three policies, each of which heeds the endpoints' weights.
///
/// A pure value: what an endpoint has to do, and whether it may be chosen, is told to it; randomness is an argument. A
/// choice is linear in the number of endpoints and allocates nothing.
package struct Balancer: Sendable {
    /// How a choice is made.
    package enum Policy: Sendable, Hashable {
        /// In turn; smooth, so that a heavy endpoint's turns are spread evenly.
        case roundRobin
        /// The less busy of two that are drawn by chance and weight, requests counted per weight; the one drawn first if it is
        /// idle, so that the shares of an upstream with little to do are those of the weights, too.
        case leastRequest
        /// By the client, with rendezvous hashing: each keeps its endpoint while that can be chosen, and an endpoint
        /// that comes or goes moves only its own share.
        case consistentHash
    }

    private struct Member: Sendable {
        let weight: Int
        let seed: UInt64
        var turn = 0
        var load = 0
        var isCandidate = true
    }

    private let policy: Policy
    private var members: [Member]

    /// One member an endpoint, in their order; weights of at least 1.
    package init(_ policy: Policy, endpoints: [Endpoint]) {
        self.policy = policy
        self.members = endpoints.map { endpoint in
            // By name and not by place: endpoints may be written down in another order on the next gateway.
            var seed = StableHash()
            seed.combine(endpoint.authority)
            return Member(weight: max(1, endpoint.weight), seed: seed.value)
        }
    }

    /// Requests that an endpoint has to do.
    package func load(of endpoint: Int) -> Int { members[endpoint].load }

    /// A request was given to the endpoint.
    package mutating func began(_ endpoint: Int) {
        members[endpoint].load += 1
    }

    /// A request given to the endpoint is over, or was taken away from it.
    package mutating func ended(_ endpoint: Int) {
        members[endpoint].load -= 1
    }

    /// Whether the endpoint may be chosen from now on.
    package mutating func setCandidate(_ isCandidate: Bool, _ endpoint: Int) {
        members[endpoint].isCandidate = isCandidate
    }

    /// The endpoint for a request, `nil` when none may be chosen.
    ///
    /// - Parameters:
    ///   - key: the client's stable hash.
    ///   - random: any 64 bits, new for every request.
    ///   - avoided: an endpoint that is chosen only when no other may be.
    package mutating func choose(key: UInt64, random: UInt64, avoiding avoided: Int? = nil) -> Int? {
        if members.count == 1 { return members[0].isCandidate ? 0 : nil }
        let skipped = avoided.flatMap { hasCandidate(besides: $0) ? $0 : nil }
        switch policy {
        case .roundRobin: return nextInTurn(skipped)
        case .leastRequest: return lessBusy(random, skipped)
        case .consistentHash: return rendezvous(key, skipped)
        }
    }

    private func hasCandidate(besides avoided: Int) -> Bool {
        for index in members.indices where index != avoided && members[index].isCandidate { return true }
        return false
    }

    private mutating func nextInTurn(_ skipped: Int?) -> Int? {
        var best: Int?
        var total = 0
        for index in members.indices where members[index].isCandidate && index != skipped {
            members[index].turn += members[index].weight
            total += members[index].weight
            if let found = best, members[found].turn >= members[index].turn { continue }
            best = index
        }
        if let best { members[best].turn -= total }
        return best
    }

    private func lessBusy(_ random: UInt64, _ skipped: Int?) -> Int? {
        guard let one = draw(random >> 32, skipped, nil) else { return nil }
        guard let other = draw(random & 0xffff_ffff, skipped, one) else { return one }
        let (left, right) = (members[one], members[other])
        if left.load == 0 { return one }
        return (left.load + 1) * right.weight <= (right.load + 1) * left.weight ? one : other
    }

    /// One of those that may be chosen, by weight.
    private func draw(_ random: UInt64, _ skipped: Int?, _ drawn: Int?) -> Int? {
        var total: UInt64 = 0
        for index in members.indices where isDrawable(index, skipped, drawn) { total += UInt64(members[index].weight) }
        guard total > 0 else { return nil }
        var left = random % total
        for index in members.indices where isDrawable(index, skipped, drawn) {
            let weight = UInt64(members[index].weight)
            if left < weight { return index }
            left -= weight
        }
        return nil
    }

    private func isDrawable(_ index: Int, _ skipped: Int?, _ drawn: Int?) -> Bool {
        members[index].isCandidate && index != skipped && index != drawn
    }

    private func rendezvous(_ key: UInt64, _ skipped: Int?) -> Int? {
        var best: Int?
        var highest = -Double.infinity
        for index in members.indices where members[index].isCandidate && index != skipped {
            // A number in (0, 1) of the pair, then the logarithm that makes shares proportional to weights.
            let bits = StableHash.mix(key ^ members[index].seed) >> 11
            let unit = (Double(bits) + 0.5) * 0x1p-53
            let score = -Double(members[index].weight) / log(unit)
            guard score > highest else { continue }
            highest = score
            best = index
        }
        return best
    }
}
