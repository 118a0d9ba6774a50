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
            health.connectFailed(now: now)
            pauses.append((health.nextAttempt - now) / millisecond)
            now = health.nextAttempt
        }
        #expect(pauses == [25, 50, 100, 200, 400, 800, 1000, 1000, 1000])
    }

    @Test func attemptsThatFailTogetherCountOnce() {
        var health = HealthStateMachine(patience: 1)
        health.connectFailed(now: 0)
        let first = health.nextAttempt
        health.connectFailed(now: 1)
        #expect(health.nextAttempt == first)
    }

    @Test func downOnlyAfterFailingForThePatience() {
        var health = HealthStateMachine(patience: 100 * millisecond)
        health.connectFailed(now: 0)
        #expect(!health.isDown(now: 100 * millisecond))
        #expect(health.isDown(now: 100 * millisecond + 1))
        health.connected()
        #expect(!health.isDown(now: 1_000 * millisecond))
        #expect(health.nextAttempt == .min)
    }

    // MARK: Ejection

    private let ejection = HealthStateMachine.Ejection(failures: 3, time: 100, maximumTime: 350)

    private func ejected(at now: Int64) -> HealthStateMachine {
        var health = HealthStateMachine(patience: 1, ejection: ejection)
        for _ in 0..<3 { _ = health.failed(now: now, mayEject: true) }
        return health
    }

    @Test func onlyFailuresInARowEject() {
        var health = HealthStateMachine(patience: 1, ejection: ejection)
        for _ in 0..<10 {
            for _ in 0..<2 { #expect(health.failed(now: 0, mayEject: true) == false) }
            #expect(health.succeeded(now: 0) == false)
        }
        #expect(health.isInRotation(now: 0))
        let verdicts = (0..<3).map { _ in health.failed(now: 0, mayEject: true) }
        #expect(verdicts == [false, false, true])
        #expect(!health.isInRotation(now: 99))
        #expect(!health.isTrusted)
    }

    @Test func whoCannotBeSparedStaysUntilItCan() {
        var health = HealthStateMachine(patience: 1, ejection: ejection)
        for _ in 0..<50 { #expect(health.failed(now: 0, mayEject: false) == false) }
        #expect(health.isInRotation(now: 0))
        #expect(health.failed(now: 0, mayEject: true) == true)
    }

    @Test func oneRequestFindsOutWhetherAnEjectionCanEnd() {
        var health = ejected(at: 0)
        #expect(health.succeeded(now: 50) == false, "what was sent before proves nothing")
        #expect(health.isInRotation(now: 100))
        health.began(now: 100)
        #expect(!health.isInRotation(now: 199), "one at a time")
        #expect(health.isInRotation(now: 200), "but nobody waits for ever for one that takes long")
        health.unsettled(now: 110)
        #expect(health.isInRotation(now: 110), "the client left: another may find out")
        health.began(now: 110)
        #expect(health.succeeded(now: 120) == true)
        #expect(health.isInRotation(now: 120))
        #expect(health.isTrusted)
    }

    @Test func ejectionsDoubleUpToTheLongest() {
        var health = ejected(at: 0)
        var now: Int64 = 100
        var times: [Int64] = []
        for _ in 0..<4 {
            health.began(now: now)
            #expect(health.failed(now: now, mayEject: true) == true)
            times.append(health.wait(now: now))
            now += health.wait(now: now)
        }
        #expect(times == [200, 350, 350, 350])
    }

    @Test func anEjectionLongAgoIsForgotten() {
        var health = ejected(at: 0)
        health.began(now: 100)
        _ = health.succeeded(now: 100)
        var soon = health
        for _ in 0..<3 { _ = soon.failed(now: 200, mayEject: true) }
        #expect(soon.wait(now: 200) == 200)
        for _ in 0..<3 { _ = health.failed(now: 100 + 350, mayEject: true) }
        #expect(health.wait(now: 450) == 100)
    }

    @Test func withoutALimitNobodyIsEjected() {
        var health = HealthStateMachine(patience: 1, ejection: .init(failures: 0))
        for _ in 0..<100 { #expect(health.failed(now: 0, mayEject: true) == false) }
        #expect(health.isInRotation(now: 0))
    }

    // MARK: Checks

    @Test func aFailedCheckTakesOutOfRotationWhateverElseIsKnown() {
        var health = HealthStateMachine(patience: 1)
        health.checked(isHealthy: false)
        health.connected()
        #expect(health.succeeded(now: 0) == false)
        #expect(!health.isInRotation(now: .max))
        #expect(health.isDown(now: 0))
        health.checked(isHealthy: true)
        #expect(health.isInRotation(now: 0))
        #expect(!health.isDown(now: 0))
    }
}
