import Identity
import Testing

@Suite struct PrincipalTests {
    private let principal = Principal(
        subjects: ["idp:a", "idp:b"], solution: "s", tenant: "t", client: "c", issuer: "idp", credential: .jwt)

    @Test func theFirstSubjectIsTheSubject() {
        #expect(principal.subject == "idp:a")
        #expect(Principal(subjects: [], client: "c", credential: .none).subject == nil)
    }

    @Test func everyPartCounts() {
        let changes: [(inout Principal) -> Void] = [
            { $0.subjects = ["idp:a"] }, { $0.subjects = ["idp:b", "idp:a"] }, { $0.solution = nil },
            { $0.tenant = "u" }, { $0.client = "d" }, { $0.issuer = nil }, { $0.credential = .basic },
        ]
        #expect(principal == principal)
        for change in changes {
            var other = principal
            change(&other)
            #expect(other != principal)
        }
    }

    @Test func canonicallyEquivalentNamesAreDifferentCallers() {
        var composed = principal
        var decomposed = principal
        composed.solution = "caf\u{e9}"
        decomposed.solution = "cafe\u{301}"
        #expect(composed.solution == decomposed.solution)
        #expect(composed != decomposed)
    }
}
