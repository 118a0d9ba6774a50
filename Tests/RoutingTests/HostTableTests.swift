import Routing
import Testing

@Suite struct HostTableTests {
    private func table() throws -> RouteTable {
        try RouteTable([
            RouteRule(name: "general", path: "/**"),
            RouteRule(name: "exact", hosts: ["api.example.com"], path: "/x/**"),
            RouteRule(name: "suffix", hosts: ["*.example.com"], path: "/**"),
            RouteRule(name: "longer", hosts: ["*.eu.example.com", "[::1]"], path: "/x"),
        ])
    }

    @Test(arguments: [
        ("api.example.com", "/x", 1), ("API.Example.COM", "/x", 1), ("api.example.com:8080", "/x", 1),
        ("api.example.com.", "/x", 1), ("api.example.com.:80", "/x", 1), ("api.example.com", "/y", 2),
        ("www.example.com", "/x", 2), ("a.b.c.EXAMPLE.com:1", "/x", 2), ("example.com", "/x", 0),
        (".example.com", "/x", 0), ("xexample.com", "/x", 0), ("example.com.evil.test", "/x", 0),
        ("a.eu.example.com", "/x", 3), ("a.eu.example.com", "/y", 2), ("eu.example.com", "/x", 2), ("", "/x", 0),
        (":80", "/x", 0), ("[::1]", "/x", 3), ("[::1]:8080", "/x", 3), ("[::2]:8080", "/x", 0), (".", "/x", 0),
    ])
    func `the most specific host wins, and leads on to the next where it has no path`(
        host: String, path: String, index: Int
    ) throws {
        guard case .route(let found, _) = try table().match("GET", path, host: host) else {
            Issue.record("no route")
            return
        }
        #expect(found == index)
    }

    @Test func `a host's own methods are final`() throws {
        let table = try RouteTable([
            RouteRule(name: "general", path: "/**"),
            RouteRule(name: "own", hosts: ["a.test"], path: "/x", methods: ["PUT"]),
        ])
        #expect(table.match("GET", "/x", host: "a.test") == .methodNotAllowed(allow: Array("PUT".utf8)))
        #expect(table.match("GET", "/x", host: "b.test") == .route(index: 0, restStart: 0))
    }

    @Test func `one rule may name several hosts, even one twice`() throws {
        let table = try RouteTable([RouteRule(name: "r", hosts: ["a.test", "b.test", "A.test"], path: "/")])
        #expect(table.match("GET", "/", host: "b.test") == .route(index: 0, restStart: 0))
        #expect(table.match("GET", "/", host: "a.test") == .route(index: 0, restStart: 0))
        #expect(table.match("GET", "/", host: "c.test") == .notFound)
    }

    @Test(arguments: [
        "", ".", "*", "*.", "*.*.test", "a..test", "a.test:80", "a b", "https://a", "a/b", "caf\u{E9}.test",
    ])
    func `hosts are checked`(host: String) {
        #expect(throws: RoutingError.badHost(route: "r", host: host)) {
            try RouteTable([RouteRule(name: "r", hosts: [host], path: "/")])
        }
    }
}
