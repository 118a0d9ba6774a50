import Testing

@testable import Upstream

@Suite struct HealthChecksTests {
    private let rules = HealthCheck(interval: 100, healthy: 2, unhealthy: 3)
    private let endpoints = [Endpoint(host: "a", port: 1), Endpoint(host: "b", port: 1)]

    @Test func firstChecksAreSpreadAndOneEndpointIsAskedOnceAtATime() {
        var checks = HealthChecks(rules, of: endpoints, now: 0)
        #expect(checks.due(now: 0) == [0])
        #expect(checks.due(now: 50) == [1])
        #expect(checks.due(now: 1_000) == [])
        #expect(checks.finished(0, isGood: true, now: 1_000) == false)
        #expect(checks.due(now: 1_099) == [])
        #expect(checks.due(now: 1_100) == [0])
    }

    @Test func aVerdictTakesSeveralAnswersInARow() {
        var checks = HealthChecks(rules, of: endpoints, now: 0)
        func answers(_ good: [Bool]) -> [Bool] { good.map { checks.finished(0, isGood: $0, now: 0) } }
        #expect(answers([false, false, true, false, false, false]) == [false, false, false, false, false, true])
        #expect(!checks.isHealthy(0))
        #expect(checks.isHealthy(1))
        #expect(answers([true, false, true, true]) == [false, false, false, true])
        #expect(checks.isHealthy(0))
    }

    @Test func theBoardTellsWhatIsNewOnce() throws {
        let board = HealthBoard()
        let nothing = HealthBoard.Verdicts()
        #expect(board.verdicts(after: nothing) == nil)
        board.set(1, isHealthy: false)
        let seen = try #require(board.verdicts(after: nothing))
        #expect(seen.isHealthy(0))
        #expect(!seen.isHealthy(1))
        #expect(board.verdicts(after: seen) == nil)
        board.set(1, isHealthy: true)
        #expect(board.verdicts(after: seen)?.isHealthy(1) == true)
    }
}
