import Authentication
import Identity
import Testing

@Suite struct CertificateRulesTests {
    private func certificate(_ names: [(kind: String, values: [String])], notAfter: Int64 = 1000) throws
        -> ClientCertificate
    {
        try #require(
            ClientCertificate(thumbprint: [UInt8](repeating: 7, count: 32), notAfter: notAfter, names: names))
    }

    private func rules(_ templates: [String], solution: String? = nil) throws -> CertificateRules {
        CertificateRules(
            subjects: try templates.map { try ClaimTemplate($0, source: .certificate) },
            solution: try solution.map { try ClaimTemplate($0, source: .certificate) })
    }

    @Test func namesBecomeSubjectsWithThePrefix() throws {
        let shown = try certificate([
            ("subject.CN", ["robot"]), ("subject.O", ["acme"]), ("san.uri", ["urn:a", "urn:b"]),
        ])
        let result = try rules(
            ["{{ cert:subject.CN }}", "{{ cert:san.uri }}", "{{ cert:san.dns }}"], solution: "{{ cert:subject.O }}"
        ).identify(shown, now: 0)
        let authenticated = try result.get()
        #expect(
            authenticated.principal
                == Principal(
                    subjects: ["certificate:robot", "certificate:urn:a", "certificate:urn:b"], solution: "acme",
                    client: "acme", credential: .certificate))
        #expect(authenticated.expires == 1000)
    }

    @Test func aCertificateThatNamesNobodyProvesNothing() throws {
        let rules = try rules(["{{ cert:subject.CN }}"])
        #expect(try rules.identify(certificate([]), now: 0) == .failure(.invalid(.certificateNames)))
        #expect(
            try rules.identify(certificate([("subject.CN", ["a\r\nx: y"])]), now: 0)
                == .failure(.invalid(.certificateNames)))
        // `sub` is a token's claim; no certificate can fill it in.
        #expect(try rules.identify(certificate([("sub", ["root"])]), now: 0) == .failure(.invalid(.certificateNames)))
    }

    @Test func anExpiredOneNeither() throws {
        let rules = try rules(["{{ cert:subject.CN }}"])
        let shown = try certificate([("subject.CN", ["robot"])])
        #expect(try rules.identify(shown, now: 999).get().principal.subject == "certificate:robot")
        #expect(rules.identify(shown, now: 1000) == .failure(.invalid(.expiredCertificate)))
    }

    @Test func aThumbprintHas32Bytes() {
        #expect(ClientCertificate(thumbprint: [1, 2, 3], notAfter: 0, names: []) == nil)
    }
}
