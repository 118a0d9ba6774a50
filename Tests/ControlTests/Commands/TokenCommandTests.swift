import Foundation
import TestKit
import Testing

@Suite struct TokenCommandTests {
    @Test func aTokenIsShownOnceListedAndRevoked() throws {
        let workspace = try Workspace()
        let created = try workspace.run(
            "token", "create", "--solution", "acme-lamps", "--expires", "90d", "--label", "nightly export")
        #expect(created.status == 0)
        let token = created.output.dropLast()
        #expect(token.hasPrefix("tgt_"))
        let stored = try TemporaryDirectory.read(workspace.directory + "/var/api-tokens.json")
        #expect(!String(decoding: stored, as: UTF8.self).contains(token))

        let explained = try workspace.run(
            "explain", "GET", "/api/2/things/a", "-H", "x-cr-api-token: \(token)", "--json")
        #expect(explained.output.contains("\"admitted\": true"))

        let listed = try workspace.run("token", "list").output.split(separator: "\n")
        #expect(listed.count == 3, "the heading, the new token, the demo token of gateway.json")
        #expect(listed[1].contains("nightly export"))
        let id = String(listed[1].prefix { $0 != " " })

        #expect(try workspace.run("token", "revoke", id).status == 0)
        #expect(try workspace.run("token", "revoke", id).status == 1)
        #expect(try workspace.run("token", "list").output.split(separator: "\n").count == 2)
    }

    @Test func anUnknownSolutionOrAPastExpiryIsBadUsage() throws {
        let workspace = try Workspace()
        #expect(try workspace.run("token", "create", "--solution", "nobody").status == 64)
        for expires in ["2020-01-01T00:00:00Z", "soon", "1", "-1d"] {
            let run = try workspace.run("token", "create", "--solution", "acme-lamps", "--expires=\(expires)")
            #expect(run.status == 64, "\(expires)")
        }
    }

    /// It would keep the file from being read, and with it the gateway from starting.
    @Test(arguments: ["", "night\nly", "\u{7f}", "\u{85}", String(repeating: "a", count: 4097)])
    func aLabelThatCannotBeReadIsBadUsage(_ label: String) throws {
        let workspace = try Workspace()
        let run = try workspace.run("token", "create", "--solution", "acme-lamps", "--label", label)
        #expect(run.status == 64, "\(run.errors)")
        #expect(run.output.isEmpty)
        #expect(try workspace.run("token", "list").output.split(separator: "\n").count == 2)
    }

    @Test func aLabelStaysAsItIs() throws {
        let workspace = try Workspace()
        for label in ["cost ${TEAM}", "a$${b", "$"] {
            #expect(try workspace.run("token", "create", "--solution", "acme-lamps", "--label", label).status == 0)
            let listed = try workspace.run("token", "list")
            #expect(listed.status == 0, "\(listed.errors)")
            #expect(listed.output.contains(" \(label)\n"), "\(listed.output)")
        }
    }

    @Test func aTokenThatNobodyGetsIsAFailure() throws {
        let workspace = try Workspace()
        let process = Process()
        process.executableURL = URL(filePath: GatewayProcess.executable)
        process.arguments = ["token", "create", "--solution", "acme-lamps"]
        process.currentDirectoryURL = URL(filePath: workspace.directory)
        process.standardOutput = FileHandle(forWritingAtPath: "/dev/full")
        let errors = Pipe()
        process.standardError = errors
        try process.run()
        let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        #expect(process.terminationStatus == 1)
        #expect(text.contains("tollgate token revoke t"), "\(text)")
        #expect(text.contains("standard output cannot be written"), "\(text)")
    }

    @Test func aTokenOfTheConfigurationIsRemovedByHand() throws {
        let run = try Workspace().run("token", "revoke", "demo")
        #expect(run.status == 1)
        #expect(run.errors.contains("stands in gateway.json"))
    }
}
