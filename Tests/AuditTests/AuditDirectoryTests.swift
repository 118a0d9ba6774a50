import TestKit
import Testing

@testable import Audit

@Suite struct AuditDirectoryTests {
    @Test func namesReadBack() throws {
        let name = try #require(AuditFileName("audit-20261121-0042.jsonl"))
        #expect(name.stamp == 20_261_121 && name.number == 42 && name.text == "audit-20261121-0042.jsonl")
        #expect(AuditFileName(day: name.day, number: 42) == name)
        #expect(AuditFileName(day: AuditTime.day(of: 0), number: 9_999).text == "audit-19700101-9999.jsonl")
    }

    @Test(arguments: [
        "", "audit-20261121-0000.jsonl", "audit-2026112-00001.jsonl", "audit-20261121-00042.jsonl",
        "audit-20261121-0042.json", "audit-20261121_0042.jsonl", "Audit-20261121-0042.jsonl",
        "audit-2026112x-0042.jsonl", "audit-20261121-0042.jsonl.gz", "audit--2261121-0042.jsonl",
        "audit-２０２６1-0042.jsonl",
    ])
    func otherNamesAreNoneOfOurs(name: String) {
        #expect(AuditFileName(name) == nil)
    }

    @Test func listsInOrderAndOnlyItsOwn() throws {
        try withDirectory { path in
            let names = ["audit-20261121-0002.jsonl", "audit-20251231-0010.jsonl", "audit-20261121-0001.jsonl"]
            for name in names + ["notes.txt", ".lock"] { try write([], to: "\(path)/\(name)") }
            #expect(try fileNames(path) == names.sorted())
        }
    }

    @Test func theLastNumberOfADayTakesTheRest() throws {
        try withDirectory { directory in
            let ring = try AuditRing(capacity: 4 << 20)
            try write([], to: directory + "/audit-20261121-9999.jsonl")
            let time = TestClock()
            let pump = try AuditPump(
                AuditSettings(directory: directory, maximumFileBytes: 1), rings: [ring], clock: time.clock)
            for number in 0..<400 as Range<UInt64> { ring.appendSample(number) }
            drain(pump)
            #expect(try fileNames(directory).count == 1)
            time.advance(seconds: 86_400)
            ring.appendSample(400)
            drain(pump)
            #expect(try fileNames(directory).last == "audit-20261122-0001.jsonl")
            #expect(try AuditVerifier.verify(path: directory).records == 401)
        }
    }
}
