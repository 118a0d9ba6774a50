import Authentication
import Testing

@Suite struct AuthenticationFailureTests {
    @Test func codesAreDistinct() {
        var codes = Set(InvalidToken.allCases.map { "\($0.code)" })
        #expect(codes.count == InvalidToken.allCases.count)
        let others: [AuthenticationFailure] = [
            .missing, .malformed(""), .contradictory, .keysUnavailable(issuer: "x"), .overloaded,
        ]
        codes.formUnion(others.map { "\($0.code)" })
        #expect(codes.count == InvalidToken.allCases.count + others.count)
    }

    @Test(arguments: InvalidToken.allCases)
    func detailsFitIntoAQuotedString(_ reason: InvalidToken) {
        let text = "\(reason.detail)"
        #expect(!text.isEmpty)
        #expect(text.utf8.allSatisfy { (0x20...0x7e).contains($0) && $0 != 0x22 && $0 != 0x5c })
    }

    @Test func equality() {
        let failures: [AuthenticationFailure] = [
            .missing, .malformed("a"), .malformed("b"), .contradictory, .invalid(.expired), .invalid(.format),
            .keysUnavailable(issuer: "a"), .keysUnavailable(issuer: "b"), .overloaded,
        ]
        for (i, left) in failures.enumerated() {
            for (j, right) in failures.enumerated() { #expect((left == right) == (i == j)) }
        }
    }
}
