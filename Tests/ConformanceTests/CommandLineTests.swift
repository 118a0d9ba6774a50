import StrictJSON
import TestKit
import Testing

extension Conformance {
    @Suite("Commands", .serialized)
    struct CommandLineTests {
        let directory: String
        let mint: TokenMint

        init() throws {
            directory = try TemporaryDirectory.make()
            mint = try TokenMint("RS256")
            for (path, bytes) in try Configuration.files(mint) {
                try TemporaryDirectory.write(bytes, to: directory + "/" + path)
            }
            let origin = try RawOrigin()
            try write(Self.frame.merging(Configuration.contract(origin)).bytes)
        }

        private static let frame: Literal = [
            "listeners": [["name": "public", "address": "127.0.0.1:18080"]], "admin": ["address": "127.0.0.1:19090"],
            "audit": ["directory": "audit"],
        ]

        private func write(_ bytes: [UInt8], as name: String = "gateway.json") throws {
            try TemporaryDirectory.write(bytes, to: directory + "/" + name)
        }

        private func tollgate(_ arguments: String..., environment: [String: String] = [:]) throws -> GatewayProcess.Run
        {
            try GatewayProcess.run(arguments, in: directory, environment: environment)
        }

        @Test("check: 0 and a summary for a good configuration, also by default name")
        func checkGood() throws {
            for run in [try tollgate("check", "--config", "gateway.json"), try tollgate("check")] {
                #expect(run.status == 0, "\(run.errors)")
                #expect(!run.output.isEmpty)
            }
        }

        @Test("serve: a trail that another gateway writes is an error and no crash")
        func serveSecond() throws {
            let origin = try RawOrigin()
            let first = try Fixture { _ in Configuration.oracle(origin) }
            let directory = first.gateway.directory + "/audit"
            try write(
                Self.frame.merging(Configuration.contract(origin)).merging(["audit": ["directory": .string(directory)]])
                    .bytes)
            let run = try tollgate("serve")
            #expect(run.status == 1, "\(run.errors)")
            #expect(run.errors.contains("Error: "))
            #expect(!run.errors.contains("Fatal error"))
        }

        @Test("serve: an address at which another gateway listens is an error")
        func serveBeside() throws {
            let origin = try RawOrigin()
            let first = try Fixture { _ in Configuration.oracle(origin) }
            let taken: Literal = ["name": "public", "address": .string("127.0.0.1:\(first.gateway.port)")]
            try write(
                Self.frame.merging(Configuration.contract(origin)).merging(["listeners": [taken]]).bytes)
            let run = try tollgate("serve")
            #expect(run.status == 1, "\(run.errors)")
            #expect(run.errors.contains("Address already in use"), "\(run.errors)")
        }

