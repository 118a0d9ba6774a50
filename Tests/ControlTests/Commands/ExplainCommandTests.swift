import StrictJSON
import TestKit
import Testing

@Suite struct ExplainCommandTests {
    private let target = "/api/2/things/acme:lamp-1"

    private func explain(_ arguments: [String]) throws -> JSON {
        let workspace = try Workspace()
        let run = try GatewayProcess.run(["explain", "--json"] + arguments, in: workspace.directory)
        #expect(run.status == 0)
        return try JSON.parse(Array(run.output.utf8), limits: .configuration)
    }

    private func bearer(_ name: String) throws -> String {
        "Authorization: Bearer \(try Workspace().credential(name))"
    }

    private func lastStep(_ json: JSON) -> String? {
        json.member("steps")?.array?.last?.member("step")?.string
    }

    @Test func anAdmittedRequestIsShownAsItWouldBeForwarded() throws {
        let json = try explain(["GET", target, "-H", try bearer("alice.jwt"), "-H", "X-Tollgate-Subject: eve"])
        #expect(json.member("admitted")?.bool == true)
        let lines = json.member("forwarded")?.array?.compactMap(\.string) ?? []
        #expect(lines.first == "GET \(target) HTTP/1.1")
        #expect(lines.contains("x-tollgate-subject: demo:alice"))
        #expect(!lines.contains { $0.lowercased().hasPrefix("authorization:") || $0.contains("eve") })
    }

    @Test func aPolicyThatRefusesIsTheLastStep() throws {
        let json = try explain(["GET", target, "-H", try bearer("bob.jwt")])
        #expect(json.member("status")?.number?.integer == 403)
        #expect(lastStep(json) == "policy")
        let facts = json.member("steps")?.array?.last?.member("facts")
        #expect(facts?.member("of")?.string == "thing:/acme:lamp-1")
        #expect(facts?.member("because 2")?.string?.hasPrefix("READ refused: ") == true)
        #expect(json.member("forwarded") == nil)
    }

    @Test func anExpiredTokenAndAMissingOneProveNobody() throws {
        for arguments in [["GET", target, "-H", try bearer("expired.jwt")], ["GET", target]] {
            let json = try explain(arguments)
            #expect(json.member("status")?.number?.integer == 401)
            #expect(lastStep(json) == "credential")
        }
    }

    @Test func anAPITokenIdentifiesItsSolution() throws {
        let token = try Workspace().credential("lamps.token")
        let json = try explain(["GET", target, "-H", "x-cr-api-token: \(token)"])
        #expect(json.member("admitted")?.bool == true)
    }

    @Test(arguments: [
        ("/nowhere", 404, "route"), ("/api/2/things/%2e%2e%2f", 400, "path"), ("/a b", 400, "parse"),
    ])
    func refusalsBeforeTheCredentialAreExplained(target: String, status: Int64, step: String) throws {
        let json = try explain(["GET", target])
        #expect(json.member("status")?.number?.integer == status)
        #expect(lastStep(json) == step)
    }

    @Test func peopleGetText() throws {
        let run = try Workspace().run("explain", "GET", "/public/x", "--peer", "192.0.2.7")
        #expect(run.status == 0)
        #expect(run.output.contains("ok  route: public, to upstream things.\n"))
        #expect(run.output.contains("belongs to the peer 192.0.2.7."))
        #expect(run.output.contains("        x-forwarded-for: 192.0.2.7\n"))
    }
}
