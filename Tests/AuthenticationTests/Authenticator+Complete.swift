import Authentication
import Identity

extension Authenticator {
    /// Begins and, if need be, runs the proof on the spot.
    func complete(
        _ presented: PresentedCredentials, allowed: CredentialSet = .all, now: Int64
    ) -> Result<Authenticated, AuthenticationFailure> {
        switch begin(presented, allowed: allowed, now: now) {
        case .finished(let result): result
        case .pending(let proof): proof.run()
        }
    }
}
