/// The limiter's answer to one request, with what the RateLimit response fields need.
package struct LimitVerdict: Sendable, Equatable {
    /// Length of the window that ``limit`` counts over, in seconds: the `w` of `RateLimit-Policy`.
    package static let windowSeconds = 60

    /// Whether the request may go on.
    package let isAllowed: Bool
    /// Whole requests left after this one: the `r` of `RateLimit`. Rounded down.
    package let remaining: Int
    /// Seconds until one more request than ``remaining`` is available: the `t` of `RateLimit` and `Retry-After`.
    /// Rounded up, so at least 1 whenever the bucket is not full; 0 only for a full bucket.
    package let secondsUntilMore: Int
    /// Requests per ``windowSeconds`` at the steady rate: the `q` of `RateLimit-Policy`.
    package let limit: Int
    /// Most requests that can be available at once: the size of the bucket.
    package let burst: Int

    /// Length of the window that ``limit`` counts over, in seconds.
    package var windowSeconds: Int { LimitVerdict.windowSeconds }

    package init(isAllowed: Bool, remaining: Int, secondsUntilMore: Int, limit: Int, burst: Int) {
        self.isAllowed = isAllowed
        self.remaining = remaining
        self.secondsUntilMore = secondsUntilMore
        self.limit = limit
        self.burst = burst
    }
}
