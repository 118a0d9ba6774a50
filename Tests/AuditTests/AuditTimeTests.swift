import Testing

@testable import Audit

@Suite struct AuditTimeTests {
    @Test(arguments: [
        ("1970-01-01T00:00:00.000Z", 0),
        ("2026-11-21T00:43:12.123Z", 1_795_221_792_123),
        ("2024-02-29T23:59:59.999Z", 1_709_251_199_999),
        ("2000-03-01T00:00:00.000Z", 951_868_800_000),
        ("1969-12-31T23:59:59.999Z", -1),
        ("2100-02-28T12:00:00.000Z", 4_107_499_200_000),
    ])
    func knownInstants(text: String, milliseconds: Int64) {
        #expect(String(decoding: AuditTime.render(milliseconds * 1_000_000), as: UTF8.self) == text)
        #expect(AuditTime.parse(text) == milliseconds * 1_000_000)
    }

    @Test func everyDayOfFourCenturiesFollowsTheOneBefore() {
        var expected = AuditTime.CivilDate(year: 1900, month: 1, day: 1)
        let first = AuditTime.day(of: expected)
        for day in first..<first + 146_097 {
            let date = AuditTime.date(ofDay: day)
            guard date == expected, AuditTime.day(of: date) == day else {
                Issue.record("day \(day) is \(date), expected \(expected)")
                return
            }
            let isLeap = date.year % 4 == 0 && (date.year % 100 != 0 || date.year % 400 == 0)
            let lengths: [Int64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            expected.day += 1
            if expected.day > lengths[Int(date.month) - 1] {
                (expected.day, expected.month) = (1, expected.month + 1)
            }
            if expected.month > 12 { (expected.month, expected.year) = (1, expected.year + 1) }
        }
        #expect(expected == AuditTime.CivilDate(year: 2300, month: 1, day: 1))
    }

    @Test(arguments: [Int64.min, Int64.max, -1, 0]) func extremesKeepTheWidth(time: Int64) {
        #expect(AuditTime.render(time).count == AuditTime.width)
    }

    @Test(arguments: [
        ("2026-11-21T02:43:12+02:00", "2026-11-21T00:43:12.000Z"),
        ("2026-11-20t19:43:12.5-05:00", "2026-11-21T00:43:12.500Z"),
        ("2026-11-21 00:43:12.1239999999999z", "2026-11-21T00:43:12.123Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"),
    ])
    func otherSpellings(text: String, rendered: String) throws {
        let time = try #require(AuditTime.parse(text))
        #expect(String(decoding: AuditTime.render(time), as: UTF8.self) == rendered)
    }

    @Test(arguments: [
        "", "2026", "2026-11-21", "2026-11-21T00:43:12", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-00-10T00:00:00Z", "2026-01-00T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00Zx", "2026-01-01T00:00:00+0200",
        "9999-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "2026-01-01T00:00:00+25:00", "２026-01-01T00:00:00Z",
    ])
    func refused(text: String) {
        #expect(AuditTime.parse(text) == nil)
    }
}
