import NIOCore
import TestKit
import Testing
import Wire

@Suite struct HeadLimitsTests {
    /// The verdict on a head under the limits, the same for every feeding.
    private func verdict(_ text: String, _ limits: HeadLimits) -> RequestTrace.End {
        let results = feedings(ofLatin1: text, randomCuts: 3, seed: 3).map { trace($0.pieces, limits: limits).end }
        #expect(results.allSatisfy { $0 == results[0] }, "\(results)")
        return results[0]
    }

    private func run(_ count: Int) -> String { String(repeating: "a", count: count) }

    @Test func target() {
        let limits = HeadLimits(maximumTargetBytes: 10)
        #expect(verdict("GET /\(run(9)) HTTP/1.1\r\nHost: h\r\n\r\n", limits) == .idle)
        #expect(verdict("GET /\(run(10)) HTTP/1.1\r\nHost: h\r\n\r\n", limits) == .badHead(.targetTooLong))
        #expect(verdict("GET /\(run(100))", limits) == .badHead(.targetTooLong))
    }

    @Test func fieldLine() {
        let limits = HeadLimits(maximumFieldBytes: 20)
        #expect(verdict("GET / HTTP/1.1\r\nHost: h\r\nX-A: \(run(15))\r\n\r\n", limits) == .idle)
        #expect(verdict("GET / HTTP/1.1\r\nHost: h\r\nX-A: \(run(16))\r\n\r\n", limits) == .badHead(.fieldTooLarge))
        #expect(verdict("GET / HTTP/1.1\r\nHost: h\r\n\(run(19)):\r\n\r\n", limits) == .idle)
        #expect(verdict("GET / HTTP/1.1\r\nHost: h\r\n\(run(20)):\r\n\r\n", limits) == .badHead(.fieldTooLarge))
        let spaces = String(repeating: " ", count: 16)
        #expect(verdict("GET / HTTP/1.1\r\nHost: h\r\nX-A:\(spaces)\r\n\r\n", limits) == .idle)
        #expect(verdict("GET / HTTP/1.1\r\nHost: h\r\nX-A:\(spaces) \r\n\r\n", limits) == .badHead(.fieldTooLarge))
    }

    @Test func fieldCount() {
        let limits = HeadLimits(maximumFields: 2)
        #expect(verdict("GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\n\r\n", limits) == .idle)
        #expect(verdict("GET / HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\n\r\n", limits) == .badHead(.tooManyFields))
    }

    @Test func wholeHead() {
        let head = "GET / HTTP/1.1\r\nHost: h\r\nX-A: \(run(50))\r\n\r\n"
        #expect(verdict(head, HeadLimits(maximumHeadBytes: head.utf8.count)) == .idle)
        #expect(verdict(head, HeadLimits(maximumHeadBytes: head.utf8.count - 1)) == .badHead(.headTooLarge))
        #expect(verdict(head, HeadLimits(maximumHeadBytes: 1)) == .badHead(.headTooLarge))
    }

    @Test func limitsAreBroughtIntoRange() {
        let limits = HeadLimits(
            maximumHeadBytes: .max, maximumTargetBytes: -1, maximumFields: -1, maximumFieldBytes: .min)
        #expect(limits.maximumHeadBytes == 1 << 30 && limits.maximumTargetBytes == 1)
        #expect(limits.maximumFields == 0 && limits.maximumFieldBytes == 1)
    }
}
