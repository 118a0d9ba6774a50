import Settings
import Testing

@Suite struct TokenFileTests {
    private let file = TokenFile(tokens: [
        .init(
            id: "t1", solution: "acme-lamps", sha256: [UInt8](repeating: 0xab, count: 32), expires: 1_893_456_000,
            label: "a \"label\"", created: 0),
        .init(id: "t2", solution: "other", sha256: (0..<32).map { $0 }),
    ])

    @Test func whatIsWrittenIsReadBack() throws {
        let bytes = file.serialised()
        #expect(try TokenFile.parse(bytes, file: "tokens.json") == file)
        #expect(
            String(decoding: bytes, as: UTF8.self).hasPrefix(
                """
                {
                  "tokens": [
                    {
                      "id": "t1",
                      "solution": "acme-lamps",
                      "sha256": "abababababababababababababababababababababababababababababababab",
                      "expires": "2030-01-01T00:00:00Z",
                      "label": "a \\"label\\"",
                      "created": "1970-01-01T00:00:00Z"
                    },
                """))
        #expect(try TokenFile.parse(TokenFile().serialised(), file: "tokens.json") == TokenFile())
    }

    @Test func aBrokenFileIsRefusedWithItsPlaces() {
        let text = """
            {"tokens": [{"id": "a", "solution": "s", "sha256": "00"},
            {"id": "a", "sha256": "\(String(repeating: "0", count: 64))", "lable": "x"}]}
            """
        do throws(SettingsError) {
            _ = try TokenFile.parse(Array(text.utf8), file: "tokens.json")
            Issue.record("it was accepted")
        } catch {
            #expect(
                error.problems.map(\.description) == [
                    "tokens.json:1:52: error: $.tokens[0].sha256: this is not the SHA-256 of a token: 64 hexadecimal"
                        + " digits, as `tollgate token create` makes",
                    "tokens.json:2:91: error: $.tokens[1].lable: unknown member \"lable\"; did you mean \"label\"?",
                    "tokens.json:2:1: error: $.tokens[1]: the member \"solution\" is missing: The solution it stands"
                        + " for.",
                    "tokens.json:2:8: error: $.tokens[1].id: another token has the id \"a\"; ids are unique",
                ])
        }
    }

    @Test func tokensJoinTheirSolutions() throws {
        let fixture = Fixture(files: [
            "keep/tokens.json": String(decoding: file.serialised(), as: UTF8.self)
        ])
        let text = #"{"tokens": {"file": "keep/tokens.json"}, "solutions": {"acme-lamps": {}}}"#
        let loaded = try fixture.read(text).get()
        let solution = try #require(loaded.settings.solutions.first)
        #expect(solution.apiTokens.map(\.id) == ["t1"])
        #expect(solution.apiTokens.first?.sha256 == [UInt8](repeating: 0xab, count: 32))
        #expect(solution.apiTokens.first?.expires == 1_893_456_000)
        #expect(
            loaded.warnings.map(\.description).contains(
                "keep/tokens.json:13:19: warning: $.tokens[1].solution: the token \"t2\" is for the solution"
                    + " \"other\", which is not configured, and is refused; known are \"acme-lamps\""))
    }

    @Test func idsAreUniqueOverBothFiles() {
        let fixture = Fixture(files: [
            "var/api-tokens.json": String(decoding: file.serialised(), as: UTF8.self)
        ])
        let text = """
            {"solutions": {"acme-lamps": {}, "other": {"apiTokens": [
              {"id": "t1", "sha256": "\(String(repeating: "11", count: 32))"}]}}}
            """
        #expect(
            fixture.problems(text) == [
                "gateway.json:2:10: error: $.solutions.other.apiTokens[0].id: solution \"acme-lamps\" has a token with"
                    + " the id \"t1\"; ids are unique"
            ])
    }

    @Test func aBrokenTokenFileIsToldBesideTheConfiguration() {
        let fixture = Fixture(files: ["var/api-tokens.json": "{\"tokens\": [}"])
        #expect(
            fixture.problems("{\"workers\": -1}") == [
                "gateway.json:1:13: error: $.workers: -1 is not in 0 to 1024",
                "var/api-tokens.json:1:13: error: $: '}' stands where a value should stand",
            ])
    }
}
