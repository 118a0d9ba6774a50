import Settings
import TestKit
import Testing

/// Reads configurations with an environment and files of the test's own.
struct Fixture {
    var environment: [String: String] = [:]
    var files: [String: String] = [:]
    var now: Int64 = 1_800_000_000

    var surroundings: Surroundings {
        Surroundings(
            environment: { [environment] in environment[$0] },
            readFile: { [files] name in
                guard let text = files[name] else { return .missing }
                return text == "unreadable" ? .unreadable("Permission denied") : .bytes(Array(text.utf8))
            },
            now: { [now] in now })
    }

    /// The settings and warnings, or what is wrong.
    func read(_ text: String, file: String = "gateway.json") -> Result<Settings.Loaded, SettingsError> {
        Result { () throws(SettingsError) in
            try Settings.read(Array(text.utf8), file: file, surroundings: surroundings)
        }
    }

    /// Everything that is wrong, a line each.
    func problems(_ text: String, file: String = "gateway.json") -> [String] {
        switch read(text, file: file) {
        case .success(let loaded): loaded.warnings.map(\.description)
        case .failure(let error): error.problems.map(\.description)
        }
    }

    /// The settings of a configuration that has to be right.
    func settings(_ text: String, sourceLocation: SourceLocation = #_sourceLocation) throws -> GatewaySettings {
        switch read(text) {
        case .success(let loaded): return loaded.settings
        case .failure(let error):
            Issue.record("\(error)", sourceLocation: sourceLocation)
            throw error
        }
    }

    /// A key set that ES256 can use; made once, because only its form matters.
    static let keys: String = {
        do { return try TokenMint.jwks([TokenMint("ES256", keyID: "k1")]).text } catch { return "{}" }
    }()

    /// The configuration of CONTRACT.md, with hashes filled in and an algorithm whose keys are quickly made.
    static let contract = """
        {
          "$schema": "./gateway.schema.json",
          "listeners": [{ "name": "public", "address": "127.0.0.1:8080" }],
          "admin": { "address": "127.0.0.1:9090" },
          "workers": 0,
          "issuers": {
            "auth0": {
              "issuer": "https://example.eu.auth0.com/",
              "audiences": ["https://api.example/"],
              "algorithms": ["ES256"],
              "keys": { "file": "keys/auth0.jwks.json" },
              "clockSkew": "10s",
              "subjects": ["{{ jwt:sub }}", "{{ jwt:permissions }}"],
              "client": "{{ jwt:azp }}",
              "solution": "{{ jwt:azp }}",
              "tenant": "{{ jwt:org_id }}"
            }
          },
          "solutions": {
            "acme-lamps": {
              "apiTokens": [{
                "id": "t1",
                "sha256": "96a520ee1dc57fc6fd66dd8050c60a084ae40f7b23fbf43f5057690ba244774a",
                "expires": "2030-01-01T00:00:00Z"
              }],
              "secretHash": "$scrypt$ln=10,r=8,p=1$c2FsdHNhbHRzYWx0$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
              "subjects": ["integration:acme-lamps"],
              "rateLimit": { "requestsPerMinute": 1200, "burst": 1200 }
            }
          },
          "rateLimit": { "requestsPerMinute": 360, "burst": 360, "per": "client" },
          "policies": { "things": { "file": "policies/things.json" } },
          "upstreams": { "things": { "endpoints": ["http://127.0.0.1:9000"] } },
          "routes": [
            { "name": "things", "match": { "path": "/api/2/things/**" }, "upstream": "things",
              "authenticate": ["jwt", "apiToken", "basic"], "requireSolution": true,
              "policy": { "use": "things", "resource": "thing:/{rest}" } },
            { "name": "public", "match": { "path": "/public/**" }, "upstream": "things", "authenticate": [] }
          ],
          "audit": { "directory": "var/audit" }
        }
        """

    static let policy = """
        {
          "policyId": "acme:things",
          "_revision": 3,
          "entries": {
            "owner": {
              "subjects": { "auth0:alice": { "type": "a person", "expiry": "2099-12-31T23:59:59Z" } },
              "resources": { "thing:/": { "grant": ["READ", "WRITE"], "revoke": [] } },
              "importable": "never"
            },
            "guest": {
              "subjects": { "auth0:bob": { "type": "" } },
              "resources": { "thing:/attributes/secret": { "revoke": ["READ"] } },
              "namespaces": ["acme", "acme.*"]
            }
          }
        }
        """

    /// What the contract's configuration refers to.
    static let contractFiles = ["keys/auth0.jwks.json": keys, "policies/things.json": policy]
}
