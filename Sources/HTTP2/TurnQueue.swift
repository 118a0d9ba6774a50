/// Who takes turns with others at what they share. It stands in one queue.
@usableFromInline
package protocol TurnTaker: AnyObject {
    /// Whether it waits for a turn, or for another one while it has its own. The queue's to set; false at first.
    var isQueued: Bool { get set }
}

/// The streams of a connection that wait to send, in the order of their turns: they share its window (RFC 9113 §5.2) and its
/// output.
///
/// Who had a turn goes behind all the others. Who got nothing in its turn keeps its place ahead of them, because a window may
/// open for one turn at a time. So whoever can send at all gets its turn before any other gets two.
///
/// Its owner asks for turns round by round, and lets what it calls in a turn ask for others:
///
///     while hasRoom, let stream = queue.next() {
///         queue.endTurn(hasSent: stream.send())
///     }
///     queue.endRound()
///
/// Turns take constant time and allocate nothing once the storage has grown; the end of a round is linear in who waits. Nobody
/// is there twice: bounded by how many takers there are, and in a round by its turns beside them.
///
/// Inlinable for the same reason as `StreamTable`.
@usableFromInline
package struct TurnQueue<Taker: TurnTaker> {
    /// In a round: first those who got nothing, so many as `passed`; what was handed out, up to `position`; then who is to come.
    @usableFromInline
    var takers: [Taker] = []
    @usableFromInline
    var passed = 0
    @usableFromInline
    var position = 0
    /// Whose turn it is.
    @usableFromInline
    var current: Taker?

    @inlinable
    package init() {}

    /// Whether nobody waits, apart from whose turn it is.
    @inlinable
    package var isEmpty: Bool { passed == 0 && position == takers.count }

    /// Whether any of those who wait is one that is looked for. Linear.
    @inlinable
    package func contains(where test: (Taker) -> Bool) -> Bool {
        takers[..<passed].contains(where: test) || takers[position...].contains(where: test)
    }

    /// Waits for a turn behind the others. Whose turn it is asks for another one with this.
    @inlinable
    package mutating func append(_ taker: Taker) {
        guard !taker.isQueued else { return }
        taker.isQueued = true
        // Its place is known when its turn is over.
        if taker !== current { takers.append(taker) }
    }

    /// Whether one that has something to send may do so at once. When others wait it takes its place behind them instead.
    @inlinable
    package mutating func mayGoAhead(_ taker: Taker) -> Bool {
        guard !isEmpty else { return true }
        append(taker)
        return false
    }

    /// Whose turn it is; nil when nobody is left in this round but those who got nothing. `endTurn` has to follow.
    @inlinable
    package mutating func next() -> Taker? {
        guard position < takers.count else { return nil }
        let taker = takers[position]
        position += 1
        taker.isQueued = false
        current = taker
        return taker
    }

    /// Ends a turn, in which something was sent or not. Who has not asked for another one leaves.
    @inlinable
    package mutating func endTurn(hasSent: Bool) {
        guard let taker = current else { return }
        current = nil
        guard taker.isQueued else { return }
        if hasSent {
            takers.append(taker)
        } else {
            takers[passed] = taker
            passed += 1
        }
    }

    /// Ends a round: those who got nothing in it are the first in the next.
    @inlinable
    package mutating func endRound() {
        takers.removeSubrange(passed..<position)
        passed = 0
        position = 0
    }

    /// Nobody waits any more; also in the middle of a turn.
    @inlinable
    package mutating func removeAll() {
        for taker in takers { taker.isQueued = false }
        self = TurnQueue()
    }
}
