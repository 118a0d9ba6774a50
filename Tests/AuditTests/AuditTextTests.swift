import Identity
import StrictJSON
import Testing

@testable import Audit

@Suite struct AuditTextTests {
    @Test func identityOfAPrincipal() {
        let fragment = IdentityFragment.render(
            Principal(subjects: ["a\"b", "second"], solution: nil, tenant: "t\n1", client: "c", credential: .basic))
        #expect(
            String(decoding: fragment.bytes, as: UTF8.self) == """
                "subject":"a\\"b","solution":null,"tenant":"t\\u000a1","client":"c","issuer":null,"credential":"basic"
                """)
    }

    /// There is one for each connection.
    @Test func aTextTakesNoMoreRoomThanItHas() {
        for text in ["192.0.2.1", "a\"b", String(repeating: "é", count: 100), String(repeating: "\n", count: 500)] {
            let escaped = AuditText(text).escaped
            #expect(escaped.capacity < escaped.count + 64)
        }
    }

    @Test func nobody() {
        #expect(
            String(decoding: IdentityFragment.none.bytes, as: UTF8.self) == """
                "subject":null,"solution":null,"tenant":null,"client":null,"issuer":null,"credential":"none"
                """)
    }

    @Test func whatStandsInFrontStaysApart() {
        let principal = Principal(
            subjects: [String(repeating: "\u{7f}", count: 500)], solution: String(repeating: "s", count: 2_000),
            client: "",
            credential: .jwt)
        let alone = IdentityFragment.render(principal)
        let behind = IdentityFragment.render(principal, behind: Array("lead".utf8))
        #expect(Array(behind.lead) == Array("lead".utf8))
        #expect(behind.bytes.elementsEqual(alone.bytes))
        #expect(alone.lead.isEmpty)
        let text = String(decoding: alone.bytes, as: UTF8.self)
        #expect(text.hasSuffix(#""client":"","issuer":null,"credential":"jwt""#))
    }

    @Test func everyCredentialHasItsName() throws {
        for (kind, name) in [
            (CredentialKind.none, "none"), (.jwt, "jwt"), (.apiToken, "api-token"), (.basic, "basic"),
        ] {
            let fragment = IdentityFragment.render(Principal(subjects: [], client: "c", credential: kind))
            let record = try parse(Array("{".utf8) + fragment.bytes + Array("}".utf8))
            #expect(record.member("credential")?.string == name)
            #expect(record.member("subject")?.isNull == true)
        }
    }
}
