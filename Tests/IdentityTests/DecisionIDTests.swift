import Identity
import Testing

@Suite struct DecisionIDTests {
    private func adopt(_ text: String) -> DecisionID? {
        let bytes = Array(text.utf8)
        return DecisionID(adopting: bytes.span)
    }

    @Test func wordsBecomeHexadecimal() {
        let id = DecisionID(high: 0x0123_4567_89ab_cdef, low: 0xf)
        #expect(id.text == "0123456789abcdef000000000000000f")
        #expect(id.count == 32)
        #expect(id[0] == UInt8(ascii: "0"))
        #expect(id[31] == UInt8(ascii: "f"))
        let copied = id.withSpan { span in (0..<span.count).map { span[$0] } }
        #expect(copied == Array(id.text.utf8))
    }

    @Test(arguments: ["a", "9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d", "A._~:/+=@-z", String(repeating: "x", count: 64)])
    func aSaneIDOfTheClientIsKept(_ text: String) throws {
        #expect(try #require(adopt(text)).text == text)
    }

    @Test(arguments: [
        "", String(repeating: "x", count: 65), "a b", "a\"b", "a\\b", "a,b", "a\r\nb", "a\0b", "\u{e9}", "a<b", "a;b",
    ])
    func anythingElseIsNot(_ text: String) {
        #expect(adopt(text) == nil)
    }

    @Test(arguments: [
        ("0123456789abcdef0123456789abcdef", true), ("00000000000000000000000000000001", true),
        ("00000000000000000000000000000000", false), ("0123456789ABCDEF0123456789abcdef", false),
        ("0123456789abcdef0123456789abcde", false), ("0123456789abcdef0123456789abcdef0", false),
        ("0123456789abcdef-123456789abcdef", false), ("0123456789abcdefg123456789abcdef", false),
    ])
    func whatHasTheFormOfATraceIDIsKnown(_ text: String, _ expected: Bool) throws {
        #expect(try #require(adopt(text)).isTraceID == expected)
    }

    @Test func wordsAreATraceIDUnlessBothAreZero() {
        #expect(DecisionID(high: 0, low: 1).isTraceID)
        #expect(DecisionID(high: 1, low: 0).isTraceID)
        #expect(!DecisionID(high: 0, low: 0).isTraceID)
    }

    @Test func everyNibbleHasItsDigit() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<1_000 {
            let (high, low) = (random.next(), random.next())
            let digits = [high, low].map { word in
                String(repeating: "0", count: word.leadingZeroBitCount / 4)
                    + (word == 0 ? "" : String(word, radix: 16))
            }
            #expect(DecisionID(high: high, low: low).text == digits.joined())
        }
    }

    @Test func equalityLooksAtEveryByte() {
        #expect(adopt("abc") == adopt("abc"))
        #expect(adopt("abc") != adopt("abd"))
        #expect(adopt("abc") != adopt("abcd"))
    }

    @Test func generatedIDsDifferAndRepeatUnderTheSameKey() {
        var first = DecisionIDGenerator(prefix: 1, key: 2)
        var again = DecisionIDGenerator(prefix: 1, key: 2)
        var other = DecisionIDGenerator(prefix: 2, key: 2)
        var seen: Set<String> = []
        for _ in 0..<10_000 {
            let id = first.next()
            #expect(id == again.next())
            #expect(id != other.next())
            #expect(id.text.hasPrefix("0000000000000001"))
            seen.insert(id.text)
        }
        #expect(seen.count == 10_000)
    }

    @Test func generatorsDrawTheirPrefix() {
        var system = SystemRandomNumberGenerator()
        var first = DecisionIDGenerator(random: &system)
        var second = DecisionIDGenerator(random: &system)
        #expect(first.next() != second.next())
    }
}
