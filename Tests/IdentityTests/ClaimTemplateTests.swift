import Identity
import StrictJSON
import Testing

/// The claims of the tests: the dialects of `facts/systems.md` side by side.
private let claims: StaticString = """
    {"sub":"auth0|123456","iss":"https://idp.example/","azp":"client-1","n":42,"big":1.8e9,"half":0.5,"yes":true,
     "nothing":null,"empty":"","scope":"openid profile  read:patients ",
     "permissions":["read:patients","write:patients","admin"],"mixed":["a",1,false,null,{},["x"],""],
     "roles":{"support":["first","second"],"lead":{"name":"Ada"},"a/b":"slash"},
     "https://cumulocity/user_id":"c8y-7","https://example.com/roles":{"admin":"yes","deep/er":{"x":"1"}},
     "a/b":"exact","a":{"b":"walked","c":"inner"},"x":{"y":"short"},"x/y":{"z":"long"},"p":"scalar","p/q":{"r":"found"},
     "groups":[{"id":"g1","tags":["t1","t2"]},{"id":"g2"},"loose",{"id":null}],
     "scp":["service:iot-things-eu-1:i1_things/full-access","service:iot-hub-eu-1:h1/read-access"],
     "MiXed":"ÄbC","name":"a.b.c","e\\u0301":"decomposed","\\u00e9":"composed"}
    """

private func resolve(_ template: String) throws -> [String] {
    let json = try JSON.parse(Array("\(claims)".utf8), limits: .token)
    return try ClaimTemplate(template).resolve(json)
}

@Suite struct ClaimTemplateTests {
    @Test(arguments: [
        ("{{ jwt:sub }}", ["auth0|123456"]),
        ("{{jwt:sub}}", ["auth0|123456"]),
        ("{{\tjwt:sub\n}}", ["auth0|123456"]),
        ("constant", ["constant"]),
        ("a { b } c", ["a { b } c"]),
        ("x-{{ jwt:azp }}-y", ["x-client-1-y"]),
        ("{{ jwt:n }}", ["42"]),
        ("{{ jwt:big }}", ["1800000000"]),
        ("{{ jwt:half }}", ["0.5"]),
        ("{{ jwt:yes }}", ["true"]),
        ("{{ jwt:sub }}/{{ jwt:azp }}@{{ jwt:n }}", ["auth0|123456/client-1@42"]),
    ])
    func scalars(_ template: String, _ expected: [String]) throws {
        #expect(try resolve(template) == expected)
    }

    @Test(arguments: [
        "{{ jwt:missing }}", "{{ jwt:nothing }}", "{{ jwt:empty }}", "{{ jwt:roles }}", "{{ jwt:roles/missing }}",
        "{{ jwt:sub/x }}", "{{ jwt:SUB }}", "{{ jwt:sub }}{{ jwt:missing }}", "x{{ jwt:missing }}y",
        "{{ jwt:roles/support/0 }}", "{{ jwt:su }}",
    ])
    func nothing(_ template: String) throws {
        #expect(try resolve(template) == [])
    }

    @Test(arguments: [
        ("{{ jwt:permissions }}", ["read:patients", "write:patients", "admin"]),
        ("p:{{ jwt:permissions }}", ["p:read:patients", "p:write:patients", "p:admin"]),
        ("{{ jwt:mixed }}", ["a", "1", "false"]),
        ("{{ jwt:roles/support }}", ["first", "second"]),
        (
            "{{ jwt:roles/support }}-{{ jwt:permissions }}",
            [
                "first-read:patients", "first-write:patients", "first-admin", "second-read:patients",
                "second-write:patients", "second-admin",
            ]
        ),
        ("{{ jwt:groups/id }}", ["g1", "g2"]),
        ("{{ jwt:groups/tags }}", ["t1", "t2"]),
    ])
    func arrays(_ template: String, _ expected: [String]) throws {
        #expect(try resolve(template) == expected)
    }

