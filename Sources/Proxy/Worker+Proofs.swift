import Authentication
import Gate
import NIOPosix
import Reactor

/// A proof that waits for the end of the round, and who waits for it.
struct GatheredProof {
    let attempt: Attempt
    let handler: ClientHandler
    let request: UInt64
    let generation: UInt64
}

/// Proofs leave the loop at the end of a round, several together: to wake a thread, and the loop again, takes about as long
/// as half a signature.
extension Worker: RoundParticipant {
    /// The most signatures that one thread verifies before it tells the loop: the first of them waits for the last.
    private static let maximumBatch = 8
    /// The fewest that are worth another thread.
    private static let minimumBatch = 4

    /// Runs a proof on a verifier thread and comes back with the result. False when too many wait already.
    func verify(
        _ attempt: Attempt, for handler: ClientHandler, request: UInt64
    ) -> Bool {
        let isHash = attempt.isPasswordHash
        guard isHash ? hashes < Self.maximumHashes : proofs < Self.maximumProofs else { return false }
        metrics.verifications.add()
        let proof = GatheredProof(
            attempt: attempt, handler: handler, request: request, generation: gatekeeper.generation)
        if isHash {
            hashes += 1
            run([proof][...], on: shared.hashers) { $0.hashes -= 1 }
        } else {
            proofs += 1
            if gathered.isEmpty { reactor.atRoundEnd(self) }
            gathered.append(proof)
        }
        return true
    }

    func roundEnded() {
        let count = gathered.count
        let batches = max(
            (count + Self.maximumBatch - 1) / Self.maximumBatch,
            min(shared.verifiers.numberOfThreads, count / Self.minimumBatch))
        for batch in 0..<batches {
            let part = gathered[batch * count / batches..<(batch + 1) * count / batches]
            let size = part.count
            run(part, on: shared.verifiers) { $0.proofs -= size }
        }
        gathered.removeAll(keepingCapacity: true)
    }

    /// Runs proofs one after the other on one thread of the pool, and comes back once.
    private func run(
        _ batch: ArraySlice<GatheredProof>, on pool: NIOThreadPool, done: @escaping @Sendable (Worker) -> Void
    ) {
        let attempts = batch.map(\.attempt)
        let bound = ReactorBound(
            (worker: self, waiting: batch.map { ($0.handler, $0.request, $0.generation) }), on: reactor)
        let handle = reactor.handle
        pool.submit { state in
            let outcomes = attempts.map { attempt in
                switch state {
                case .active: attempt.run(now: SystemClock.now().monotonic)
                case .cancelled: Attempt.Outcome.failed(.overloaded)
                }
            }
            handle.execute { reactor in
                guard let (worker, waiting) = bound.value(on: reactor) else { return }
                done(worker)
                for ((handler, request, generation), outcome) in zip(waiting, outcomes) {
                    handler.attempted(outcome, request: request, generation: generation)
                }
            }
        }
    }
}