        @Test("check: 78 and every error at once with file, line, column and the nearest valid name")
        func checkBad() throws {
            let text = """
                {
                  "listeners": [{ "name": "public", "address": "127.0.0.1:99999" }],
                  "upstreams": { "things": { "endpoints": ["http://127.0.0.1:9000"] } },
                  "rateLimit": { "requestsPerMinut": 360 },
                  "routes": [
                    { "name": "things", "match": { "path": "/api/**" }, "upstream": "thingz", "authenticate": [] },
                    { "name": "more", "match": { "path": "/more/**" }, "upstream": "things", "authenticate": ["jtw"] }
                  ]
                }
                """
            try write(Array(text.utf8))
            let run = try tollgate("check", "--config", "gateway.json")
            #expect(run.status == 78)
            let report = run.output + run.errors
            for line in [2, 4, 6, 7] { #expect(report.contains("gateway.json:\(line):"), "line \(line):\n\(report)") }
            let places = report.split(separator: "\n").filter { $0.contains(#/gateway\.json:[0-9]+:[0-9]+/#) }
            #expect(places.count >= 4)
            for word in ["requestsPerMinute", "\"things\"", "jwt", "routes"] {
                #expect(report.contains(word) || report.contains(word.replacing("\"", with: "")), "\(word):\n\(report)")
            }
        }

        @Test(
            "check: 78 for what is no JSON or cannot be read",
            arguments: ["{", "", "[]", "{\"a\":1,\"a\":2}", "{} x", "\u{FEFF}{}"])
        func checkBroken(_ text: String) throws {
            try write(Array(text.utf8))
            let run = try tollgate("check", "--config", "gateway.json")
            #expect(run.status == 78, "\(run.output)\(run.errors)")
            #expect((run.output + run.errors).contains("gateway.json"))
        }

        @Test("check: a file that is not there, and one of the configuration's own files that is not")
        func checkMissing() throws {
            let none = try tollgate("check", "--config", "none.json")
            #expect(none.status == 78 || none.status == 1)
            #expect((none.output + none.errors).contains("none.json"))
            TemporaryDirectory.remove(directory + "/policies/things.json")
            let run = try tollgate("check", "--config", "gateway.json")
            #expect(run.status == 78)
            #expect((run.output + run.errors).contains("things.json"))
        }

        @Test("check: the audit trail cannot lie in a file, nor below one")
        func checkAuditDirectory() throws {
            let settings = Self.frame.merging(Configuration.contract(try RawOrigin()))
            for (place, isGood) in [("gateway.json", false), ("gateway.json/below/it", false), ("not/yet/there", true)]
            {
                try write(settings.merging(["audit": ["directory": .string(place)]]).bytes)
                let run = try tollgate("check")
                #expect((run.status == 0) == isGood && (run.status == 78) != isGood, "\(place): \(run.errors)")
                #expect(
                    isGood || run.errors.contains("gateway.json: Not a directory; name a directory in audit.directory"))
            }
        }

        @Test("check: ${NAME} takes an environment variable; one that is not set is an error")
        func environment() throws {
            let text = String(decoding: try TemporaryDirectory.read(directory + "/gateway.json"), as: UTF8.self)
            try write(Array(text.replacing("https://api.test/", with: "${TOLLGATE_TEST_AUDIENCE}").utf8))
            let set = ["TOLLGATE_TEST_AUDIENCE": "https://api.test/"]
            #expect(try tollgate("check", environment: set).status == 0)
            let unset = try tollgate("check")
            #expect(unset.status == 78)
            #expect((unset.output + unset.errors).contains("TOLLGATE_TEST_AUDIENCE"))
        }

        @Test("serve with a bad configuration: 78, and it says why")
        func serveBad() throws {
            try write(Array("{\"routes\": 7}".utf8))
            let run = try tollgate("serve", "--config", "gateway.json")
            #expect(run.status == 78)
            #expect((run.output + run.errors).contains("gateway.json:1:"))
        }

        @Test("bad usage: 64", arguments: [["nonsense"], ["serve", "--nonsense"], ["explain"], ["token", "create"]])
        func usage(_ arguments: [String]) throws {
            let run = try GatewayProcess.run(arguments, in: directory)
            #expect(run.status == 64, "\(run.output)\(run.errors)")
            #expect(!run.errors.isEmpty)
        }

        @Test(
            "--help of each command is worth reading",
            arguments: [
                [], ["serve"], ["check"], ["explain"], ["schema"], ["token"], ["token", "create"], ["token", "list"],
                ["token", "revoke"], ["audit"], ["audit", "verify"], ["audit", "query"], ["demo-upstream"],
            ])
        func help(_ command: [String]) throws {
            let run = try GatewayProcess.run(command + ["--help"], in: directory)
            #expect(run.status == 0)
            #expect(run.output.contains("OVERVIEW:"))
            #expect(run.output.contains("USAGE: tollgate"))
            #expect(run.output.utf8.count > 200, "\(run.output)")
        }

        @Test("schema: the file in the repository")
        func schema() throws {
            let run = try tollgate("schema")
            #expect(run.status == 0)
            let committed = try TemporaryDirectory.read(Oracle.directory + "/../../gateway.schema.json")
            #expect(run.output == String(decoding: committed, as: UTF8.self))
            let schema = try JSON.parse(Array(run.output.utf8), limits: .configuration)
            #expect(schema.member("$schema")?.string?.contains("json-schema.org") == true)
        }

        @Test("explain: the decision step by step, in words and in JSON")
        func explain() throws {
            let fixture = try Fixture()
            let token = try fixture.token("alice", ["azp": "acme-lamps"])
            func explain(_ arguments: [String]) throws -> GatewayProcess.Run {
                try GatewayProcess.run(
                    ["explain"] + arguments + ["--config", "gateway.json"], in: fixture.gateway.directory)
            }
            let field = ["-H", "Authorization: Bearer \(token)"]
            let admitted = try explain(["GET", "/api/2/things/a"] + field)
            #expect(admitted.status == 0, "\(admitted.errors)")
            for word in ["things", "auth:alice", "acme-lamps"] {
                #expect(admitted.output.contains(word), "\(word):\n\(admitted.output)")
            }
            let refused = try explain(["GET", "/api/2/things/secret"] + field)
            #expect(refused.output.contains("403"), "\(refused.output)")
            #expect(try explain(["GET", "/nowhere"]).output.contains("404"))
            #expect(try explain(["GET", "/any/x"]).output.contains("401"))
            let json = try explain(["GET", "/api/2/things/secret", "--json"] + field)
            _ = try JSON.parse(Array(json.output.utf8), limits: .configuration)
            #expect(json.output.contains("403"))
            for run in [admitted, refused, json] { #expect(!(run.output + run.errors).contains(token)) }
            #expect(fixture.origin.requests.isEmpty, "explain forwarded")
            let first = try fixture.gateway.get("/any/x", [("Authorization", "Bearer " + token)])
            let left = quotaParameters(first?.value("ratelimit"))
            #expect((left["r"] ?? 0) == (quotaParameters(first?.value("ratelimit-policy"))["q"] ?? 0) - 1)
        }

        @Test("token: made once, listed without its secret, revoked by its id")
        func token() throws {
            let created = try tollgate("token", "create", "--solution", "acme-lamps", "--label", "first")
            #expect(created.status == 0, "\(created.errors)")
            let words = created.output.split { " \n\t\"',:".contains($0) }
            let token = String(try #require(words.first { $0.utf8.count >= 40 }, "\(created.output)"))
            let second = try tollgate("token", "create", "--solution", "acme-lamps")
            #expect(second.status == 0)
            #expect(!second.output.contains(token))
            let list = try tollgate("token", "list")
            #expect(list.status == 0)
            #expect(list.output.contains("first"))
            #expect(!list.output.contains(token))
            #expect(try tollgate("check").status == 0)
            #expect(try tollgate("token", "revoke", "no-such-id").status != 0)
            #expect(try tollgate("token", "create", "--solution", "no-such-solution").status != 0)
        }

        @Test("audit verify of what is no audit file: not 0")
        func verifyNonsense() throws {
            try write(Array("{\"seq\":1}\nnonsense\n".utf8), as: "audit/x.jsonl")
            #expect(try tollgate("audit", "verify", "audit").status == 1)
            #expect(try tollgate("audit", "verify", "nowhere").status != 0)
        }
    }
}
