import TestKit
import Testing

@Suite struct CheckCommandTests {
    @Test func theConfigurationThatShipsIsGoodAndWarnsOfItsDemoCredentials() throws {
        let run = try Workspace().run("check")
        #expect(run.status == 0)
        #expect(run.output.hasPrefix("gateway.json: good\n"))
        #expect(run.output.contains("/api/2/things/** → things"))
        #expect(run.errors.split(separator: "\n").count == 2)
        #expect(run.errors.contains("trusts the public key of demo/"))
        #expect(run.errors.contains("has the token of demo/"))
    }

    @Test func everyErrorIsReportedAtOnceWithItsPlace() throws {
        let workspace = try Workspace { text in
            text.replacing("\"clockSkew\": \"10s\"", with: "\"clockSkew\": \"10\"")
                .replacing("\"upstream\": \"things\"", with: "\"upstream\": \"thing\"")
                .replacing("\"workers\"", with: "\"wokers\"")
        }
        let run = try workspace.run("check")
        #expect(run.status == 78)
        #expect(run.output.isEmpty)
        let lines = run.errors.split(separator: "\n")
        #expect(lines.contains { $0.hasPrefix("gateway.json:5:3: error: $.wokers") && $0.contains("\"workers\"") })
        #expect(lines.contains { $0.contains("$.issuers.demo.clockSkew") && $0.contains("\"10\"") })
        #expect(lines.count { $0.contains(".upstream") && $0.contains("\"things\"") } == 2)
        #expect(lines.last == "gateway.json: 4 errors")
    }

    @Test func aMissingFileIsABadConfiguration() throws {
        let run = try Workspace().run("check", "--config", "nowhere.json")
        #expect(run.status == 78)
        #expect(run.errors.contains("nowhere.json"))
    }

    @Test(arguments: [["check", "--nonsense"], ["nonsense"], ["explain"], ["token", "create"]])
    func badUsageIs64(arguments: [String]) throws {
        let workspace = try Workspace()
        let run = try GatewayProcess.run(arguments, in: workspace.directory)
        #expect(run.status == 64)
        #expect(run.errors.hasPrefix("Error: "))
    }

    @Test(arguments: [
        "serve", "check", "explain", "schema", "token create", "token list", "token revoke", "hash-secret",
        "audit verify", "audit query", "health", "demo-upstream",
    ])
    func everyCommandHasHelp(command: String) throws {
        let workspace = try Workspace()
        let run = try GatewayProcess.run(
            command.split(separator: " ").map(String.init) + ["--help"], in: workspace.directory)
        #expect(run.status == 0)
        #expect(run.output.hasPrefix("OVERVIEW: "))
        #expect(run.output.contains("USAGE: tollgate \(command)"))
    }

    @Test func theSchemaIsTheOneThatShips() throws {
        let run = try Workspace().run("schema")
        #expect(Array(run.output.utf8) == (try TemporaryDirectory.read("\(Workspace.package)/gateway.schema.json")))
    }

    @Test func theReadmeHasThePresentReference() throws {
        let run = try Workspace().run("schema", "--markdown")
        let readme = String(decoding: try TemporaryDirectory.read("\(Workspace.package)/README.md"), as: UTF8.self)
        #expect(readme.contains(run.output), "make reference puts it there")
    }
}
