import Gate
import Policy
import Settings
import StrictJSON
import TestKit

/// What operators write: the configuration, policies, the tokens file, and the JSON they are written in.
extension FuzzTarget {
    private static let jsonWords = [
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0000", "\\ud800", "\\ud83d\\ude00", "null", "true", "false", "0",
        "-0",
        "1e400", "1.5", "-1", "9223372036854775808", "\"\"", "{}", "[]", "[null]", "{\"\":1}", "\"a\":1,\"a\":2",
        "\u{FEFF}",
        "\t", "\n", "[[[[[[[[[[[[[[[[", "{\"a\":{\"a\":{\"a\":",
    ].map { Array($0.utf8) }

    private static let settingsWords =
        jsonWords
        + [
            "\"${HOME}\"", "\"${\"", "\"/**\"", "\"/{a}/{a}\"", "\"/{rest}/**\"", "\"thing:/{b}\"", "\"127.0.0.1:0\"",
            "\"[::1]:80\"", "\"10.0.0.0/33\"", "\"jwt\"", "\"things\"", "\"1s\"", "\"99999999999d\"", "\"240B\"",
            "\"1TiB\"",
            "\"{{ jwt:a | fn:default('x') }}\"", "\"{{ \"", "[\"jwt\"]", "{\"file\": \"policies/things.json\"}",
            "{\"env\": \"HOME\"}", "\"http://[::1]:1\"", "\"https://a.test\"", "\"unknown\": 1,",
        ].map { Array($0.utf8) }

