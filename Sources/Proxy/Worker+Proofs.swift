import Authentication
import Gate
import NIOPosix
import Reactor

extension Worker {
    /// Runs a proof on a verifier thread and comes back with the result. False when too many wait already.
    func verify(
        _ attempt: Attempt, for handler: ClientHandler, request: UInt64
    ) -> Bool {
        let isHash = attempt.isPasswordHash
        guard isHash ? hashes < Self.maximumHashes : proofs < Self.maximumProofs else { return false }
        if isHash { hashes += 1 } else { proofs += 1 }
        metrics.verifications.add()
        let bound = ReactorBound((self, handler), on: reactor)
        let handle = reactor.handle
        let generation = gatekeeper.generation
        (isHash ? shared.hashers : shared.verifiers).submit { state in
            let outcome: Attempt.Outcome =
                switch state {
                case .active: attempt.run(now: SystemClock.now().monotonic)
                case .cancelled: .failed(.overloaded)
                }
            handle.execute { reactor in
                guard let (worker, handler) = bound.value(on: reactor) else { return }
                if isHash { worker.hashes -= 1 } else { worker.proofs -= 1 }
                handler.attempted(outcome, request: request, generation: generation)
            }
        }
        return true
    }
}
