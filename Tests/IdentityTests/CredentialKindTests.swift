import Identity
import Testing

@Suite struct CredentialKindTests {
    @Test func labels() {
        #expect(CredentialKind.allCases.map { "\($0.label)" } == ["none", "jwt", "api-token", "basic", "certificate"])
        #expect(CredentialSet.all == [.jwt, .apiToken, .basic])
    }
}
