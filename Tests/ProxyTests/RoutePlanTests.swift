import Gate
import Logging
import Reactor
import TestKit
import Testing
import Upstream

@testable import Proxy

@Suite struct RoutePlanTests {
    /// The clients of a thousand whom the canary takes.
    private func canaries(_ percent: Int, _ targets: [String: UpstreamTarget]) -> Set<UInt64> {
        let route = Route(
            name: "r", upstream: "main", accepts: [], canary: RouteShare(upstream: "next", percent: percent))
        let plan = RoutePlan(route: route, index: 0, configuration: 1, targets: targets, metrics: RouteMetrics())
        return Set((UInt64(0)..<1000).filter { plan.isCanary($0) })
    }

    private func targets(_ reactor: Reactor) -> [String: UpstreamTarget] {
        let pairs = ["main", "next"].map { name in
            let settings = UpstreamSettings(name: name, endpoints: [Endpoint(host: "127.0.0.1", port: 1)])
            let metrics = UpstreamMetrics()
            let pool = Pool(
                settings: settings, reactor: reactor, resolver: NameResolver(run: { $0() }), board: HealthBoard(),
                runsChecks: false, seed: 1, observer: PoolMetrics(settings, metrics, logger: Logger(label: "test")))
            return (name, UpstreamTarget(pool: pool, metrics: metrics))
        }
        return Dictionary(uniqueKeysWithValues: pairs)
    }

    @Test func aGreaterShareHoldsEveryClientOfASmallerOne() async throws {
        let handle = try ReactorHandle(name: "test")
        let shares = await handle.submit { reactor in
            let targets = targets(reactor)
            return [0, 5, 30, 100].map { canaries($0, targets) }
        }
        #expect(shares[0].isEmpty)
        // 50 and 300 of a thousand, give or take five standard deviations.
        #expect((15...85).contains(shares[1].count))
        #expect((228...372).contains(shares[2].count))
        #expect(shares[1].isSubset(of: shares[2]))
        #expect(shares[3].count == 1000)
        handle.join()
    }

    @Test func aRoutesTimeoutsComeBeforeTheUpstreams() async throws {
        let handle = try ReactorHandle(name: "test")
        let times = await handle.submit { reactor -> [Int64?] in
            let targets = targets(reactor)
            let route = Route(
                name: "r", upstream: "main", accepts: [], timeouts: RouteTimeouts(firstByte: 7, total: 9))
            let plan = RoutePlan(route: route, index: 0, configuration: 1, targets: targets, metrics: RouteMetrics())
            guard let times = plan.primary?.timeouts else { return [] }
            return [times.connect, times.firstByte, times.idle, times.total]
        }
        #expect(times == [3_000_000_000, 7, 30_000_000_000, 9])
        handle.join()
    }
}
