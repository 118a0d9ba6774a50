import StrictJSON
import Testing

@Suite struct ParseTests {
    private func parse(_ text: String, limits: JSON.Limits = .token) throws(JSONError) -> JSON {
        try JSON.parse(Array(text.utf8), limits: limits)
    }

    private func failure(_ bytes: [UInt8], limits: JSON.Limits = .token) -> JSONError? {
        do throws(JSONError) {
            _ = try JSON.parse(bytes, limits: limits)
            return nil
        } catch {
            return error
        }
    }

    private func failure(_ text: String, limits: JSON.Limits = .token) -> JSONError? {
        failure(Array(text.utf8), limits: limits)
    }

    @Test func everyShapeWithItsPlace() throws {
        let text = #" {"a":[1,"x",true,false,null], "é\n" : {"b":{}} } "#
        let json = try parse(text)
        #expect(json.offset == 1)
        let members = try #require(json.object)
        #expect(members.map(\.name) == ["a", "é\n"])
        #expect(members.map(\.nameOffset) == [2, 31])
        let elements = try #require(members[0].value.array)
        #expect(elements.map(\.offset) == [7, 9, 13, 18, 24])
        #expect(elements[0].number?.integer == 1)
        #expect(elements[1].string == "x")
        #expect(elements[2].bool == true)
        #expect(elements[3].bool == false)
        #expect(elements[4].isNull)
        #expect(json.member("é\n")?.member("b")?.object?.isEmpty == true)
        #expect(json.member("c") == nil)
    }

