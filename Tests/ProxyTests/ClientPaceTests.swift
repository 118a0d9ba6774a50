import Testing

@testable import Proxy

@Suite struct ClientPaceTests {
    private static let second: Int64 = 1_000_000_000
    private let rule = ClientPace.Rule(patience: 30 * second, rate: 240)

    /// A client that brings so many bytes each second: when it has run out of credit, in whole seconds.
    private func end(_ bytesPerSecond: Int, until limit: Int64 = 10_000, _ rule: ClientPace.Rule) -> Int64? {
        var pace = ClientPace()
        for time in 0...limit {
            let left = pace.patience(
                for: .body, of: 1, at: Int(time) * bytesPerSecond, rule, now: time * Self.second)
            if left <= 0 { return time }
        }
        return nil
    }

    @Test("Silence may last as long as the patience, at whatever rate", arguments: [0, 1, 240, 1 << 20] as [Int64])
    func silence(rate: Int64) {
        let rule = ClientPace.Rule(patience: 30 * Self.second, rate: rate)
        #expect(end(0, rule) == 30)
        var pace = ClientPace()
        #expect(pace.patience(for: .body, of: 1, at: 7, rule, now: 5) == 30 * Self.second)
        #expect(pace.patience(for: .body, of: 1, at: 7, rule, now: 5 + 30 * Self.second) == 0)
        #expect(!pace.isSlow)
    }

    @Test("Who brings what is asked may go on for ever; who brings less ends, the sooner the less")
    func rates() {
        #expect(end(240, rule) == nil)
        #expect(end(1_000_000_000, rule) == nil)
        #expect(end(239, rule) == 7200)
        #expect(end(120, rule) == 60)
        #expect(end(1, rule) == 31)
    }

    @Test("Without a minimum a byte is as good as many")
    func noMinimum() {
        #expect(end(1, ClientPace.Rule(patience: 2 * Self.second, rate: 0)) == nil)
    }

    @Test("What came in a burst earns no more than the patience")
    func burst() {
        var pace = ClientPace()
        _ = pace.patience(for: .body, of: 1, at: 0, rule, now: 0)
        #expect(pace.patience(for: .body, of: 1, at: .max / 2, rule, now: 29 * Self.second) == 30 * Self.second)
        #expect(!pace.isSlow)
        #expect(pace.patience(for: .body, of: 1, at: .max / 2 + 1, rule, now: 59 * Self.second) == Self.second / 240)
        #expect(pace.isSlow)
    }

    @Test("Being looked at late earns nothing")
    func late() {
        var pace = ClientPace()
        _ = pace.patience(for: .answer, of: 1, at: 0, rule, now: 0)
        #expect(pace.patience(for: .answer, of: 1, at: 240, rule, now: 40 * Self.second) == -9 * Self.second)
    }

    @Test("Time in which something else is waited for costs nothing")
    func pauses() {
        var pace = ClientPace()
        _ = pace.patience(for: .body, of: 1, at: 0, rule, now: 0)
        pace.pause(for: .body, of: 1, at: 0, rule, now: 20 * Self.second)
        pace.pause(now: 25 * Self.second)
        #expect(pace.patience(for: .body, of: 1, at: 0, rule, now: 1000 * Self.second) == 10 * Self.second)
        #expect(pace.patience(for: .body, of: 1, at: 0, rule, now: 1005 * Self.second) == 5 * Self.second)
        // Progress meanwhile counts.
        pace.pause(now: 1005 * Self.second)
        #expect(pace.patience(for: .body, of: 1, at: 480, rule, now: 2000 * Self.second) == 7 * Self.second)
    }

    @Test("Each side of each exchange begins anew")
    func beginnings() {
        var pace = ClientPace()
        _ = pace.patience(for: .body, of: 1, at: 0, rule, now: 0)
        #expect(pace.patience(for: .body, of: 1, at: 1, rule, now: 29 * Self.second) < 2 * Self.second)
        #expect(pace.patience(for: .answer, of: 1, at: 0, rule, now: 29 * Self.second) == 30 * Self.second)
        #expect(!pace.isSlow)
        #expect(pace.patience(for: .answer, of: 2, at: -5, rule, now: 58 * Self.second) == 30 * Self.second)
    }

    @Test("No bytes and no time are too many to reckon with")
    func extremes() {
        let rule = ClientPace.Rule(patience: 3_600_000_000_000, rate: .max)
        var pace = ClientPace()
        _ = pace.patience(for: .body, of: 1, at: 0, rule, now: 0)
        #expect(pace.patience(for: .body, of: 1, at: .max, rule, now: 1) <= rule.patience)
        #expect(pace.patience(for: .body, of: 1, at: 0, rule, now: 2) <= rule.patience)
    }
}
