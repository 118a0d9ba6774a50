package import Authentication
package import RateLimit

/// The expensive proof of a credential, and the bucket that pays for it when it fails.
///
/// Any number of guesses can wait for a thread at once. So the bucket is asked when a proof's turn comes, and taken from
/// before that thread begins another: no more guesses are computed than the bucket bears, but for those that run at the
/// same moment.
package struct Attempt: Sendable {
    /// What became of it; the request is decided with it.
    package enum Outcome: Sendable {
        /// The digest is that of the credentials, as they were looked for when the attempt began.
        case proven(Authenticated, CredentialDigest?)
        /// It proves nothing; the bucket has paid.
        case failed(AuthenticationFailure)
        /// The bucket was empty when its turn came: nothing was computed.
        case throttled(LimitVerdict)
    }

    let proof: Proof
    let failures: Cell
    let spends: Bool
    let digest: CredentialDigest?

    /// Whether this takes tens of milliseconds and megabytes, against microseconds for a signature.
    package var isPasswordHash: Bool { proof.isPasswordHash }

    /// Does the work on the calling thread. `now` is the monotonic clock in nanoseconds.
    package func run(now: Int64) -> Outcome {
        let bucket = failures.peek(now: now)
        guard bucket.isAllowed else { return .throttled(bucket) }
        switch proof.run() {
        case .success(let authenticated):
            return .proven(authenticated, digest)
        case .failure(let failure):
            if case .invalid = failure, spends { _ = failures.take(now: now) }
            return .failed(failure)
        }
    }
}
