package import Gate
import Reactor

/// The machine's clocks, for those who are on no loop.
package enum SystemClock {
    /// Both clocks, read one after the other.
    @Sendable package static func now() -> Now {
        Now(monotonic: Clocks.monotonic(), unixNanoseconds: Clocks.unix())
    }
}
