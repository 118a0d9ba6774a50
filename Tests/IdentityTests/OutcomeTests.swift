import Identity
import Testing

@Suite struct OutcomeTests {
    @Test func labels() {
        let labels = [
            "admitted", "unauthenticated", "forbidden", "limited", "malformed", "unrouted", "upstream-error",
            "client-gone",
        ]
        #expect(Outcome.allCases.map { "\($0.label)" } == labels)
    }
}
