import Control
import Testing

@Suite struct LogTimeTests {
    @Test(arguments: [
        (0, "1970-01-01T00:00:00Z"), (951_782_400, "2000-02-29T00:00:00Z"), (1_709_251_199, "2024-02-29T23:59:59Z"),
        (4_107_542_400, "2100-03-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"), (Int64.max, "9999-12-31T23:59:59Z"),
        (Int64.min, "0000-01-01T00:00:00Z"), (1_800_000_000, "2027-01-15T08:00:00Z"),
    ])
    func momentsAreWrittenInUTC(seconds: Int64, text: String) {
        #expect(utcText(seconds: seconds) == text)
    }

    @Test func fractionsHaveThreeDigits() {
        #expect(utcText(seconds: 0, milliseconds: 7) == "1970-01-01T00:00:00.007Z")
    }
}
