import Settings
import Testing

@Suite struct RouteProblemTests {
    private let fixture = Fixture(
        files: [
            "p.json": """
            {"entries": {
              "imported-x": {"resources": {"thing": {"grant": ["RAED"]}}},
              "a": {"resources": {"thing/a": {}, "thing:/ok": {}}, "namespaces": ["*"]}},
              "imports": {"acme:thing": {}}, "_created": 1}
            """
        ])

    /// The problems of routes that stand one a line, from line 3.
    private func problems(_ routes: String...) -> [String] {
        let text = """
            {"upstreams": {"things": {"endpoints": ["http://h:1"]}}, "solutions": {"s": {}},
            "policies": {"q": {"document": {"entries": {}}}}, "routes": [
            \(routes.joined(separator: ",\n"))]}
            """
        return fixture.problems(text).map { String($0.dropFirst("gateway.json:".count)) }
    }

    @Test func references() {
        #expect(
            problems(
                #"{"name": "r", "match": {"path": "/r"}, "upstream": "thing", "policy": {"use": "p", "resource": "t:/"}}"#,
                #"{"name": "r", "match": {"path": "/s"}, "upstream": "stuff"}"#,
                #"{"name": "t", "match": {}}"#)
                == [
                    "3:52: error: $.routes[0].upstream: there is no upstream \"thing\"; did you mean \"things\"?",
                    "3:79: error: $.routes[0].policy.use: there is no policy \"p\"; known are \"q\"",
                    "4:10: error: $.routes[1].name: another route is named \"r\"; names are unique",
                    "4:52: error: $.routes[1].upstream: there is no upstream \"stuff\"; known are \"things\"",
                    "5:1: error: $.routes[2]: the member \"upstream\" is missing: The name of the upstream they go to.",
                    "5:24: error: $.routes[2].match: the member \"path\" is missing: /exact, /with/{capture}, /with/*"
                        + " for any one segment, /with/** for any number of them, which templates call {rest}. Compared"
                        + " with the decoded path, segment by segment.",
                ])
    }

    @Test func upgrades() {
        #expect(
            problems(
                #"{"name": "a", "match": {"path": "/a"}, "upstream": "things", "upgrades": ["websocket", "raw/1"]}"#,
                #"{"name": "b", "match": {"path": "/b"}, "upstream": "things", "upgrades": ["h2c", "a b"]}"#)
                == [
                    "4:74: error: $.routes[1].upgrades: \"h2c\" would carry requests past the gateway; remove it",
                    "4:74: error: $.routes[1].upgrades: \"a b\" is no protocol name; \"websocket\", or name/version, is"
                        + " wanted",
                ])
    }

    @Test func sharesAndTimeouts() {
        #expect(
            problems(
                #"{"name": "r", "match": {"path": "/r"}, "upstream": "things", "canary": {"upstream": "thing"}}"#,
                #"{"name": "s", "match": {"path": "/s"}, "upstream": "things", "mirror": {"upstream": "things"}}"#,
                #"{"name": "t", "match": {"path": "/t"}, "upstream": "things", "timeouts": {"total": "1ms"}}"#)
                == [
                    "3:85: error: $.routes[0].canary.upstream: there is no upstream \"thing\"; did you mean \"things\"?",
                    "4:85: error: $.routes[1].mirror.upstream: this is the route's own upstream; name another",
                    "5:84: error: $.routes[2].timeouts.total: 1ms is not in 10ms to 1d",
                ])
    }

    @Test func matches() {
        #expect(
            problems(
                #"{"name": "a", "match": {"path": "a"}, "upstream": "things"}"#,
                #"{"name": "b", "match": {"path": "/b", "hosts": ["a b"]}, "upstream": "things"}"#,
                #"{"name": "c", "match": {"path": "/c", "methods": ["get"]}, "upstream": "things"}"#,
                #"{"name": "d", "match": {"path": "/d", "methods": []}, "upstream": "things"}"#,
                #"{"name": "e", "match": {"path": "/e"}, "upstream": "things"}"#,
                #"{"name": "f", "match": {"path": "/e/", "methods": ["GET"]}, "upstream": "things"}"#,
                #"{"name": "g", "match": {"path": "/e"}, "upstream": "things"}"#)
                == [
                    "3:33: error: $.routes[0].match.path: path a must begin with /",
                    "4:48: error: $.routes[1].match.hosts: route b: host a b is neither a name like api.example.com"
                        + " nor *.example.com, without port",
                    "5:51: error: $.routes[2].match.methods[0]: \"get\" will not do: a method has 1 to 32 capital"
                        + " letters, as in GET",
                    "6:50: error: $.routes[3].match.methods: the array is too short: name a method, or null for all",
                    "8:24: error: $.routes[5].match: the route is never reached: \"e\" before it takes the same hosts,"
                        + " path and methods",
                    "9:24: error: $.routes[6].match: the route is never reached: \"e\" before it takes the same hosts,"
                        + " path and methods",
                ])
    }

