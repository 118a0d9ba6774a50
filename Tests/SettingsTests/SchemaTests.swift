import Settings
import StrictJSON
import TestKit
import Testing

@Suite struct SchemaTests {
    private let schema: JSON
    private let bytes = Settings.schema()

    init() throws {
        schema = try JSON.parse(bytes, limits: .configuration)
    }

    private func validate(_ text: String) throws -> [String] {
        let json = try JSON.parse(Array(text.utf8), limits: .configuration)
        return SchemaValidator(root: schema).violations(of: json)
    }

    @Test func theFileAtTheTopIsTheSchema() throws {
        let root = Oracle.directory.split(separator: "/").dropLast(2).joined(separator: "/")
        guard case .bytes(let file) = Surroundings.process.readFile("/\(root)/gateway.schema.json") else {
            Issue.record("gateway.schema.json is missing; write it with `tollgate schema > gateway.schema.json`")
            return
        }
        // Not within the macro, which would print both files.
        let isCurrent = file == bytes
        #expect(isCurrent, "gateway.schema.json is stale; write it with `tollgate schema > gateway.schema.json`")
    }

    @Test func itAcceptsTheContractAndAnEmptyObject() throws {
        #expect(try validate(Fixture.contract) == [])
        #expect(try validate("{}") == [])
        #expect(try validate(#"{"$comment": 1, "x-owner": ["me"]}"#) == [])
    }

    @Test(arguments: [
        #"{"worker": 1}"#, #"{"workers": -1}"#, #"{"workers": "four"}"#, #"{"listeners": []}"#,
        #"{"issuers": {"a": {}}}"#, #"{"issuers": {"a b": {"issuer":"x","audiences":["y"],"keys":{"url":"z"}}}}"#,
        #"{"limits": {"idleTimeout": "soon"}}"#, #"{"rateLimit": {"per": "planet"}}"#,
        #"{"upstreams": {"a": {"endpoints": []}}}"#, #"{"solutions": {"x-team": {}}}"#, #"{"policies": {"$p": {}}}"#,
        #"{"policies": {"p": {"file": "a", "document": {}}}}"#,
        #"{"routes": [{"name": "r", "match": {"path": ""}, "upstream": "u"}]}"#,
    ])
    func itRefusesWhatTheReaderRefuses(_ text: String) throws {
        #expect(try validate(text) != [])
        #expect(throws: SettingsError.self) { try Fixture().read(text).get() }
    }

    @Test func everyMemberIsDocumentedAndOptionalOnesHaveADefault() throws {
        var objects = [("Gateway", schema)]
        for definition in try #require(schema.member("$defs")?.object) {
            objects.append((definition.name, definition.value))
        }
        #expect(objects.count > 20)
        for (title, object) in objects {
            let required = object.member("required")?.array?.compactMap(\.string) ?? []
            for property in try #require(object.member("properties")?.object) {
                let place = "\(title).\(property.name)"
                let description = property.value.member("description")?.string ?? ""
                #expect(description.hasSuffix(".") && description.utf8.count > 10, "\(place)")
                #expect(!description.hasSuffix(".."), "\(place)")
                let isObject = property.value.member("$ref") != nil
                let hasDefault = property.value.member("default") != nil
                #expect(hasDefault != (required.contains(property.name) || isObject), "\(place)")
            }
        }
    }

    /// Writing a default down changes nothing: the schema's defaults are the reader's.
    @Test func everyDefaultIsWhatTheReaderTakes() throws {
        let sparse = try JSON.parse(Array(Self.everyObject.utf8), limits: .configuration)
        let filled = SchemaValidator(root: schema).filled(sparse)
        var writer = JSONWriter()
        writer.value(filled)
        let text = String(decoding: writer.finish(), as: UTF8.self)
        #expect(text.utf8.count > Self.everyObject.utf8.count * 2)
        #expect(try validate(text) == [])
        let fixture = Fixture(files: ["k.json": Fixture.keys])
        let short = try fixture.settings(Self.everyObject)
        let long = try fixture.settings(text)
        #expect(String(describing: short.withoutPlaces) == String(describing: long.withoutPlaces))
    }

    /// Every object of the configuration at least once, with no more than it needs.
    private static let everyObject = """
        {
          "listeners": [{}], "admin": {}, "tokens": {}, "rateLimit": {}, "failedAuthentication": {}, "limits": {},
          "forwarding": {}, "audit": {}, "logging": {},
          "issuers": { "a": { "issuer": "https://a/", "audiences": ["x"], "algorithms": ["ES256"],
                              "keys": { "file": "k.json" } } },
          "solutions": { "s": { "apiTokens": [
            { "id": "t", "sha256": "96a520ee1dc57fc6fd66dd8050c60a084ae40f7b23fbf43f5057690ba244774a" }
          ] } },
          "policies": { "p": { "document": { "entries": {
            "e": { "subjects": { "a:b": {} }, "resources": { "thing:/": {} } } } } } },
          "upstreams": { "u": { "endpoints": ["http://localhost:1"] } },
          "routes": [{ "name": "r", "match": { "path": "/**" }, "upstream": "u",
                       "policy": { "use": "p", "resource": "thing:/{rest}" } }]
        }
        """
}

extension GatewaySettings {
    /// Without the copies of the documents that policies were read from, which differ in their bytes only.
    var withoutPlaces: [String] {
        Mirror(reflecting: self).children.map { child in
            if let policies = child.value as? [PolicySettings] {
                return "\(policies.map { "\($0.name) \($0.document)" })"
            }
            return "\(child.label ?? ""): \(child.value)"
        }
    }
}
