import Identity
import StrictJSON
import Testing

@Suite struct ClaimFunctionTests {
    private func resolve(_ template: String, _ claims: String) throws -> [String] {
        try ClaimTemplate(template).resolve(JSON.parse(Array(claims.utf8), limits: .token))
    }

    @Test(arguments: [
        ("fn:split(' ')", "a b  c ", ["a", "b", "c"]),
        ("fn:split(\",\")", "a,b", ["a", "b"]),
        ("fn:split('::')", "a::b:c", ["a", "b:c"]),
        ("fn:split('x')", "abc", ["abc"]),
        ("fn:split(' ')", "   ", []),
        ("fn:lower()", "AbZ\u{c4}\u{212a}", ["abz\u{c4}\u{212a}"]),
        ("fn:upper( )", "aBz\u{e4}", ["ABZ\u{e4}"]),
        ("fn:replace('a', 'b')", "banana", ["bbnbnb"]),
        ("fn:replace('an','')", "banana", ["ba"]),
        ("fn:replace('banana','')", "banana", []),
        ("fn:replace('aa','a')", "aaaa", ["aa"]),
        ("fn:substring-before('|')", "auth0|1|2", ["auth0"]),
        ("fn:substring-before('x')", "auth0|1", []),
        ("fn:substring-before('a')", "auth0", []),
        ("fn:substring-after('|')", "auth0|1|2", ["1|2"]),
        ("fn:substring-after('x')", "auth0|1", []),
        ("fn:substring-after('0')", "auth0", []),
        ("fn:default('z')", "a", ["a"]),
        ("fn:filter('eq','a')", "a", ["a"]),
        ("fn:filter('eq','a')", "A", []),
        ("fn:filter('ne','a')", "a", []),
        ("fn:filter('ne','a')", "b", ["b"]),
        (
            "fn:split(' ')|fn:filter('like','read:*')|fn:substring-after(':')|fn:upper()", "read:a write:b read:c",
            ["A", "C"]
        ),
    ])
    func oneValue(_ pipeline: String, _ value: String, _ expected: [String]) throws {
        #expect(try resolve("{{ jwt:v | \(pipeline) }}", "{\"v\":\"\(value)\"}") == expected)
    }

    @Test(arguments: [
        ("a*", "abc", true), ("a*", "a", true), ("a*", "ba", false), ("*", "x", true), ("*c", "abc", true),
        ("*b*", "abc", true), ("*b*", "ac", false), ("a?c", "abc", true), ("a?c", "ac", false),
        ("a?c", "a\u{e9}c", true), ("a??c", "a\u{e9}c", false), ("a*b*c", "aXbXbXc", true),
        ("a*b*c", "aXcXb", false), ("", "a", false), ("abc", "abc", true), ("abc", "abcd", false), ("**", "a", true),
        ("a.c", "abc", false), ("[a]", "a", false),
    ])
    func like(_ pattern: String, _ value: String, _ isKept: Bool) throws {
        let kept = try resolve("{{ jwt:v | fn:filter('like','\(pattern)') }}", "{\"v\":\"\(value)\"}")
        #expect(kept == (isKept ? [value] : []))
    }

    @Test func likeStaysCheapOnHostileText() throws {
        let value = String(repeating: "a", count: 5_000)
        let pattern = String(repeating: "a*", count: 500) + "b"
        #expect(try resolve("{{ jwt:v | fn:filter('like','\(pattern)') }}", "{\"v\":\"\(value)\"}") == [])
    }

    @Test func comparisonsAreByteWise() throws {
        #expect(try resolve("{{ jwt:v | fn:filter('eq','\u{e9}') }}", "{\"v\":\"e\u{301}\"}") == [])
        #expect(try resolve("{{ jwt:v | fn:filter('ne','\u{e9}') }}", "{\"v\":\"e\u{301}\"}").count == 1)
        #expect(try resolve("{{ jwt:v | fn:replace('\u{e9}','x') }}", "{\"v\":\"e\u{301}\"}").first?.utf8.count == 3)
    }

    @Test func manyValuesGoThroughTogether() throws {
        let claims = "{\"v\":[\"Read:a\",\"write:b\",\"READ:c\"]}"
        #expect(try resolve("{{ jwt:v | fn:lower() | fn:filter('like','read:*') }}", claims) == ["read:a", "read:c"])
    }

    @Test func defaultsFillWhatIsMissing() throws {
        #expect(try resolve("{{ jwt:v | fn:default('anonymous') }}", "{}") == ["anonymous"])
        #expect(try resolve("{{ jwt:v|fn:default(jwt:client_id) }}", "{\"client_id\":\"c\"}") == ["c"])
        #expect(try resolve("{{ jwt:v|fn:default( jwt:a/b ) }}", "{\"a\":{\"b\":1}}") == ["1"])
        #expect(try resolve("{{ jwt:v|fn:default(jwt:w) | fn:default('z') }}", "{\"v\":null}") == ["z"])
        #expect(try resolve("{{ jwt:v | fn:filter('eq','x') | fn:default('y') }}", "{\"v\":\"a\"}") == ["y"])
    }
}
