package import Identity
/// stub
package final class Authenticator: Sendable {
    package init(issuers: [Issuer], solutions: [SolutionCredentials]) {}
    package enum Step: Sendable {
        case finished(Result<Authenticated, AuthenticationFailure>)
        case pending(Proof)
    }
    package func begin(_ presented: PresentedCredentials, allowed: CredentialSet, now: Int64) -> Step { .finished(.failure(.missing)) }
}
/// stub
package struct Proof: Sendable {
    package func run() -> Result<Authenticated, AuthenticationFailure> { .failure(.missing) }
}
