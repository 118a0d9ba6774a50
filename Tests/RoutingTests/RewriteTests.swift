import NIOCore
import Routing
import Testing

@Suite struct RewriteTests {
    private func rewritten(_ rewrite: Rewrite, _ raw: String, restStart: Int) -> String {
        guard let path = normal(raw) else { return "refused" }
        var out = ByteBuffer(string: "GET ")
        rewrite.append(path: path, restStart: restStart, to: &out)
        return String(String(buffer: out).dropFirst(4))
    }

    @Test func `without a rewrite the canonical path goes on`() {
        #expect(rewritten(.none, "/a/b/", restStart: 0) == "/a/b/")
        #expect(rewritten(.none, "/x/../%61;b", restStart: 0) == "/a%3Bb")
        #expect(rewritten(.none, "", restStart: 0) == "/")
    }

    @Test(arguments: [
        ("/api/2/things", "/"), ("/api/2/things/", "/"), ("/api/2/things/a/b", "/a/b"), ("/api/2/things/a/", "/a/"),
        ("/api//2/./things/%41%20", "/A%20"),
    ])
    func `a prefix is stripped by whole segments`(raw: String, expected: String) throws {
        let pattern = try RoutePattern("/api/2/things/**")
        let rewrite = try Rewrite.stripPrefix("/api/2/things", of: pattern)
        #expect(rewritten(rewrite, raw, restStart: 3) == expected)
    }

    @Test(arguments: [
        ("/api/2", "/v3"), ("/api/2/", "/v3/"), ("/api/2/a%3A", "/v3/a:"), ("/%61pi/2/a/", "/v3/a/"),
    ])
    func `a prefix is replaced`(raw: String, expected: String) throws {
        let pattern = try RoutePattern("/api/2/**")
        let rewrite = try Rewrite.replacePrefix("/api/2", with: "/v3/", of: pattern)
        #expect(rewritten(rewrite, raw, restStart: 2) == expected)
    }

    @Test func `a replacement is encoded, and may be the root`() throws {
        let pattern = try RoutePattern("/a/{id}/**")
        let encoded = try Rewrite.replacePrefix("/a/{id}", with: "/b c/;", of: pattern)
        #expect(rewritten(encoded, "/a/1/x", restStart: 2) == "/b%20c/%3B/x")
        let nothing = try Rewrite.replacePrefix("/", with: "/v", of: pattern)
        #expect(rewritten(nothing, "/a/1", restStart: 2) == "/v/a/1")
        #expect(rewritten(try Rewrite.stripPrefix("/", of: pattern), "/a/1", restStart: 2) == "/a/1")
    }

    @Test func `a template puts captures where it says`() throws {
        let pattern = try RoutePattern("/t/{tenant}/{id}/**")
        let rewrite = try Rewrite.template("/v2/{id}/of/{tenant}/{rest}", of: pattern)
        #expect(rewritten(rewrite, "/t/a%20b/7/x/y%3F/", restStart: 3) == "/v2/7/of/a%20b/x/y%3F/")
        #expect(rewritten(rewrite, "/t/a/7", restStart: 3) == "/v2/7/of/a")
        #expect(rewritten(rewrite, "/t/a/7/", restStart: 3) == "/v2/7/of/a/")
        let rest = try Rewrite.template("/**", of: pattern)
        #expect(rewritten(rest, "/t/a/7", restStart: 3) == "/")
        #expect(rewritten(rest, "/t/a/7/", restStart: 3) == "/")
    }

    @Test func `a rewrite that does not fit its pattern is refused`() throws {
        let pattern = try RoutePattern("/api/{id}/**")
        #expect(throws: RoutingError.prefixNotOfPattern(prefix: "/ap", pattern: "/api/{id}/**")) {
            try Rewrite.stripPrefix("/ap", of: pattern)
        }
        #expect(throws: RoutingError.prefixNotOfPattern(prefix: "/api/**", pattern: "/api/{id}/**")) {
            try Rewrite.stripPrefix("/api/**", of: pattern)
        }
        #expect(throws: RoutingError.prefixNotOfPattern(prefix: "/api/1", pattern: "/api/{id}/**")) {
            try Rewrite.stripPrefix("/api/1", of: pattern)
        }
        #expect(throws: RoutingError.restNotLast(pattern: "/x/**")) {
            try Rewrite.replacePrefix("/api", with: "/x/**", of: pattern)
        }
        #expect(throws: RoutingError.unknownCapture(template: "/{id}", name: "id", known: [])) {
            try Rewrite.replacePrefix("/api", with: "/{id}", of: pattern)
        }
        #expect(throws: RoutingError.unknownCapture(template: "/{x}", name: "x", known: ["id", "rest"])) {
            try Rewrite.template("/{x}", of: pattern)
        }
    }
}
