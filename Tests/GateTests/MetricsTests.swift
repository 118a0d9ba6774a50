import Gate
import Identity
import Testing

@Suite struct MetricsTests {
    @Test func aRequestIsCountedOnceInEachFamily() {
        let metrics = RouteMetrics()
        metrics.record(.admitted, status: 204, micros: 300)
        metrics.record(.limited, status: 429, micros: 250)
        metrics.record(.upstreamError, status: 502, micros: 99_000_000)
        #expect(metrics.outcomes.map(\.value).reduce(0, +) == 3)
        #expect(metrics.outcomes[Int(Outcome.limited.rawValue)].value == 1)
        #expect(metrics.statuses.map(\.value) == [0, 1, 0, 1, 1])
        #expect(metrics.durations.first?.value == 1, "bounds are inclusive")
        #expect(metrics.durations[1].value == 1)
        #expect(metrics.durations.last?.value == 1)
        #expect(metrics.durationSum.value == 99_000_550)
    }

    @Test func statusesOutsideTheFamiliesAreNotCounted() {
        let metrics = RouteMetrics()
        metrics.record(.clientGone, status: 0, micros: -5)
        #expect(metrics.statuses.allSatisfy { $0.value == 0 })
        #expect(metrics.durationSum.value == 0)
    }

    @Test func aRouteKeepsItsCountersByName() {
        let loop = LoopMetrics()
        let first = loop.route("things")
        #expect(loop.route("things") === first)
        #expect(loop.route("other") !== first)
        #expect(loop.allRoutes.count == 2)
    }
}
