import Routing
import Testing

@Suite struct RoutePatternTests {
    static let wellFormed: [(String, [String], Bool)] = [
        ("/", [], false), ("/a", [], false), ("/a/", [], false), ("/**", ["rest"], true), ("/{id}", ["id"], false),
        ("/a/*", [], false), ("/a/{x_1-b}/b/{y}/**", ["x_1-b", "y", "rest"], true), ("/a/{rest}", ["rest"], true),
        ("/caf\u{E9} [x];y", [], false),
    ]

    @Test(arguments: wellFormed)
    func `patterns are taken apart`(text: String, names: [String], hasRest: Bool) throws {
        let pattern = try RoutePattern(text)
        #expect(pattern.captureNames == names)
        #expect(pattern.hasRest == hasRest)
        #expect(pattern.text == text)
    }

    @Test(arguments: [
        ("", RoutingError.patternNotAbsolute("")),
        ("a/b", .patternNotAbsolute("a/b")),
        ("/a//b", .emptySegment(pattern: "/a//b")),
        ("//", .emptySegment(pattern: "//")),
        ("/a/./b", .dotSegment(pattern: "/a/./b")),
        ("/a/..", .dotSegment(pattern: "/a/..")),
        ("/**/a", .restNotLast(pattern: "/**/a")),
        ("/{rest}/a", .restNotLast(pattern: "/{rest}/a")),
        ("/{rest}/**", .restNotLast(pattern: "/{rest}/**")),
        ("/a{id}", .badCapture(pattern: "/a{id}", segment: "a{id}")),
        ("/{}", .badCapture(pattern: "/{}", segment: "{}")),
        ("/{a b}", .badCapture(pattern: "/{a b}", segment: "{a b}")),
        ("/{a", .badCapture(pattern: "/{a", segment: "{a")),
        ("/{a}/{a}", .duplicateCapture(pattern: "/{a}/{a}", name: "a")),
        ("/a*", .forbiddenCharacter(pattern: "/a*", segment: "a*")),
        ("/%41", .forbiddenCharacter(pattern: "/%41", segment: "%41")),
        ("/a?b", .forbiddenCharacter(pattern: "/a?b", segment: "a?b")),
        ("/a\\b", .forbiddenCharacter(pattern: "/a\\b", segment: "a\\b")),
        ("/a\u{1}", .forbiddenCharacter(pattern: "/a\u{1}", segment: "a\u{1}")),
    ])
    func `what no path could match is refused`(text: String, expected: RoutingError) {
        #expect(throws: expected) { try RoutePattern(text) }
        #expect(!expected.description.isEmpty)
    }

    @Test func `depth is bounded`() throws {
        let deepest = String(repeating: "/a", count: RoutePattern.maximumDepth)
        _ = try RoutePattern(deepest)
        #expect(throws: RoutingError.patternTooDeep(deepest + "/a")) { try RoutePattern(deepest + "/a") }
    }
}
