import Routing
import Testing

@Suite struct RouteTableTests {
    @Test(arguments: [
        ("/exact", 0, 1), ("/exact/", 0, 1), ("/x/1", 1, 2), ("/x/1/", 1, 2), ("/api/2/things", 2, 3),
        ("/api/2/things/", 2, 3), ("/api/2/things/a", 2, 3), ("/api/2/things/a/b/c", 2, 3), ("/one/a", 3, 2),
        ("/one/%61", 3, 2), ("//one/./a", 3, 2), ("/", 4, 0), ("/x/self", 5, 2), ("/x/7/y", 6, 3),
    ])
    func `each kind of pattern matches`(raw: String, index: Int, restStart: Int) throws {
        let table = try RouteTable([
            RouteRule(name: "exact", path: "/exact"), RouteRule(name: "id", path: "/x/{id}"),
            RouteRule(name: "things", path: "/api/2/things/**"), RouteRule(name: "one", path: "/one/*"),
            RouteRule(name: "root", path: "/"), RouteRule(name: "self", path: "/x/self"),
            RouteRule(name: "y", path: "/x/{id}/y"),
        ])
        #expect(table.match("GET", raw) == .route(index: index, restStart: restStart))
    }

    @Test(arguments: [
        "/Exact", "/exact/x", "/x", "/x/1/z", "/api/2/thing", "/api/2/thingsx", "/api/2", "/one", "/one/a/b", "/",
    ])
    func `and no more than it says`(raw: String) throws {
        let table = try RouteTable([
            RouteRule(name: "exact", path: "/exact"), RouteRule(name: "id", path: "/x/{id}"),
            RouteRule(name: "things", path: "/api/2/things/**"), RouteRule(name: "one", path: "/one/*"),
        ])
        #expect(table.match("GET", raw) == .notFound)
    }

    @Test func `the known bypasses all reach the guarded route or are refused`() throws {
        let table = try RouteTable([
            RouteRule(name: "all", path: "/**"), RouteRule(name: "admin", path: "/admin/**"),
        ])
        let guarded = RouteMatch.route(index: 1, restStart: 1)
        for raw in [
            "/admin", "/%61dmin", "/x/../admin", "//admin", "/./admin", "/x/%2e%2e/admin", "/admin/", "/admin//",
            "/%2e/admin", "/a/b/../../admin/x",
        ] {
            #expect(table.match("GET", raw) == guarded, "\(raw)")
        }
        for raw in ["/x/..%2fadmin", "/x/..%5cadmin", "/x\\..\\admin", "/x/..;/admin", "/..;/admin"] {
            #expect(table.match("GET", raw) == nil, "\(raw)")
        }
    }

    @Test func `literal wins over capture wins over rest, from the left`() throws {
        let table = try RouteTable([
            RouteRule(name: "rest", path: "/**"), RouteRule(name: "capture", path: "/{a}"),
            RouteRule(name: "literal", path: "/a"), RouteRule(name: "left", path: "/a/**"),
            RouteRule(name: "right", path: "/{x}/b"), RouteRule(name: "deep", path: "/a/{y}/c"),
        ])
        #expect(table.match("GET", "/") == .route(index: 0, restStart: 0))
        #expect(table.match("GET", "/z") == .route(index: 1, restStart: 1))
        #expect(table.match("GET", "/a") == .route(index: 2, restStart: 1))
        #expect(table.match("GET", "/a/b") == .route(index: 3, restStart: 1))
        #expect(table.match("GET", "/z/b") == .route(index: 4, restStart: 2))
        #expect(table.match("GET", "/a/b/c") == .route(index: 5, restStart: 3))
        // Goes into /a/{y}, finds no way on, and comes back.
        #expect(table.match("GET", "/a/b/d") == .route(index: 3, restStart: 1))
        #expect(table.match("GET", "/z/c") == .route(index: 0, restStart: 0))
    }

    @Test func `methods choose among equal patterns`() throws {
        let table = try RouteTable([
            RouteRule(name: "read", path: "/x/{id}", methods: ["GET"]),
            RouteRule(name: "write", path: "/x/{other}", methods: ["PUT", "PURGE"]),
            RouteRule(name: "else", path: "/**"),
        ])
        #expect(table.match("GET", "/x/1") == .route(index: 0, restStart: 2))
        #expect(table.match("HEAD", "/x/1") == .route(index: 0, restStart: 2))
        #expect(table.match("PUT", "/x/1") == .route(index: 1, restStart: 2))
        #expect(table.match("PURGE", "/x/1") == .route(index: 1, restStart: 2))
        // Never on to the general route, which may guard the path less well.
        let allow = RouteMatch.methodNotAllowed(allow: Array("GET, HEAD, PUT, PURGE".utf8))
        #expect(table.match("DELETE", "/x/1") == allow)
        #expect(table.match("get", "/x/1") == allow)
        #expect(table.match("PURG", "/x/1") == allow)
        #expect(table.match("PURGEX", "/x/1") == allow)
        #expect(table.match("DELETE", "/y") == .route(index: 2, restStart: 0))
        #expect(table.match("BREW", "/y") == .route(index: 2, restStart: 0))
    }

