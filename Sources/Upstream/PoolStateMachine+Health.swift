/// Which endpoints are in rotation, and what happens when one leaves it.
extension PoolStateMachine {
    /// Whether requests are sent to the endpoint.
    package func isInRotation(_ endpoint: Int, now: Int64) -> Bool {
        endpoints[endpoint].health.isInRotation(now: now)
    }

    /// The verdict of the active checks on an endpoint changed.
    package mutating func checked(endpoint: Int, isHealthy: Bool, now: Int64) -> [Action] {
        var actions: [Action] = []
        endpoints[endpoint].health.checked(isHealthy: isHealthy)
        if isHealthy {
            assignAll(now: now, into: &actions)
            connectWhereNeeded(now: now, into: &actions)
        } else {
            leave(endpoint, now: now, into: &actions)
        }
        return actions
    }

    /// An endpoint left the rotation: its idle connections are not worth keeping, and who waits for it goes elsewhere.
    mutating func leave(_ endpoint: Int, now: Int64, into actions: inout [Action]) {
        closeIdle(endpoint, into: &actions)
        for index in waiters.indices where waiters[index].endpoint == endpoint { unassign(index, now: now) }
        assignAll(now: now, into: &actions)
        connectWhereNeeded(now: now, into: &actions)
    }

    /// Whether so many endpoints would stay in rotation that this one can be spared.
    func mayEject(_ endpoint: Int, now: Int64) -> Bool {
        var out = 0
        for index in endpoints.indices where index != endpoint && !isInRotation(index, now: now) { out += 1 }
        return (out + 1) * 100 <= endpoints.count * settings.ejection.maximumPercent
    }

    /// Whether an endpoint may soon take connections again.
    func isAnyWorthWaiting(now: Int64) -> Bool {
        for endpoint in endpoints where !endpoint.health.isDown(now: now) { return true }
        return false
    }

    /// Whole seconds until an endpoint may be back, at least 1.
    func retryAfter(now: Int64) -> Int {
        let wait = endpoints.reduce(Int64.max) { min($0, $1.health.wait(now: now)) }
        return endpoints.isEmpty ? 1 : max(1, Int(clamping: (min(wait, 1 << 60) + 999_999_999) / 1_000_000_000))
    }
}
