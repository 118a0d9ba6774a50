import Audit
import Authentication
import Gate
import NIOPosix
import RateLimit
import Reactor
import TLS
import Upstream

/// What a loop does because time has passed.
extension Worker {
    /// Nanoseconds between two ticks: everything but the deadlines of connections is looked after then.
    private static let tickInterval: Int64 = 100_000_000
    /// Streams reviewed before the sockets have their turn again, some 10 µs each: a new configuration must not hold up the
    /// requests of its loop.
    private static let maximumReviews = 20
    /// Deadlines that are acted on before the sockets have their turn again, up to some 50 µs each: who lets many connections
    /// time out at once holds up nobody else's requests.
    private static let maximumDue = 2

    func startTicking() {
        guard !isStopped else { return }
        let next = reactor.now + Self.tickInterval
        reactor.schedule(at: next) { [self] in
            tick()
            startTicking()
        }
        awaitDeadlines(until: next)
    }

    private func tick() {
        let now = self.now().monotonic
        answerLines.renew(unixNanoseconds: reactor.unixNow)
        takeDue(now)
        ring?.note(inFlight: inFlight)
        if gatekeeper.generation != reviewedGeneration {
            reviewedGeneration = gatekeeper.generation
            let isUnderWay = !unreviewed.isEmpty
            unreviewed = connections.values.flatMap(\.standing)
            if !isUnderWay { reviewStreams() }
        }
        for target in targets.values { target.pool.tick(now: now) }
        guard now - lastLook >= 1_000_000_000 else { return }
        lastLook = now
        adoptLatest()
        for copy in Array(mirrored.values) where copy.deadline <= now { copy.abandon(now: now) }
        handlers.trim()
        sweep(now)
    }

    // MARK: Deadlines

    func noteDeadline(_ entry: any Deadlined) {
        wheel.note(entry)
    }

    /// For who has left: the wheel would keep it for as long as its last deadline lasts.
    func forgetDeadline(_ entry: any Deadlined) {
        wheel.forget(entry)
    }

    /// Looks at deadlines as they fall due, until the next tick goes on with it. An idle loop has none to wake up for; many
    /// slow clients are ended one by one and not a hundred of them with each tick.
    private func awaitDeadlines(until tick: Int64) {
        guard !isStopped, let next = wheel.nextLook(before: tick) else { return }
        reactor.schedule(at: next) { [self] in
            takeDue(now().monotonic)
            awaitDeadlines(until: tick)
        }
    }

    private func takeDue(_ now: Int64) {
        let isUnderWay = !due.isEmpty
        due.insert(contentsOf: wheel.due(now: now).reversed(), at: 0)
        if !isUnderWay { endDue() }
    }

    private func endDue() {
        let now = self.now().monotonic
        for entry in due.suffix(Self.maximumDue).reversed() {
            // Something may have happened since.
            if entry.deadline <= now { entry.deadlinePassed(now: now) }
            wheel.note(entry)
        }
        due.removeLast(min(due.count, Self.maximumDue))
        if !due.isEmpty, !isStopped { reactor.schedule(at: reactor.now) { [self] in endDue() } }
    }

    // MARK: Reviews

    /// After a change of configuration or credentials: asks for every stream whether it may go on.
    private func reviewStreams() {
        let now = self.now()
        for handler in unreviewed.suffix(Self.maximumReviews) { handler.review(now) }
        unreviewed.removeLast(min(unreviewed.count, Self.maximumReviews))
        if !unreviewed.isEmpty, !isStopped { reactor.schedule(at: reactor.now) { [self] in reviewStreams() } }
    }

    /// Every half minute, off the loop: callers that have expired and buckets that are full again give their memory back. One
    /// loop does it for all.
    private func sweep(_ now: Int64) {
        guard isFirst, now - lastSweep >= 30_000_000_000 else { return }
        lastSweep = now
        shared.tickets?.rotate(now: now)
        let (gate, generation, unix) = (shared.gate, gatekeeper.generation, self.now().unix)
        shared.verifiers.submit { _ in
            // Callers first: it is they who hold buckets.
            gate.admissions.sweep(generation: generation, now: unix)
            gate.limiter.sweep(now: now)
        }
    }
}
