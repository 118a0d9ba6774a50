import StrictJSON
import Testing

@Suite struct WriterTests {
    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test func compact() {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("a", 1)
            writer.member("b", "x")
            writer.member("c") {
                $0.array {
                    $0.bool(true); $0.null(); $0.object { _ in }; $0.string("y")
                }
            }
            writer.member("d", false)
        }
        #expect(text(writer.finish()) == #"{"a":1,"b":"x","c":[true,null,{},"y"],"d":false}"#)
    }

    @Test func indented() {
        var writer = JSONWriter(indentation: 2)
        writer.object { writer in
            writer.member("a") {
                $0.array {
                    $0.integer(1); $0.integer(-2)
                }
            }
            writer.member("b") { $0.object { _ in } }
        }
        #expect(text(writer.finish()) == "{\n  \"a\": [\n    1,\n    -2\n  ],\n  \"b\": {}\n}\n")
    }

    @Test(arguments: [
        ("a\"b\\c/", #"a\"b\\c/"#), ("\0\u{1f}\n\r\t", #"\u0000\u001f\n\r\t"#), ("\u{7f}", #"\u007f"#),
        ("\u{80}\u{85}\u{9f}\u{a0}", "\\u0080\\u0085\\u009f\u{a0}"),
        ("\u{2027}\u{2028}\u{2029}\u{202a}", "\u{2027}\\u2028\\u2029\u{202a}"), ("é€😀", "é€😀"),
        ("\u{e000}\u{1080}", "\u{e000}\u{1080}"), ("\u{1b}[31m", #"\u001b[31m"#),
    ])
    func escaping(_ raw: String, _ expected: String) throws {
        var bytes: [UInt8] = []
        JSONWriter.appendQuoted(raw.utf8, to: &bytes)
        #expect(bytes == Array("\"\(expected)\"".utf8))
        let back = try #require(try JSON.parse(bytes, limits: .token).string)
        #expect(Array(back.utf8) == Array(raw.utf8))
    }

    @Test func everyScalarComesBack() throws {
        for start in stride(from: UInt32(0), to: 0x11_0000, by: 0x800) {
            let raw = String(String.UnicodeScalarView((start..<start + 0x800).compactMap(Unicode.Scalar.init)))
            var bytes: [UInt8] = []
            JSONWriter.appendQuoted(raw.utf8, to: &bytes)
            let back = try #require(try JSON.parse(bytes, limits: .token).string)
            #expect(back.utf8.elementsEqual(raw.utf8), "from U+\(String(start, radix: 16))")
        }
    }

    @Test func parsedValuesAreWrittenAsTheyWere() throws {
        let document = #"{"a":[1.50,-0,1e5,"x\n",true,false,null],"b":{"c":{}}}"#
        let json = try JSON.parse(Array(document.utf8), limits: .token)
        var writer = JSONWriter()
        writer.value(json)
        #expect(text(writer.finish()) == document)
    }
}