    @Test func `declared order breaks ties`() throws {
        let table = try RouteTable([
            RouteRule(name: "some", path: "/x", methods: ["GET", "PUT"]), RouteRule(name: "all", path: "/x"),
        ])
        #expect(table.match("PUT", "/x") == .route(index: 0, restStart: 1))
        #expect(table.match("POST", "/x") == .route(index: 1, restStart: 1))
    }

    @Test func `a rule that can never be reached is an error`() {
        #expect(throws: RoutingError.unreachable(route: "b", behind: "a")) {
            try RouteTable([
                RouteRule(name: "a", path: "/x/{a}"), RouteRule(name: "b", path: "/x/*", methods: ["GET"]),
            ])
        }
        #expect(throws: RoutingError.unreachable(route: "b", behind: "a")) {
            try RouteTable([
                RouteRule(name: "a", hosts: ["H"], path: "/x", methods: ["GET", "PUT"]),
                RouteRule(name: "b", hosts: ["h."], path: "/x/", methods: ["HEAD"]),
            ])
        }
    }

    @Test func `methods are checked`() {
        #expect(throws: RoutingError.noMethods(route: "a")) {
            try RouteTable([RouteRule(name: "a", path: "/", methods: [])])
        }
        for method in ["", "get", "GET ", "G\u{D6}T", "GET,PUT", String(repeating: "A", count: 33)] {
            #expect(throws: RoutingError.badMethod(route: "a", method: method)) {
                try RouteTable([RouteRule(name: "a", path: "/", methods: [method])])
            }
        }
    }

    @Test func `every literal is found among many`() throws {
        let rules = try (0..<500).map { try RouteRule(name: "r\($0)", path: "/v/route-\($0)/{id}") }
        let table = try RouteTable(rules)
        for index in 0..<500 {
            #expect(table.match("GET", "/v/route-\(index)/x") == .route(index: index, restStart: 3))
        }
        #expect(table.match("GET", "/v/route-500/x") == .notFound)
        #expect(table.match("GET", "/v/route-/x") == .notFound)
    }

    @Test func `an empty table finds nothing`() throws {
        #expect(try RouteTable([]).match("GET", "/") == .notFound)
    }

    @Test func `a table agrees with trying every rule, for random rules and paths`() throws {
        var state: UInt64 = 7
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let words = ["a", "b", "c"]
        for _ in 0..<400 {
            var texts: [String] = []
            for _ in 0..<(1 + random(8)) {
                let parts = (0..<random(4)).map { _ in random(3) == 0 ? "*" : words[random(3)] }
                let text = "/" + (parts + (random(3) == 0 ? ["**"] : [])).joined(separator: "/")
                if !texts.contains(text) { texts.append(text) }
            }
            let table = try RouteTable(try texts.map { try RouteRule(name: $0, path: $0) })
            for _ in 0..<20 {
                let path = (0..<random(5)).map { _ in words[random(3)] }
                let best = texts.indices.filter { matches(texts[$0], path) }.min {
                    rank(texts[$0]).lexicographicallyPrecedes(rank(texts[$1]))
                }
                let found = table.match("GET", "/" + path.joined(separator: "/"))
                let expected = best.map { index -> RouteMatch in
                    let parts = texts[index].split(separator: "/")
                    return .route(index: index, restStart: parts.last == "**" ? parts.count - 1 : parts.count)
                }
                #expect(found == expected ?? .notFound, "\(path) in \(texts)")
            }
        }
    }

    private func matches(_ pattern: String, _ path: [String]) -> Bool {
        var parts = pattern.split(separator: "/").map(String.init)
        let hasRest = parts.last == "**"
        if hasRest { parts.removeLast() }
        guard hasRest ? path.count >= parts.count : path.count == parts.count else { return false }
        return zip(parts, path).allSatisfy { $0 == "*" || $0 == $1 }
    }

    /// Sorts the more specific first: 0 literal, 1 one segment, 2 end of the pattern, 3 the rest.
    private func rank(_ pattern: String) -> [Int] {
        pattern.split(separator: "/").map { $0 == "**" ? 3 : $0 == "*" ? 1 : 0 } + [2]
    }
}
