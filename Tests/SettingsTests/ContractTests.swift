import Audit
import Authentication
import Identity
import Policy
import RateLimit
import Settings
import TestKit
import Testing
import Upstream

@Suite struct ContractTests {
    @Test func everyMemberOfTheContractArrives() throws {
        let settings = try Fixture(files: Fixture.contractFiles).settings(Fixture.contract)
        #expect(settings.listeners.map(\.name) == ["public"])
        #expect(settings.listeners.map(\.address) == [HostAndPort(host: "127.0.0.1", port: 8080)])
        #expect(settings.admin.address == HostAndPort(host: "127.0.0.1", port: 9090))
        #expect(settings.workers == 0)

        let issuer = try #require(settings.issuers.first)
        #expect(issuer.name == "auth0")
        #expect(issuer.issuer == "https://example.eu.auth0.com/")
        #expect(issuer.audiences == ["https://api.example/"])
        #expect(issuer.algorithms == [.ES256])
        #expect(issuer.keys?.document == Array(Fixture.keys.utf8))
        #expect(issuer.clockSkew == .seconds(10))
        #expect(issuer.subjects.map(\.text) == ["{{ jwt:sub }}", "{{ jwt:permissions }}"])
        #expect(issuer.client?.text == "{{ jwt:azp }}")
        #expect(issuer.solution?.text == "{{ jwt:azp }}")
        #expect(issuer.tenant?.text == "{{ jwt:org_id }}")

        let solution = try #require(settings.solutions.first)
        #expect(solution.name == "acme-lamps")
        #expect(solution.apiTokens.map(\.id) == ["t1"])
        #expect(solution.apiTokens.map(\.sha256.count) == [32])
        #expect(solution.apiTokens.first?.sha256.first == 0x96)
        #expect(solution.apiTokens.first?.expires == 1_893_456_000)
        #expect(solution.secretHash?.text.hasPrefix("$scrypt$ln=10,r=8,p=1$") == true)
        #expect(solution.subjects == ["integration:acme-lamps"])
        #expect(solution.rateLimit?.requestsPerMinute == 1200)
        #expect(try solution.rateLimit?.quota().burst == 1200)

        #expect(settings.rateLimit.requestsPerMinute == 360)
        #expect(settings.rateLimit.burst == 360)
        #expect(settings.rateLimit.per == .client)

        let policy = try #require(settings.policies.first)
        #expect(policy.name == "things")
        #expect(
            policy.document
                == PolicyDocument(
                    policyId: "acme:things",
                    entries: [
                        .init(
                            label: "owner",
                            subjects: [.init(id: "auth0:alice", type: "a person", expiry: 4_102_444_799)],
                            resources: [.init(key: "thing:/", grant: [.read, .write])], importable: .never),
                        .init(
                            label: "guest", subjects: [.init(id: "auth0:bob", type: "")],
                            resources: [.init(key: "thing:/attributes/secret", revoke: .read)],
                            namespaces: ["acme", "acme.*"]),
                    ]))

        let upstream = try #require(settings.upstreams.first)
        #expect(upstream.name == "things")
        #expect(upstream.endpoints == [Endpoint(host: "127.0.0.1", port: 9000)])
        #expect(upstream.connectTimeout == 5_000_000_000)

        #expect(settings.routes.map(\.name) == ["things", "public"])
        #expect(settings.routes.map(\.match.path) == ["/api/2/things/**", "/public/**"])
        #expect(settings.routes.map(\.requireSolution) == [true, false])
        #expect(settings.routes.map { settings.accepted(by: $0) } == [.all, []])
        #expect(settings.routes[0].policy?.use == "things")
        #expect(settings.routes[0].policy?.resource == "thing:/{rest}")
        #expect(settings.routes[0].policy?.reading.permissions == .read)
        #expect(settings.routes[0].policy?.reading.check == .partial)
        #expect(settings.routes[0].policy?.writing.permissions == .write)
        #expect(settings.routes[0].policy?.writing.check == .unrestricted)
        #expect(settings.audit.trail.directory == "var/audit")
        #expect(settings.tokens.file == "var/api-tokens.json")
    }

    @Test func theContractNeedsNoWarning() {
        #expect(Fixture(files: Fixture.contractFiles).problems(Fixture.contract) == [])
    }

    @Test func relativePathsStartFromTheConfigurationsDirectory() throws {
        let fixture = Fixture(
            files: Dictionary(uniqueKeysWithValues: Fixture.contractFiles.map { ("/etc/tollgate/" + $0, $1) }))
        let loaded = try fixture.read(Fixture.contract, file: "/etc/tollgate/gateway.json").get()
        #expect(loaded.settings.audit.trail.directory == "/etc/tollgate/var/audit")
        #expect(loaded.settings.tokens.file == "/etc/tollgate/var/api-tokens.json")
    }

    @Test func theConfigurationOfThisRepositoryIsRight() throws {
        let root = Oracle.directory.split(separator: "/").dropLast(2).joined(separator: "/")
        let loaded = try Settings.load(file: "/\(root)/gateway.json")
        #expect(loaded.warnings == [])
        #expect(loaded.settings.routes.map(\.name) == ["things", "public"])
    }

    @Test func aMissingFileIsToldAsOne() {
        #expect(throws: SettingsError.self) { try Settings.load(file: "/nowhere/gateway.json") }
        do throws(SettingsError) {
            _ = try Settings.load(file: "/nowhere/gateway.json")
        } catch {
            #expect(
                error.description
                    == "/nowhere/gateway.json:1:1: error: $: there is no such file; name one with --config")
        }
    }
}
