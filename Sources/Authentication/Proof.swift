import Identity

/// The expensive rest of one authentication: a signature to verify or a password to hash.
///
/// A value without ties to a thread; whoever holds it runs it once, off the event loop, and takes the result back.
package struct Proof: Sendable {
    /// One object: a token taken apart is many parts, and each copy would count all of them.
    final class Signature: Sendable {
        let form: TokenForm
        let key: VerificationKey
        let authenticator: Authenticator
        let rules: IssuerRules
        let named: Authenticator.NamedSolution?
        let expires: Int64
        let boundTo: SHA256Value?

        init(
            form: TokenForm, key: VerificationKey, authenticator: Authenticator, rules: IssuerRules,
            named: Authenticator.NamedSolution?, expires: Int64, boundTo: SHA256Value?
        ) {
            self.form = form
            self.key = key
            self.authenticator = authenticator
            self.rules = rules
            self.named = named
            self.expires = expires
            self.boundTo = boundTo
        }
    }

    struct Secret: Sendable {
        let hash: PasswordHash
        let secret: [UInt8]
        let authenticated: Authenticated
    }

    private enum Work: Sendable {
        case signature(Signature)
        case secret(Secret)
    }

    private let work: Work

    init(_ signature: Signature) {
        work = .signature(signature)
    }

    init(_ secret: Secret) {
        work = .secret(secret)
    }

    /// Whether this is a password hash: tens of milliseconds and megabytes, against microseconds for a signature.
    ///
    /// A pool can keep the two apart, so that guessing at secrets does not hold up tokens.
    package var isPasswordHash: Bool {
        switch work {
        case .signature: false
        case .secret: true
        }
    }

    /// Does the work. The claims are looked at again only once the signature is known to be good.
    package func run() -> Result<Authenticated, AuthenticationFailure> {
        switch work {
        case .secret(let proof):
            return proof.hash.verify(proof.secret) ? .success(authenticated(proof)) : .failure(.invalid(.badSecret))
        case .signature(let proof):
            guard
                proof.key.isValid(proof.form.signature, for: proof.form.signed, algorithm: proof.form.header.algorithm)
            else {
                return .failure(.invalid(.signature))
            }
            return authenticated(proof)
        }
    }

    /// The result without the work, where an earlier proof of the same credentials rested on the same key or hash; nil
    /// where it did not, so that it says nothing about this one. Microseconds.
    package func renewed(on evidence: Evidence) -> Result<Authenticated, AuthenticationFailure>? {
        switch work {
        case .secret(let proof):
            evidence == .secret(proof.hash.text) ? .success(authenticated(proof)) : nil
        case .signature(let proof):
            evidence == .key(proof.key.fingerprint) ? authenticated(proof) : nil
        }
    }

    private func authenticated(_ proof: Secret) -> Authenticated {
        Authenticated(
            principal: proof.authenticated.principal, expires: proof.authenticated.expires,
            evidence: .secret(proof.hash.text))
    }

    private func authenticated(_ proof: Signature) -> Result<Authenticated, AuthenticationFailure> {
        Result { () throws(AuthenticationFailure) in
            let principal = try proof.authenticator.principal(
                proof.form.claims, proof.rules, named: proof.named)
            return Authenticated(
                principal: principal, expires: proof.expires, boundTo: proof.boundTo,
                evidence: .key(proof.key.fingerprint))
        }
    }
}
