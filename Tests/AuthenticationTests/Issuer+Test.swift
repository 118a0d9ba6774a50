import Authentication
import Identity
import TestKit

extension Int64 {
    /// The clock of these tests.
    static let testNow: Int64 = 1_800_000_000
}

extension Issuer {
    /// The issuer of these tests: `https://idp.example/`, named `idp`, skew 10 s.
    static func test(
        keys: KeySet?, algorithms: Set<Algorithm> = [.ES256, .HS256], changing change: (inout Issuer) -> Void = { _ in }
    ) -> Issuer {
        var issuer = Issuer(
            name: "idp", issuer: "https://idp.example/", audiences: ["api://tollgate"], algorithms: algorithms,
            keys: KeySource(initial: keys))
        change(&issuer)
        return issuer
    }
}

extension Literal {
    /// Claims that the test issuer's tokens need, with changes.
    static func claims(_ changes: Literal = [:]) -> Literal {
        let claims: Literal = [
            "iss": "https://idp.example/", "aud": "api://tollgate", "sub": "user-1", "iat": 1_799_999_990,
            "exp": 1_800_000_600,
        ]
        return claims.merging(changes)
    }
}
