import Glibc

/// The machine's clocks, in nanoseconds.
package enum Clocks {
    /// Never goes back; counts from the start of the machine.
    package static func monotonic() -> Int64 { read(CLOCK_MONOTONIC) }

    /// Since 1970 UTC.
    package static func unix() -> Int64 { read(CLOCK_REALTIME) }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        // Unsafe: fills this one structure; these two clocks cannot fail.
        unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
    }
}