    @Test(arguments: [
        (#""\u0041\n\"\\\/\b\f\r\t""#, "A\n\"\\/\u{8}\u{c}\r\t"),
        (#""\ud83d\ude00""#, "😀"), (#""\u20AC\u20ac""#, "€€"), (#""a\u0000b""#, "a\0b"), (#""""#, ""),
        ("\"\u{7f}é€😀\"", "\u{7f}é€😀"), (#""é\u00e9é""#, "ééé"), (#""\uFFFF""#, "\u{ffff}"),
    ])
    func strings(_ text: String, _ expected: String) throws {
        let string = try #require(try parse(text).string)
        #expect(Array(string.utf8) == Array(expected.utf8))
    }

    @Test func namesAreComparedByBytes() throws {
        let json = try parse(#"{"e\u0301":1,"\u00e9":2}"#)
        #expect(json.member("e\u{301}")?.number?.integer == 1)
        #expect(json.member("\u{e9}")?.number?.integer == 2)
    }

    @Test(arguments: [
        (#"{"a":1,"a":2}"#, 7), (#"{"a":1,"\u0061":2}"#, 7), (#"[{"x":{"":1,"":2}}]"#, 12),
    ])
    func duplicateMembers(_ text: String, _ offset: Int) throws {
        let error = try #require(failure(text))
        guard case .duplicateMember = error.reason else {
            Issue.record("\(error)")
            return
        }
        #expect(error.offset == offset)
    }

    @Test func duplicatesAmongManyMembers() throws {
        let names = (0..<200).map { "\"n\($0)\":0" }
        #expect(failure("{\(names.joined(separator: ","))}") == nil)
        for repeated in [0, 11, 12, 13, 199] {
            let error = failure("{\(names.joined(separator: ",")),\"n\(repeated)\":1}")
            #expect(error?.description == "the member \"n\(repeated)\" stands twice in this object; remove one")
        }
    }

    @Test(arguments: [
        ("", 0, "the document is empty; write a JSON value"),
        ("  ", 2, "the document is empty; write a JSON value"),
        ("\u{feff}{}", 0, "the document begins with a byte order mark; save it as UTF-8 without one"),
        ("{} x", 3, "something follows the end of the document; remove it"),
        ("{}{}", 2, "something follows the end of the document; remove it"),
        ("1\0", 1, "something follows the end of the document; remove it"),
        ("[1,]", 3, "a comma stands before the closing bracket; remove it"),
        (#"{"a":1,}"#, 7, "a comma stands before the closing bracket; remove it"),
        ("[1 2]", 3, "'2' stands where a comma or ']' should stand"),
        ("[", 1, "the document ends where a value should stand"),
        ("[1", 2, "the document ends where a comma or ']' should stand"),
        ("{", 1, "the document ends where a member name should stand"),
        (#"{"a""#, 4, "the document ends where a colon should stand"),
        (#"{"a":"#, 5, "the document ends where a value should stand"),
        (#"{"a":1"#, 6, "the document ends where a comma or '}' should stand"),
        ("{a:1}", 1, "'a' stands where a member name in quotes should stand"),
        (#"{"a" 1}"#, 5, "'1' stands where a colon should stand"),
        ("'a'", 0, "''' stands where a value should stand"),
        ("// x\n{}", 0, "JSON has no comments; remove it"),
        ("{} // x", 3, "JSON has no comments; remove it"),
        ("[1 /* x */]", 3, "JSON has no comments; remove it"),
        ("\"a", 2, "the document ends where the closing quote of a string should stand"),
        ("\"a\\", 3, "the document ends where an escape should stand"),
        ("\"a\n\"", 2, "the string holds byte 0x0a; write it as an escape"),
        ("\"\\n\u{1}\"", 3, "the string holds byte 0x01; write it as an escape"),
        (#""\x""#, 1, #"the escape is none of \" \\ \/ \b \f \n \r \t \uXXXX"#),
        (#""\u12g4""#, 1, #"the escape is none of \" \\ \/ \b \f \n \r \t \uXXXX"#),
        (#""\ud800""#, 1, "the \\u escape is half of a surrogate pair"),
        (#""\udc00\ud800""#, 1, "the \\u escape is half of a surrogate pair"),
        (#""\ud800\ud800""#, 1, "the \\u escape is half of a surrogate pair"),
        (#""\ud800x""#, 1, "the \\u escape is half of a surrogate pair"),
        ("tru", 0, "'t' stands where a value should stand"),
        ("nul", 0, "'n' stands where a value should stand"),
        ("NaN", 0, "'N' stands where a value should stand"),
        ("truex", 4, "something follows the end of the document; remove it"),
        ("\u{b}1", 0, "byte 0x0b stands where a value should stand"),
    ])
    func refusals(_ text: String, _ offset: Int, _ message: String) {
        let error = failure(text)
        #expect(error?.offset == offset)
        #expect(error?.description == message)
    }

    @Test(arguments: ["01", "-", "-a", "1.", "1.e1", ".5", "+1", "1e", "1e+", "0x10", "--1", "-01", "1E-", "Infinity"])
    func malformedNumbers(_ text: String) {
        #expect(failure("[\(text)]") != nil)
    }

    @Test(
        arguments: [
            [0xff], [0xc0, 0x80], [0xe0, 0x80, 0x80], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc3], [0x80],
        ] as [[UInt8]])
    func invalidUTF8(_ invalid: [UInt8]) {
        let quote = UInt8(ascii: "\"")
        for (prefix, offset) in [("ab", 3), ("é", 3), ("\\n", 3)] {
            let error = failure([quote] + Array(prefix.utf8) + invalid + [quote])
            guard case .invalidUTF8 = error?.reason else {
                Issue.record("\(prefix) \(invalid): \(String(describing: error))")
                continue
            }
            #expect(error?.offset == offset || prefix == "\\n")
        }
    }

    @Test func limitsHoldAtTheirEdges() throws {
        let nested = { (depth: Int) in
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(failure(nested(16)) == nil)
        #expect(failure(nested(17))?.description == "arrays and objects are nested deeper than 16 levels")
        #expect(failure(nested(17))?.offset == 16)
        let generous = JSON.Limits(maximumBytes: .max, maximumDepth: .max, maximumValues: .max)
        #expect(failure(nested(512), limits: generous) == nil)
        #expect(failure(nested(100_000), limits: generous)?.offset == 512)

        let few = JSON.Limits(maximumBytes: 20, maximumDepth: 4, maximumValues: 3)
        #expect(failure("[1,2]", limits: few) == nil)
        #expect(failure("[1,2,3]", limits: few)?.description == "the document holds more than 3 values")
        #expect(failure(String(repeating: " ", count: 19) + "1", limits: few) == nil)
        #expect(
            failure(String(repeating: " ", count: 20) + "1", limits: few)?.description
                == "the document is longer than 20 bytes")
    }

    @Test func noPrefixOfADocumentIsADocument() throws {
        let document = Array(#"{"a":[1.5e3,"x\u00e9\ud83d\ude00é",true,null,{"b":[]}]}"#.utf8)
        #expect(failure(document) == nil)
        for length in 0..<document.count {
            let error = try #require(failure(Array(document.prefix(length))))
            #expect(error.offset <= length)
        }
    }

    @Test func mutatedDocumentsNeverTrapAndKeepOffsetsInside() {
        let document = Array(#"{"a":[1.5e3,-0,"x\u00e9\ud83d\ude00é",true,false,null,{"b":[],"c":""}]}"#.utf8)
        var random = SplitMix(state: 7)
        let alphabet = Array("{}[]\",:\\u0eE+-.tfn \n\u{e9}".utf8) + [0, 0x7f, 0x80, 0xff, 0xed]
        for _ in 0..<20_000 {
            var mutated = document
            for _ in 0...(random.next() % 4) {
                let at = Int(random.next() % UInt64(mutated.count))
                let byte = alphabet[Int(random.next() % UInt64(alphabet.count))]
                switch random.next() % 3 {
                case 0: mutated[at] = byte
                case 1: mutated.insert(byte, at: at)
                default: mutated.remove(at: at)
                }
            }
            if let error = failure(mutated) {
                #expect((0...mutated.count).contains(error.offset))
                #expect(!error.description.isEmpty)
            }
        }
    }

    @Test func linesAndColumns() {
        let bytes = Array("a\né😀x\r\n\ny".utf8)
        let expected = [
            (0, 1, 1), (1, 1, 2), (2, 2, 1), (4, 2, 2), (8, 2, 3), (11, 3, 1), (12, 4, 1), (13, 4, 2), (99, 4, 2),
            (-1, 1, 1),
        ]
        for (offset, line, column) in expected {
            let place = lineAndColumn(of: offset, in: bytes)
            #expect(place.line == line && place.column == column, "offset \(offset)")
        }
    }
}

/// A seeded generator, so that a failure comes back (splitmix64).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
        return mixed ^ mixed >> 31
    }
}
