import Identity
import Testing

@Suite struct TemplateCompilerTests {
    private func failure(_ template: String) -> TemplateError? {
        do throws(TemplateError) {
            _ = try ClaimTemplate(template)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        ("", 0, TemplateError.Reason.empty),
        ("a{{ jwt:sub", 1, .unclosedPlaceholder),
        ("{{", 0, .unclosedPlaceholder),
        ("{{ jwt:sub | fn:split('}}'", 0, .unclosedPlaceholder),
        ("{{ jwt:sub | fn:default(jwt:x", 0, .unclosedPlaceholder),
        ("a }} b", 2, .strayClosing),
        ("{{ sub }}", 3, .unknownSource("sub", .token)),
        ("{{ header:x }}", 3, .unknownSource("header:x", .token)),
        ("{{ JWT:sub }}", 3, .unknownSource("JWT:sub", .token)),
        ("{{ }}", 3, .unknownSource("", .token)),
        ("{{ jwt: }}", 7, .badPath(.token)),
        ("{{ jwt:/sub }}", 7, .badPath(.token)),
        ("{{ jwt:sub | lower() }}", 13, .expectedFunction),
        ("{{ jwt:sub | }}", 13, .expectedFunction),
        ("{{ jwt:sub | fn:lowr() }}", 13, .unknownFunction("lowr", nearest: "lower")),
        ("{{ jwt:sub | fn:substring('x') }}", 13, .unknownFunction("substring", nearest: "substring-after")),
        ("{{ jwt:sub | fn:lower }}", 22, .expected("( after fn:lower")),
        ("{{ jwt:sub | fn:lower() x }}", 24, .expected("| or }}")),
        ("{{ jwt:sub | fn:lower('x') }}", 13, .wrongArgumentCount(function: "lower", wanted: "no argument")),
        ("{{ jwt:sub | fn:split() }}", 13, .wrongArgumentCount(function: "split", wanted: "one text")),
        ("{{ jwt:sub | fn:split('a','b') }}", 13, .wrongArgumentCount(function: "split", wanted: "one text")),
        ("{{ jwt:sub | fn:replace('a') }}", 13, .wrongArgumentCount(function: "replace", wanted: "two texts")),
        ("{{ jwt:sub | fn:split('') }}", 22, .emptyArgument(function: "split")),
        ("{{ jwt:sub | fn:default('') }}", 24, .emptyArgument(function: "default")),
        ("{{ jwt:sub | fn:split('a }}", 22, .unclosedQuote),
        ("{{ jwt:sub | fn:split(a) }}", 22, .expected("a text in quotes")),
        ("{{ jwt:sub | fn:split(jwt:a) }}", 22, .expected("a text in quotes")),
        ("{{ jwt:sub | fn:split('a' 'b') }}", 26, .expected(", or )")),
        ("{{ jwt:sub | fn:default('a',) }}", 28, .expected("a text in quotes")),
        ("{{ jwt:sub | fn:filter('lke','b') }}", 23, .unknownComparison("lke", nearest: "like")),
    ])
    func errorsNameThePlace(_ template: String, _ offset: Int, _ reason: TemplateError.Reason) throws {
        let failure = try #require(self.failure(template))
        #expect(failure.offset == offset)
        #expect(failure.reason == reason)
        #expect(failure.description.hasPrefix("at character \(offset + 1): "))
    }

    @Test func tooManySlashesAreRefused() {
        let path = String(repeating: "a/", count: 32)
        #expect(failure("{{ jwt:\(path)a }}") == nil)
        #expect(failure("{{ jwt:\(path)a/a }}")?.reason == .badPath(.token))
    }

    @Test func theWayOutIsNamed() {
        #expect(failure("{{ jwt:a | fn:uper() }}")?.description.contains("fn:upper") == true)
        #expect(failure("{{ sub }}")?.description.contains("{{ jwt:sub }}") == true)
    }

    @Test func closingBracesInsideQuotesAreText() {
        #expect(failure("{{ jwt:a | fn:replace('}}', '{{') }}") == nil)
        #expect(failure("{{ jwt:a | fn:replace(\"'\", '\"') }}") == nil)
    }

    @Test func everyPrefixOfATemplateEitherCompilesOrSaysWhy() {
        let template = Array("x{{ jwt:a/b | fn:split(',') | fn:default(jwt:c) }}y{{ jwt:d }}".utf8)
        for end in 0...template.count {
            let prefix = String(decoding: template[..<end], as: UTF8.self)
            if let failure = self.failure(prefix) { #expect(failure.offset <= end) }
        }
        #expect(failure(String(decoding: template, as: UTF8.self)) == nil)
    }

    @Test func aTemplateForCertificatesReadsNoToken() throws {
        #expect(try ClaimTemplate("{{ cert:subject.CN | fn:lower() }}", source: .certificate).text.isEmpty == false)
        do throws(TemplateError) {
            _ = try ClaimTemplate("{{ jwt:sub }}", source: .certificate)
            Issue.record("it was taken")
        } catch {
            #expect(error.description.contains("a placeholder begins with cert:, as in {{ cert:subject.CN }}"))
        }
    }
}
