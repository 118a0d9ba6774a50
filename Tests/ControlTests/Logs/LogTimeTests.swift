import Control
import Testing

@Suite struct LogTimeTests {
    @Test(arguments: [
        (0, 7, "1970-01-01T00:00:00.007Z"), (951_782_400, 0, "2000-02-29T00:00:00.000Z"),
        (1_800_000_000, 999, "2027-01-15T08:00:00.999Z"), (0, 1000, "1970-01-01T00:00:00.999Z"),
    ])
    func momentsHaveMilliseconds(seconds: Int64, milliseconds: Int, text: String) {
        #expect(utcText(seconds: seconds, milliseconds: milliseconds) == text)
    }
}
