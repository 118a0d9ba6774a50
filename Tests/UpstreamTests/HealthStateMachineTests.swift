import Testing
import Upstream

@Suite struct HealthStateMachineTests {
    private let millisecond: Int64 = 1_000_000

    @Test func aHealthyEndpointMayBeTriedAtAnyTime() {
        let health = HealthStateMachine(patience: 100)
        #expect(health.nextAttempt == .min)
        #expect(!health.isDown(now: .max))
    }

    @Test func thePauseDoublesUpToASecond() {
        var health = HealthStateMachine(patience: 3_000 * millisecond)
        var now: Int64 = 0
        var pauses: [Int64] = []
        for _ in 0..<9 {
            health.failed(now: now)
            pauses.append((health.nextAttempt - now) / millisecond)
            now = health.nextAttempt
        }
        #expect(pauses == [25, 50, 100, 200, 400, 800, 1000, 1000, 1000])
    }

    @Test func attemptsThatFailTogetherCountOnce() {
        var health = HealthStateMachine(patience: 1)
        health.failed(now: 0)
        let first = health.nextAttempt
        health.failed(now: 1)
        #expect(health.nextAttempt == first)
    }

    @Test func downOnlyAfterFailingForThePatience() {
        var health = HealthStateMachine(patience: 100 * millisecond)
        health.failed(now: 0)
        #expect(!health.isDown(now: 100 * millisecond))
        #expect(health.isDown(now: 100 * millisecond + 1))
        health.succeeded()
        #expect(!health.isDown(now: 1_000 * millisecond))
        #expect(health.nextAttempt == .min)
    }
}
