/// What a peer may cost without bringing work: frames that are cheap to send and not free to answer.
///
/// Rapid reset (CVE-2023-44487) and its server-provoked sister, floods of PING, SETTINGS, WINDOW_UPDATE, PRIORITY, empty DATA
/// and CONTINUATION all consist of frames that are legal one by one. Each takes from this budget; finished exchanges, content
/// and time give back. A peer that has used it up is told ENHANCE_YOUR_CALM (RFC 9113 §10.5).
struct FloodBudget: Sendable {
    private static let maximumFrames = 1000
    private static let maximumResets = 200
    /// Go's client opens its windows for every 4 KiB that its reader takes, others for less; both windows of each.
    private static let bytesPerWindowUpdate = 256
    /// What content has earned is used up when it has been read, which may be much later.
    private static let maximumEarned = 1 << 20
    /// A client that keeps its connection alive with PINGs for hours must not run out.
    private static let framesPerSecond: Int64 = 10
    private static let second: Int64 = 1_000_000_000

    private var frames = FloodBudget.maximumFrames
    private var resets = FloodBudget.maximumResets
    private var refilled = Int64.min

    /// Takes for a frame that brings nothing. False when the budget is used up.
    mutating func spendFrame(_ count: Int = 1) -> Bool {
        frames -= count
        return frames >= 0
    }

    /// Takes for a stream that ended before its answer did.
    mutating func spendReset() -> Bool {
        resets -= 1
        return resets >= 0
    }

    /// An exchange came to its end.
    mutating func exchangeFinished() {
        earn(20)
        resets = min(resets + 1, Self.maximumResets)
    }

    /// Content of so many bytes came.
    mutating func received(_ count: Int) { earn(count / 1024) }

    /// A frame with so many bytes of content was sent; the receiver opens its windows again as it reads them.
    mutating func sent(_ count: Int) {
        frames = min(frames + 2 + count / Self.bytesPerWindowUpdate, Self.maximumEarned)
    }

    private mutating func earn(_ count: Int) {
        frames = max(frames, min(frames + count, Self.maximumFrames))
    }

    /// Time passed; `now` in monotonic nanoseconds.
    mutating func refill(now: Int64) {
        guard refilled != .min else {
            refilled = now
            return
        }
        let seconds = (now - refilled) / Self.second
        guard seconds > 0 else { return }
        refilled += seconds * Self.second
        earn(Int(min(seconds, 1000) * Self.framesPerSecond))
        resets = min(resets + Int(min(seconds, 1000)), Self.maximumResets)
    }
}
