import Identity
import StrictJSON
import Synchronization
import TestKit
import Testing

@testable import Audit

@Suite struct AuditQueryTests {
    private func found(_ query: AuditQuery, _ path: String) throws -> (sequences: [Int64], summary: AuditQuery.Summary)
    {
        var sequences: [Int64] = []
        var problem: (any Error)?
        let summary = try query.run(path: path) { line in
            do {
                let record = try parse(line.indices.map { line[$0] })
                sequences.append(record.member("seq")?.number?.integer ?? -1)
            } catch {
                problem = error
            }
            return true
        }
        if let problem { throw problem }
        return (sequences, summary)
    }

    @Test func filters() throws {
        try withDirectory { directory in
            let ring = try AuditRing(capacity: 1)
            let time = TestClock()
            let pump = try AuditPump(AuditSettings(directory: directory), rings: [ring], clock: time.clock)
            let other = IdentityFragment.render(
                Principal(subjects: [], solution: "cafe\u{301}", client: "x", credential: .basic))
            let start = time.unix.load(ordering: .relaxed)
            ring.appendSample(1, time: start)
            ring.appendSample(2, time: start, status: 403, outcome: .forbidden, identity: other)
            drain(pump)
            time.advance(seconds: 86_400)
            ring.appendSample(3, time: start + 86_400 * AuditTime.second, status: 429, outcome: .limited)
            ring.appendSample(4, time: start + 86_400 * AuditTime.second, outcome: .clientGone, identity: .none)
            drain(pump)
            while ring.appendSample(5, time: start + 86_401 * AuditTime.second, status: 500) {}
            #expect(pump.flush())

            #expect(try found(AuditQuery(solution: "acme-lamps"), directory).sequences.prefix(2) == [1, 3])
            #expect(try found(AuditQuery(solution: "cafe\u{301}"), directory).sequences == [2])
            #expect(try found(AuditQuery(solution: "caf\u{e9}"), directory).sequences == [])
            #expect(try found(AuditQuery(decision: DecisionID(high: 7, low: 3).text), directory).sequences == [3])
            #expect(try found(AuditQuery(status: 403), directory).sequences == [2])
            #expect(try found(AuditQuery(outcome: .clientGone), directory).sequences == [4])
            #expect(try found(AuditQuery(solution: "acme-lamps", outcome: .limited), directory).sequences == [3])
            let all = try found(AuditQuery(), directory)
            #expect(all.sequences == Array(1...Int64(all.sequences.count)) && all.summary.unreadable == 0)
            let day = AuditQuery(since: start + 86_400 * AuditTime.second)
            #expect(try found(day, directory).sequences == Array(all.sequences.dropFirst(2)))
            let late = AuditQuery(since: start + 86_400 * AuditTime.second + 1_000_000, status: 500)
            #expect(try found(late, directory).sequences == Array(all.sequences.dropFirst(4).dropLast()))
            #expect(try found(AuditQuery(since: .max), directory).sequences == [])
            #expect(try found(AuditQuery(), "\(directory)/audit-20261121-0001.jsonl").sequences == [1, 2])
        }
    }

    @Test func unreadableLinesAreCountedAndPassed() throws {
        try withDirectory { directory in
            let ring = try AuditRing()
            let pump = try AuditPump(AuditSettings(directory: directory), rings: [ring], clock: TestClock().clock)
            for number in 1...2 as ClosedRange<UInt64> { ring.appendSample(number) }
            drain(pump)
            let all = try lines(directory)
            let noise = Array("nonsense\n{}\n[]\n".utf8)
            let newline = [UInt8(ascii: "\n")]
            try write(
                noise + all[0] + newline + noise + all[1] + newline + all[0].dropLast(),
                to: directory + "/audit-20261121-0001.jsonl")
            let result = try found(AuditQuery(), directory)
            #expect(result.sequences == [1, 2] && result.summary == .init(matched: 2, unreadable: 7))
        }
    }

    /// A file that is too old is not even opened: a directory in its place would be an error.
    @Test func filesOfEarlierDaysAreLeftOut() throws {
        try withDirectory { directory in
            try write([], to: directory + "/audit-20261118-0001.jsonl/in-the-way")
            try write(
                Array("{\"time\":\"2026-11-20T23:59:59.999Z\",\"seq\":1}\n".utf8),
                to: directory + "/audit-20261120-0001.jsonl")
            let since = try #require(AuditTime.parse("2026-11-20T23:59:00Z"))
            #expect(try found(AuditQuery(since: since), directory).sequences == [1])
            #expect(throws: AuditError.self) { try found(AuditQuery(), directory) }
        }
    }

    @Test func stopsWhenTold() throws {
        try withDirectory { directory in
            let ring = try AuditRing()
            let pump = try AuditPump(AuditSettings(directory: directory), rings: [ring])
            for number in 0..<10 as Range<UInt64> { ring.appendSample(number) }
            drain(pump)
            var seen = 0
            try AuditQuery().run(path: directory) { _ in
                seen += 1
                return seen < 3
            }
            #expect(seen == 3)
        }
    }
}
