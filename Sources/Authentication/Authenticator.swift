package import Identity

/// Tells who a caller is from what it presented: the whole of authentication for one configuration.
///
/// `begin` does what is cheap and refuses whatever form, algorithm, issuer, times, audience or key already condemn;
/// what is left is a `Proof`, one signature check or one password hash, to be run where it may take its time. Nothing
/// in here reads a clock, waits, or remembers: caches belong to the caller, and only proven credentials enter them.
package final class Authenticator: Sendable {
    /// The most subjects one token may have.
    package static let maximumSubjects = 256

    /// By the bytes of `iss`; a dictionary of strings would take canonically equivalent names for one.
    let issuers: [ExactName: IssuerRules]
    let solutions: [SolutionCredentials]
    private let solutionIndex: [[UInt8]: Int]
    private let tokenIndex: [SHA256Value: TokenEntry]
    let maximumTokenBytes: Int
    let maximumDepth: Int
    let algorithms: Set<Algorithm>

    private struct TokenEntry: Sendable {
        let solution: Int
        let expires: Int64?
    }

    /// Builds the tables. Where two issuers, solutions or tokens collide the first one counts; validating a
    /// configuration is the business of Settings.
    package init(issuers: [Issuer], solutions: [SolutionCredentials]) {
        self.issuers = Dictionary(
            issuers.map { (ExactName($0.issuer), IssuerRules($0)) }, uniquingKeysWith: { first, _ in first })
        self.solutions = solutions
        solutionIndex = Dictionary(
            solutions.enumerated().map { (Array($1.id.utf8), $0) }, uniquingKeysWith: { first, _ in first })
        var tokens: [SHA256Value: TokenEntry] = [:]
        for (index, solution) in solutions.enumerated() {
            for token in solution.apiTokens {
                guard let digest = SHA256Value(token.sha256), tokens[digest] == nil else { continue }
                tokens[digest] = TokenEntry(solution: index, expires: token.expires)
            }
        }
        tokenIndex = tokens
        maximumTokenBytes = issuers.map(\.maximumTokenBytes).max() ?? 0
        maximumDepth = issuers.map(\.maximumDepth).max() ?? 0
        algorithms = issuers.reduce(into: []) { $0.formUnion($1.algorithms) }
    }

    /// What `begin` comes to.
    package enum Step: Sendable {
        /// Decided at once.
        case finished(Result<Authenticated, AuthenticationFailure>)
        /// Everything cheap is in order; what is left is expensive.
        case pending(Proof)
    }

    /// Authenticates one request as far as that is cheap: microseconds, no waiting, safe on an event loop.
    ///
    /// A kind of credential that is not in `allowed` counts as not presented. `now` is in Unix seconds.
    package func begin(_ presented: PresentedCredentials, allowed: CredentialSet, now: Int64) -> Step {
        var none = TokenHeaders()
        return begin(presented, allowed: allowed, now: now, headers: &none)
    }

    /// The same for one token after another: a header that is that of the one before is not read again.
    package func begin(
        _ presented: PresentedCredentials, allowed: CredentialSet, now: Int64, headers: inout TokenHeaders
    ) -> Step {
        do throws(AuthenticationFailure) {
            guard !allowed.isEmpty else { throw .missing }
            guard !presented.duplicated else { throw .malformed("A credential field stands more than once.") }
            let named = try solutionOfHeader(presented.apiToken, allowed: allowed, now: now)
            switch try Authorization(presented.authorization, allowed: allowed) {
            case .none:
                guard let named else { throw .missing }
                return .finished(.success(authenticated(named, credential: .apiToken)))
            case .apiToken(let token):
                let bearer = try solution(ofToken: token, now: now)
                guard named == nil || named?.index == bearer.index else { throw .contradictory }
                let both = bearer.expiring(with: named)
                return .finished(.success(authenticated(both, credential: .apiToken)))
            case .basic(let id, let secret):
                return .pending(Proof(try secretProof(id, secret, named)))
            case .jwt(let token):
                let proof = try signatureProof(token, named, now: now, headers: &headers)
                // A MAC costs less than handing it to another thread.
                if case .secret = proof.key.material { return .finished(Proof(proof).run()) }
                return .pending(Proof(proof))
            }
        } catch {
            return .finished(.failure(error))
        }
    }

    // MARK: - API tokens

    /// A solution that was named by a credential, and until when that holds.
    struct NamedSolution: Sendable {
        let index: Int
        let expires: Int64

        func expiring(with other: NamedSolution?) -> NamedSolution {
            NamedSolution(index: index, expires: min(expires, other?.expires ?? .max))
        }
    }

    private func solutionOfHeader(
        _ token: [UInt8]?, allowed: CredentialSet, now: Int64
    ) throws(AuthenticationFailure) -> NamedSolution? {
        guard let token, allowed.contains(.apiToken) else { return nil }
        guard !token.isEmpty else { throw .malformed("The API token is empty.") }
        return try solution(ofToken: token[...], now: now)
    }

    /// The hash is looked up, not the token, so that timing says nothing about tokens that exist.
    private func solution(
        ofToken token: ArraySlice<UInt8>, now: Int64
    ) throws(AuthenticationFailure) -> NamedSolution {
        guard let entry = tokenIndex[SHA256Value(hashing: token)] else {
            throw .invalid(.unknownAPIToken)
        }
        if let expires = entry.expires, now >= expires { throw .invalid(.expiredAPIToken) }
        return NamedSolution(index: entry.solution, expires: entry.expires ?? .max)
    }

    /// The caller is the solution itself.
    private func authenticated(_ named: NamedSolution, credential: CredentialKind) -> Authenticated {
        let solution = solutions[named.index]
        let principal = Principal(
            subjects: solution.subjects, solution: solution.id, client: solution.id, credential: credential)
        return Authenticated(principal: principal, expires: named.expires)
    }

    // MARK: - Solution secrets

    /// An id nobody has is refused without hashing: ids are no secret, and a hash for every made-up id would hand a
    /// stranger 32 MiB of our memory for the price of a header.
    private func secretProof(
        _ id: ArraySlice<UInt8>, _ secret: ArraySlice<UInt8>, _ named: NamedSolution?
    ) throws(AuthenticationFailure) -> Proof.Secret {
        let index = solutionIndex[Array(id)]
        if let named, named.index != index { throw .contradictory }
        guard let index, let hash = solutions[index].secretHash, !secret.isEmpty else { throw .invalid(.badSecret) }
        let solution = NamedSolution(index: index, expires: .max).expiring(with: named)
        return Proof.Secret(
            hash: hash, secret: Array(secret), authenticated: authenticated(solution, credential: .basic))
    }
}