    @Test(arguments: [
        ("{{ jwt:https://cumulocity/user_id }}", ["c8y-7"]),
        ("{{ jwt:https://example.com/roles/admin }}", ["yes"]),
        ("{{ jwt:https://example.com/roles/deep/er/x }}", ["1"]),
        ("{{ jwt:a/b }}", ["exact"]),
        ("{{ jwt:a/c }}", ["inner"]),
        ("{{ jwt:roles/a/b }}", ["slash"]),
        ("{{ jwt:roles/lead/name }}", ["Ada"]),
        ("{{ jwt:x/y/z }}", ["long"]),
        ("{{ jwt:x/y }}", []),
        ("{{ jwt:p/q/r }}", ["found"]),
    ])
    func paths(_ template: String, _ expected: [String]) throws {
        #expect(try resolve(template) == expected)
    }

    @Test func namesAreComparedByteByByte() throws {
        #expect(try resolve("{{ jwt:\u{e9} }}").map { Array($0.utf8) } == [Array("composed".utf8)])
        #expect(try resolve("{{ jwt:e\u{301} }}").map { Array($0.utf8) } == [Array("decomposed".utf8)])
    }

    @Test func whatIsConstant() throws {
        #expect(try ClaimTemplate("constant").isConstant)
        #expect(try !ClaimTemplate("x{{ jwt:sub }}").isConstant)
        #expect(try ClaimTemplate("x{{ jwt:sub }}").text == "x{{ jwt:sub }}")
    }

    // MARK: - Bounds

    @Test func combinationsAreBoundedAndNeverCutShort() throws {
        let sixteen = "[" + (0..<16).map { "\"\($0)\"" }.joined(separator: ",") + "]"
        let json = try JSON.parse(Array("{\"a\":\(sixteen),\"b\":[1,2]}".utf8), limits: .token)
        #expect(try ClaimTemplate("{{ jwt:a }}.{{ jwt:a }}").resolve(json).count == 256)
        let tooMany = try ClaimTemplate("{{ jwt:a }}.{{ jwt:a }}.{{ jwt:b }}")
        #expect(throws: TemplateOverflow.self) { try tooMany.resolve(json) }
    }

    @Test func oneArrayBeyondTheBoundIsAnError() throws {
        let many = "[" + (0..<257).map { "\($0)" }.joined(separator: ",") + "]"
        let json = try JSON.parse(Array("{\"a\":\(many)}".utf8), limits: .token)
        #expect(throws: TemplateOverflow.self) { try ClaimTemplate("{{ jwt:a }}").resolve(json) }
        // Filtered down on the way it is none.
        #expect(try ClaimTemplate("{{ jwt:a | fn:filter('like', '25?') }}").resolve(json).count == 7)
    }

    @Test func bytesAreBounded() throws {
        let long = String(repeating: "a", count: 8_000)
        let json = try JSON.parse(Array("{\"a\":\"\(long)\"}".utf8), limits: .token)
        let growing = try ClaimTemplate(
            "{{ jwt:a | fn:replace('a', 'aaaaaaaaaa') | fn:replace('a', 'aaaaaaaaaa') }}")
        #expect(throws: TemplateOverflow.self) { try growing.resolve(json) }
        let repeated = try ClaimTemplate(String(repeating: "{{ jwt:a }}", count: 9))
        #expect(throws: TemplateOverflow.self) { try repeated.resolve(json) }
    }

    @Test func splittingIsBounded() throws {
        let words = String(repeating: "a ", count: 5_000)
        let json = try JSON.parse(Array("{\"a\":\"\(words)\"}".utf8), limits: .token)
        #expect(throws: TemplateOverflow.self) { try ClaimTemplate("{{ jwt:a | fn:split(' ') }}").resolve(json) }
    }

    @Test func aDeepWalkEnds() throws {
        let path = (0..<32).map { "k\($0)" }.joined(separator: "/")
        let json = try JSON.parse(Array("{\"k0\":{\"k1\":{}}}".utf8), limits: .token)
        #expect(try ClaimTemplate("{{ jwt:\(path) }}").resolve(json) == [])
    }
}
