import Control
import TestKit
import Testing

@Suite struct RefreshScheduleTests {
    @Test func failuresBackOffAndSuccessResets() {
        var random = SeededGenerator(seed: 1)
        var schedule = RefreshSchedule(interval: .seconds(300))
        for expected in [1, 2, 4, 8, 16, 32, 60, 60, 60] {
            let pause = schedule.failed(using: &random)
            #expect(pause >= .seconds(expected) / 2 && pause <= .seconds(expected))
        }
        for _ in 0..<100 {
            let pause = schedule.succeeded(using: &random)
            #expect(pause >= .seconds(270) && pause <= .seconds(330))
        }
        #expect(schedule.failed(using: &random) <= .seconds(1))
    }

    @Test func theBackoffNeverExceedsTheInterval() {
        var random = SeededGenerator(seed: 2)
        var schedule = RefreshSchedule(interval: .seconds(5))
        for _ in 0..<200 { #expect(schedule.failed(using: &random) <= .seconds(5)) }
    }

    @Test func anIntervalOfNothingStillPauses() {
        var random = SeededGenerator(seed: 3)
        var schedule = RefreshSchedule(interval: .zero)
        #expect(schedule.succeeded(using: &random) >= .milliseconds(900))
    }
}
