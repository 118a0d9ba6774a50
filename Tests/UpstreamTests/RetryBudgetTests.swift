import Testing
import Upstream

@Suite struct RetryBudgetTests {
    private let second: Int64 = 1_000_000_000

    /// Takes until there is none left.
    private func drained(_ budget: inout RetryBudget, now: Int64) -> Int {
        var count = 0
        while count < 10_000, budget.take(now: now) { count += 1 }
        return count
    }

    @Test func aReserveThenAShareOfTheRequests() {
        var budget = RetryBudget(.init(percent: 20, perSecond: 0))
        #expect(drained(&budget, now: 0) == 100)
        for _ in 0..<50 { budget.earn() }
        #expect(drained(&budget, now: 0) == 10)
    }

    @Test func aFewASecondWhateverTheNumberOfRequests() {
        var budget = RetryBudget(.init(percent: 0, perSecond: 3))
        #expect(drained(&budget, now: 0) == 100)
        #expect(drained(&budget, now: second) == 3)
        #expect(drained(&budget, now: second + second / 3) == 0)
        #expect(drained(&budget, now: .max) == 100, "never more than the reserve")
    }

    @Test func noneIsNone() {
        var budget = RetryBudget(.none)
        for _ in 0..<1000 { budget.earn() }
        #expect(budget.take(now: .max) == false)
    }
}