    @Test func capturesAndRewrites() {
        #expect(
            problems(
                #"{"name": "a", "match": {"path": "/a/{item}"}, "upstream": "things","#
                    + #" "policy": {"use": "q", "resource": "thing:/{itme}"}}"#,
                #"{"name": "b", "match": {"path": "/b"}, "upstream": "things", "rewrite": {"stripPrefix": "/z"}}"#,
                #"{"name": "c", "match": {"path": "/c"}, "upstream": "things", "rewrite": {"replacePrefix": "/c"}}"#,
                #"{"name": "d", "match": {"path": "/d"}, "upstream": "things", "rewrite": {"path": "/{rest}"}}"#,
                #"{"name": "e", "match": {"path": "/e"}, "upstream": "things", "rewrite": {}}"#,
                #"{"name": "f", "match": {"path": "/f"}, "upstream": "things", "policy": {"use": "q", "resource": "/"}}"#
            )
                == [
                    "3:104: error: $.routes[0].policy.resource: thing:/{itme} uses {itme}, which the path does not"
                        + " capture; it has item; did you mean {item}?",
                    "4:73: error: $.routes[1].rewrite: prefix /z is not how /b begins; use the pattern's own first"
                        + " segments",
                    "5:73: error: $.routes[2].rewrite: \"replacePrefix\" and \"with\" belong together; give both",
                    "6:73: error: $.routes[3].rewrite: /{rest} uses {rest}, which the path does not capture; it has"
                        + " none",
                    "7:73: error: $.routes[4].rewrite: one of \"stripPrefix\", \"replacePrefix\", \"path\" is needed",
                    "8:97: error: $.routes[5].policy.resource: resource / must be type:/path, such as thing:/{rest}",
                ])
    }

    @Test func credentials() {
        #expect(
            problems(
                #"{"name": "a", "match": {"path": "/a"}, "upstream": "things", "authenticate": ["basci"]}"#,
                #"{"name": "b", "match": {"path": "/b"}, "upstream": "things", "authenticate": ["jwt", "basic"]}"#,
                #"{"name": "c", "match": {"path": "/c"}, "upstream": "things", "authenticate": [],"#
                    + #" "requireSolution": true, "preAuthenticated": true, "policy": {"use": "q", "resource": "t:/"}}"#
            )
                == [
                    "3:79: error: $.routes[0].authenticate[0]: \"basci\" is not a choice here; did you mean \"basic\"?",
                    "4:79: warning: $.routes[1].authenticate[0]: \"jwt\" can prove nothing: there are no issuers",
                    "5:101: error: $.routes[2].requireSolution: \"requireSolution\" needs to know who asks, and"
                        + " \"authenticate\": [] asks nobody; remove one",
                    "5:127: error: $.routes[2].preAuthenticated: \"preAuthenticated\" needs to know who asks, and"
                        + " \"authenticate\": [] asks nobody; remove one",
                    "5:143: warning: $.routes[2].policy: the policy is asked about a caller without subjects, because"
                        + " \"authenticate\": [] asks nobody",
                ])
    }

    @Test func aRouteIsNotOpenBecauseNothingIsConfigured() {
        let text = """
            {"upstreams": {"u": {"endpoints": ["http://h:1"]}},
            "routes": [{"name": "r", "match": {"path": "/r"}, "upstream": "u"}]}
            """
        #expect(
            fixture.problems(text) == [
                "gateway.json:2:12: error: $.routes[0]: nobody could be authenticated, because there are no issuers and"
                    + " no solutions; add some, or let everybody in with \"authenticate\": []"
            ])
    }

    /// A gateway does not know the namespace that an entry is limited to.
    @Test func aGrantThatCannotCountIsAWarning() {
        let fixture = Fixture(
            files: [
                "p.json": """
                {"entries": {
                  "a": {"resources": {"thing:/x": {"grant": ["READ"]}}, "namespaces": ["acme"]},
                  "b": {"resources": {"thing:/x": {"revoke": ["READ"]}}, "namespaces": ["acme"]},
                  "c": {"resources": {"thing:/x": {"grant": ["READ"]}}, "namespaces": []}}}
                """
            ])
        let text = """
            {"upstreams": {"u": {"endpoints": ["http://h:1"]}}, "solutions": {"s": {}}, "policies": {"p": {"file": "p.json"}}, "routes": [
            {"name": "r", "match": {"path": "/r"}, "upstream": "u", "authenticate": ["basic"],
              "policy": {"use": "p", "resource": "thing:/x"}}]}
            """
        #expect(
            fixture.problems(text) == [
                "p.json:2:71: warning: $.entries.a.namespaces: no request tells its namespace, so that this entry takes"
                    + " away and grants nothing"
            ])
    }

    @Test func aSubjectThatNoFieldCanHoldIsAnError() {
        let text = #"{"solutions": {"s": {"subjects": ["a:b", "a:b ", " a"]}}}"#
        #expect(
            fixture.problems(text).filter { $0.contains("error") } == [
                "gateway.json:1:42: error: $.solutions.s.subjects[1]: the text begins or ends with a blank; remove it",
                "gateway.json:1:50: error: $.solutions.s.subjects[2]: the text begins or ends with a blank; remove it",
            ])
    }

    @Test func aNameThatWouldBeACommentIsAnError() {
        let advice =
            "a name that begins with \"$\" or \"x-\" is a comment, and nothing is made of it; choose another name, or write"
            + " a text here"
        let text = """
            {"upstreams": {"u": {"endpoints": ["http://h:1"]}, "$comment": "one", "x-u": {"endpoints": ["nonsense"]}},
            "solutions": {"s": {}, "x-owner": ["me"], "$s": {}},
            "routes": [{"name": "r", "match": {"path": "/r"}, "upstream": "u", "x-owner": {"team": 1}}]}
            """
        #expect(
            fixture.problems(text) == [
                "gateway.json:1:78: error: $.upstreams['x-u']: \(advice)",
                "gateway.json:2:49: error: $.solutions['$s']: \(advice)",
            ])
    }

    @Test func whatIsNotUsedIsAWarning() {
        #expect(
            problems(#"{"name": "r", "match": {"path": "/r"}, "upstream": "things"}"#) == [
                "2:19: warning: $.policies.q: no route uses this policy"
            ])
        let text = #"{"upstreams": {"u": {"endpoints": ["http://h:1"]}}, "routes": []}"#
        #expect(
            fixture.problems(text) == [
                "gateway.json:1:1: warning: $: there are no routes: every request is answered 404"
            ])
    }

    @Test func policies() {
        let text = """
            {"policies": {
            "p": {"file": "p.json"},
            "q": {"document": {"policyId": "acme:things", "entries": {}}},
            "r": {"document": {"policyId": "acme:things", "entries": {"": {}, "x": {"subjects": {"": {}}}}}},
            "s": {}, "t": {"file": "none.json"}, "u": {"document": {"entries": {"e": {"resources": {"a:/": {"gant": []}},
              "subjects": {"b:c": {"expiry": "soon", "announcement": {}}}, "importable": "always"}}}}}}
            """
        #expect(
            fixture.problems(text) == [
                "gateway.json:4:32: error: $.policies.r.document.policyId: policy \"q\" has the policyId"
                    + " \"acme:things\" too; ids are unique",
                "gateway.json:4:59: error: $.policies.r.document.entries['']: \"\" will not do: it has 1 to 1024 bytes"
                    + " and no control characters",
                "gateway.json:4:86: error: $.policies.r.document.entries.x.subjects['']: \"\" will not do: it has 1 to"
                    + " 1024 bytes and no control characters",
                "gateway.json:5:6: error: $.policies.s: one of \"file\", \"document\" is needed",
                "gateway.json:5:24: error: $.policies.t.file: there is no file none.json; paths are relative to the"
                    + " configuration file",
                "gateway.json:5:97: error: $.policies.u.document.entries.e.resources['a:/'].gant: unknown member"
                    + " \"gant\"; did you mean \"grant\"?",
                "gateway.json:6:34: error: $.policies.u.document.entries.e.subjects['b:c'].expiry: \"soon\" is no date"
                    + " and time; write it as RFC 3339 has it: \"2030-01-01T00:00:00Z\"",
                "gateway.json:6:78: error: $.policies.u.document.entries.e.importable: \"always\" is not a choice here;"
                    + " known are \"implicit\", \"explicit\", \"never\"",
                "p.json:2:17: error: $.entries['imported-x']: entry imported-x of policy p: labels must not start with"
                    + " `imported` or `nsimported-`; rename it",
                "p.json:2:52: error: $.entries['imported-x'].resources.thing.grant[0]: \"RAED\" is not a choice here;"
                    + " did you mean \"READ\"?",
                "p.json:3:34: error: $.entries.a.resources['thing/a']: resource thing/a in entry a of policy p has no"
                    + " type before the colon; write it as type:/path",
                "p.json:3:70: error: $.entries.a.namespaces: namespace * in entry a of policy p is neither a name nor"
                    + " a name followed by .*",
                "p.json:4:29: error: $.imports['acme:thing']: policy p imports acme:thing, which is not known; add"
                    + " that policy or remove the import; did you mean \"acme:things\"?",
            ])
    }
}
