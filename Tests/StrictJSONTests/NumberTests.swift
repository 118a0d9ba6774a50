import StrictJSON
import Testing

@Suite struct NumberTests {
    @Test(
        arguments: [
            ("0", 0), ("-0", 0), ("0.000", 0), ("0e99999999999999999999", 0), ("5.0", 5), ("1.8e9", 1_800_000_000),
            ("1800000000.000", 1_800_000_000), ("12300e-2", 123), ("1.23E+2", 123), ("100", 100), ("10.50e1", 105),
            ("9223372036854775807", .max), ("-9223372036854775808", .min), ("922337203685477580.7e1", .max),
            ("0.0001e4", 1), ("1000000000000000000", 1_000_000_000_000_000_000), ("1e18", 1_000_000_000_000_000_000),
            ("10000000000000000000000e-22", 1), ("100200.00300e3", 100_200_003),
        ] as [(String, Int64)])
    func integers(_ text: String, _ expected: Int64) throws {
        let json = try JSON.parse(Array(text.utf8), limits: .token)
        #expect(json.number?.integer == expected)
        #expect(json.number?.text == text)
    }

    @Test(arguments: [
        "0.5", "1e-1", "1.25e1", "9223372036854775808", "-9223372036854775809", "1e19", "1e308", "1e999999999999999999",
        "1e-999999999999999999", "123456789012345678901234567890", "1.00000000000000000000000000000001",
    ])
    func notIntegers(_ text: String) throws {
        let json = try JSON.parse(Array(text.utf8), limits: .token)
        #expect(json.number != nil)
        #expect(json.number?.integer == nil)
    }

    @Test func doubles() throws {
        #expect(JSON.Number(text: "1.5e3").double == 1500)
        #expect(JSON.Number(text: "-0.25").double == -0.25)
        #expect(JSON.Number(text: "1e-400").double == 0)
        #expect(JSON.Number(text: "1e308").double == 1e308)
        #expect(JSON.Number(text: "1e309").double == nil)
    }

    @Test(arguments: ["", "-", "+1", "01", "1.", ".1", "1e", "0x1p3", "nan", "inf", " 1", "1 ", "1a"])
    func textOutsideTheGrammarIsNoNumber(_ text: String) {
        #expect(JSON.Number(text: text).integer == nil)
        #expect(JSON.Number(text: text).double == nil)
    }
}
