/// Whether a client keeps up with a minimum rate while the gateway waits for it: for its body, or to read its answer.
///
/// Sans-IO. The client has credit, `patience` at most. Waiting for it uses credit up, its bytes give it back: as many as the
/// rate brings in a second give a second. So a client may pause for as long as the patience, and one that stays below the rate
/// runs out of it, however evenly it drips. Time in which nobody waits for the client costs it nothing.
struct ClientPace {
    /// What is asked of a client.
    struct Rule {
        /// The longest pause, in nanoseconds.
        var patience: Int64
        /// Bytes a second, at most 2^20; 0 for no minimum: a byte of any size gives all credit back.
        var rate: Int64
    }

    enum Side {
        case body, answer
    }

    /// What is watched: a side of the exchange with this number.
    private var watched: (side: Side, exchange: UInt64)?
    /// Nanoseconds. Below zero where the end was noticed late, so that being late gives nobody credit.
    private var credit: Int64 = 0
    /// Bytes so far.
    private var count = 0
    /// Since when the client is waited for and has not been charged; nil while it is not.
    private var since: Int64?
    /// Whether the client has made some progress, but less than the rate asks for.
    private(set) var isSlow = false

    /// How much longer the client may take, in nanoseconds; zero or less when that was too long. It is waited for from now on.
    ///
    /// - Parameter count: the bytes of the exchange so far; what it has grown by since the last call is progress.
    mutating func patience(
        for side: Side, of exchange: UInt64, at count: Int, _ rule: Rule, now: Int64
    ) -> Int64 {
        watch(side, of: exchange, at: count, rule, now: now)
        since = now
        return credit
    }

    /// Takes note of progress while something else is waited for.
    mutating func pause(for side: Side, of exchange: UInt64, at count: Int, _ rule: Rule, now: Int64) {
        watch(side, of: exchange, at: count, rule, now: now)
        since = nil
    }

    /// Something else is waited for from now on. Constant time, and nothing if the client was not waited for.
    mutating func pause(now: Int64) {
        charge(now)
        since = nil
    }

    private mutating func charge(_ now: Int64) {
        guard let since else { return }
        credit -= max(0, now - since)
    }

    private mutating func watch(_ side: Side, of exchange: UInt64, at count: Int, _ rule: Rule, now: Int64) {
        defer { self.count = count }
        guard let watched, watched == (side, exchange) else {
            self.watched = (side, exchange)
            credit = rule.patience
            isSlow = false
            return
        }
        charge(now)
        let gained = Int64(count - self.count)
        guard gained > 0 else { return }
        // More bytes than these are worth all of the patience; fewer can be multiplied.
        let (product, isHuge) = rule.patience.multipliedReportingOverflow(by: rule.rate)
        let whole = (isHuge ? .max : product) / 1_000_000_000
        let worth = gained > whole ? rule.patience : gained * 1_000_000_000 / max(1, rule.rate)
        credit = min(rule.patience, credit + worth)
        isSlow = credit < rule.patience
    }
}