    static let json = FuzzTarget(
        "json",
        corpus: [Array(configuration.utf8), Array(policy.utf8), latin1(#"[1,-0.5e+3,"\u00e9\n",{"":null},true]"#)],
        words: jsonWords
    ) { bytes in
        do throws(JSONError) {
            let value = try JSON.parse(bytes, limits: .token)
            var writer = JSONWriter()
            writer.value(value)
            let written = writer.finish()
            var again = JSONWriter()
            again.value(try JSON.parse(written, limits: .configuration))
            return again.finish() == written ? .taken : .wrong("what was written is read as something else")
        } catch {
            return (0...bytes.count).contains(error.offset) ? .refused : .wrong("the place of an error is none")
        }
    }

    private static func read(_ bytes: [UInt8], policy: [UInt8]) -> Result<Settings.Loaded, SettingsError> {
        let surroundings = Surroundings(
            environment: { $0 == "HOME" ? "/home/x" : nil },
            readFile: { $0 == "policies/things.json" ? .bytes(policy) : .missing }, now: { 1_800_000_000 })
        return Result { () throws(SettingsError) in
            try Settings.read(bytes, file: "gateway.json", surroundings: surroundings)
        }
    }

    /// What is wrong with the places of problems.
    private static func fault(in error: SettingsError) -> String? {
        guard !error.problems.isEmpty else { return "a refusal has no reason" }
        for problem in error.problems {
            guard problem.line >= 1, problem.column >= 1, problem.path.hasPrefix("$"), !problem.message.isEmpty else {
                return "a problem has no place: \(problem)"
            }
        }
        return nil
    }

    static let settings = FuzzTarget("settings", corpus: [Array(configuration.utf8)], words: settingsWords) { bytes in
        switch read(bytes, policy: Array(policy.utf8)) {
        case .failure(let error): return fault(in: error).map { .wrong($0) } ?? .refused
        case .success(let loaded):
            do throws(SettingsError) {
                _ = try SnapshotBuilder.offline.build(loaded.settings)
                return .taken
            } catch {
                return fault(in: error).map { .wrong($0) } ?? .refused
            }
        }
    }

    static let policies = FuzzTarget(
        "policies", corpus: [Array(policy.utf8)],
        words: jsonWords
            + [
                "\"thing:/\"", "\"thing:/a\"", "\"thing:/a/b\"", "\"thing:/a~1b\"", "\"thing:/a~0b\"", "\"READ\"",
                "\"WRITE\"",
                "\"revoke\":[\"READ\"]",
                "\"grant\":[\"WRITE\"]", "\"auth0:alice\"", "\"auth0:bob\"", "\"expiry\":\"2000-01-01T00:00:00Z\"",
                "\"importable\":\"never\"", "\"namespaces\":[\"*\"]",
            ].map { Array($0.utf8) }
    ) { bytes in
        switch read(Array(configuration.utf8), policy: bytes) {
        case .failure(let error): return fault(in: error).map { .wrong($0) } ?? .refused
        case .success(let loaded):
            guard let document = loaded.settings.policies.first?.document,
                let engine = try? PolicyEngine(document: document)
            else { return .refused }
            return verdicts(engine)
        }
    }

    /// The compiled tree and the explanation, which is made from the entries, say the same.
    private static func verdicts(_ engine: PolicyEngine) -> Verdict {
        let resources: [[String]] = [[], ["a"], ["a", "b"], ["a", "b", "c"], ["a~1b"], ["a~0b"], ["a~b"], ["x"]]
        for subjects in [["auth0:alice"], ["auth0:bob", "auth0:alice"], []] {
            for segments in resources.map({ $0.map { Array($0.utf8) } }) {
                let resource = ResourcePath(type: Array("thing".utf8), segments: segments)
                for permissions in [Permissions.read, .write, .all] {
                    var allowed: [Check: Bool] = [:]
                    for check in Check.allCases {
                        var cursor = engine.view(for: subjects, now: 1_800_000_000).start(type: resource.type)
                        for segment in segments { cursor.descend(segment.span) }
                        let verdict = cursor.verdict(permissions, check)
                        let explained = engine.explain(
                            subjects, resource: resource, permissions, check, now: 1_800_000_000)
                        guard verdict.isAllowed == explained.isAllowed else {
                            return .wrong("it is explained otherwise")
                        }
                        allowed[check] = verdict.isAllowed
                    }
                    if allowed[.unrestricted] == true, allowed[.partial] == false {
                        return .wrong("all is allowed, but not a part of it")
                    }
                }
            }
        }
        return .taken
    }

    static let tokenFile = FuzzTarget(
        "token-file",
        corpus: [
            Array(
                """
                {"tokens": [{"id": "t1", "solution": "lamps", "sha256": "\(String(repeating: "ab", count: 32))",
                "expires": "2030-01-01T00:00:00Z", "label": "a \\"label\\"", "created": "1970-01-01T00:00:00Z"}]}
                """.utf8)
        ], words: jsonWords
    ) { bytes in
        do throws(SettingsError) {
            let file = try TokenFile.parse(bytes, file: "tokens.json")
            guard let again = try? TokenFile.parse(file.serialised(), file: "tokens.json"), again == file else {
                return .wrong("what was written is read as something else")
            }
            return .taken
        } catch {
            return fault(in: error).map { .wrong($0) } ?? .refused
        }
    }

    private static let configuration = """
        {
          "listeners": [{ "name": "public", "address": "127.0.0.1:8080", "proxyProtocol": { "trustedPeers": ["10.0.0.0/8"] } }],
          "solutions": {
            "lamps": {
              "apiTokens": [{ "id": "t1", "sha256": "96a520ee1dc57fc6fd66dd8050c60a084ae40f7b23fbf43f5057690ba244774a" }],
              "subjects": ["integration:lamps"], "rateLimit": { "requestsPerMinute": 1200, "burst": 1200 }
            }
          },
          "rateLimit": { "requestsPerMinute": 360, "burst": 360, "per": "client" },
          "limits": { "maximumHeadBytes": "32KiB", "bodyTimeout": "30s", "minimumBodyRate": "240B" },
          "forwarding": { "trustedProxies": ["10.0.0.0/8", "::1"] },
          "policies": { "things": { "file": "policies/things.json" } },
          "upstreams": {
            "things": { "endpoints": ["http://127.0.0.1:9000", "http://[::1]:9001"], "connectTimeout": "5s" },
            "other": { "endpoints": ["http://localhost:9002"] }
          },
          "routes": [
            { "name": "things", "match": { "path": "/api/2/things/**", "methods": ["GET", "PUT"] }, "upstream": "things",
              "authenticate": ["jwt", "apiToken", "basic"], "requireSolution": true, "timeouts": { "total": "30s" },
              "policy": { "use": "things", "resource": "thing:/{rest}" } },
            { "name": "one", "match": { "path": "/one/{id}/x", "hosts": ["*.a.test"] }, "upstream": "other", "authenticate": [],
              "rewrite": { "stripPrefix": "/one" } }
          ]
        }
        """

    private static let policy = """
        {
          "policyId": "acme:things",
          "entries": {
            "owner": {
              "subjects": { "auth0:alice": { "type": "a person", "expiry": "2099-12-31T23:59:59Z" } },
              "resources": { "thing:/": { "grant": ["READ", "WRITE"], "revoke": [] },
                             "thing:/a/b": { "grant": [], "revoke": ["WRITE"] } }
            },
            "guest": {
              "subjects": { "auth0:bob": { "type": "" } },
              "resources": { "thing:/a": { "grant": ["READ"], "revoke": [] } }, "importable": "never"
            }
          }
        }
        """
}
