import Testing

@testable import Proxy

private final class Entry: Deadlined {
    var deadline: Int64
    var wheelPlace = WheelPlace()
    var passed: [Int64] = []

    init(_ deadline: Int64) {
        self.deadline = deadline
    }

    func deadlinePassed(now: Int64) {
        passed.append(now)
        deadline = .max
    }
}

@Suite struct DeadlineWheelTests {
    private let tick = DeadlineWheel.interval

    /// What the worker does at each tick.
    private func look(_ wheel: inout DeadlineWheel, _ now: Int64) {
        for entry in wheel.due(now: now) {
            entry.deadlinePassed(now: now)
            wheel.note(entry)
        }
    }

    private func run(_ wheel: inout DeadlineWheel, from: Int64, to: Int64) {
        var now = from
        while now <= to {
            look(&wheel, now)
            now += tick
        }
    }

    @Test func aDeadlinePassesOnceAndNotTooEarly() throws {
        var wheel = DeadlineWheel(now: 0)
        let entry = Entry(10 * tick)
        wheel.note(entry)
        run(&wheel, from: 0, to: 9 * tick)
        #expect(entry.passed.isEmpty)
        run(&wheel, from: 10 * tick, to: 400 * tick)
        let time = try #require(entry.passed.first)
        #expect(entry.passed.count == 1)
        #expect(time >= 10 * tick && time <= 12 * tick)
    }

    @Test func aDeadlineBeyondTheHorizonIsCarriedOn() throws {
        var wheel = DeadlineWheel(now: 0)
        let entry = Entry(1000 * tick)
        wheel.note(entry)
        run(&wheel, from: 0, to: 999 * tick)
        #expect(entry.passed.isEmpty)
        run(&wheel, from: 1000 * tick, to: 1003 * tick)
        #expect(entry.passed.count == 1)
    }

    @Test func movedLaterItWaitsAndMovedEarlierItDoesNot() throws {
        var wheel = DeadlineWheel(now: 0)
        let entry = Entry(10 * tick)
        wheel.note(entry)
        entry.deadline = 50 * tick
        wheel.note(entry)
        run(&wheel, from: 0, to: 40 * tick)
        #expect(entry.passed.isEmpty)
        entry.deadline = 43 * tick
        wheel.note(entry)
        run(&wheel, from: 41 * tick, to: 46 * tick)
        #expect(entry.passed.count == 1)
    }

    @Test func withoutADeadlineNothingHappens() {
        var wheel = DeadlineWheel(now: 0)
        let entry = Entry(10 * tick)
        wheel.note(entry)
        entry.deadline = .max
        run(&wheel, from: 0, to: 600 * tick)
        #expect(entry.passed.isEmpty)
        entry.deadline = 610 * tick
        wheel.note(entry)
        run(&wheel, from: 601 * tick, to: 613 * tick)
        #expect(entry.passed.count == 1)
    }

    @Test func aLongSleepOfTheLoopLosesNobody() {
        var wheel = DeadlineWheel(now: 0)
        let entries = (1...300).map { Entry(Int64($0) * tick) }
        for entry in entries { wheel.note(entry) }
        look(&wheel, 1000 * tick)
        #expect(entries.allSatisfy { $0.passed == [1000 * tick] })
    }

    @Test func whoIsForgottenIsKeptAliveByNobody() {
        var wheel = DeadlineWheel(now: 0)
        var entries = (0..<100).map { Entry((10 + Int64($0) % 7) * tick) }
        for entry in entries { wheel.note(entry) }
        weak var gone: Entry?
        do {
            let entry = entries.remove(at: 50)
            gone = entry
            wheel.forget(entry)
            wheel.forget(entry)
        }
        #expect(gone == nil)
        let forgotten = entries.indices.filter { $0 % 3 == 0 }.map { entries[$0] }
        for entry in forgotten { wheel.forget(entry) }
        run(&wheel, from: 0, to: 20 * tick)
        #expect(forgotten.allSatisfy { $0.passed.isEmpty })
        #expect(entries.count { $0.passed.count == 1 } == entries.count - forgotten.count)
    }

    @Test func theNextLookIsWhereTheFirstEntryLies() throws {
        var wheel = DeadlineWheel(now: 0)
        #expect(wheel.nextLook(before: .max) == nil)
        let (early, late) = (Entry(10 * tick), Entry(20 * tick))
        wheel.note(late)
        wheel.note(early)
        let first = try #require(wheel.nextLook(before: 100 * tick))
        #expect(first >= 10 * tick && first <= 11 * tick)
        #expect(wheel.nextLook(before: first) == nil)
        #expect(wheel.nextLook(before: first + 1) == first)
        look(&wheel, first - 1)
        #expect(early.passed.isEmpty)
        look(&wheel, first)
        #expect(early.passed == [first])
        let second = try #require(wheel.nextLook(before: .max))
        #expect(second >= 20 * tick && second <= 21 * tick)
        wheel.forget(late)
        #expect(wheel.nextLook(before: .max) == nil)
    }

    @Test func aLookAtEachTimeItNamesMissesNobody() {
        var wheel = DeadlineWheel(now: 0)
        let entries = (0..<500).map { Entry((3 + Int64($0) * 7919 % 6000) * tick + Int64($0)) }
        for entry in entries { wheel.note(entry) }
        var looks = 0
        while let next = wheel.nextLook(before: .max) {
            looks += 1
            look(&wheel, next)
        }
        #expect(entries.allSatisfy { $0.passed.count == 1 })
        #expect(looks <= entries.count * 2)
    }

    @Test func nobodyIsOnTheWheelTwice() {
        var wheel = DeadlineWheel(now: 0)
        weak var gone: Entry?
        do {
            let entry = Entry(200 * tick)
            gone = entry
            for time in stride(from: 200, to: 100, by: -1) as StrideTo<Int64> {
                entry.deadline = time * tick
                wheel.note(entry)
            }
            wheel.forget(entry)
        }
        #expect(gone == nil)
        run(&wheel, from: 0, to: 300 * tick)
    }
}
