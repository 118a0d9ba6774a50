/// The time of one event, read once where it entered the process and handed down.
package struct Now: Sendable {
    /// Nanoseconds of a clock that never goes back: buckets, deadlines, durations.
    package var monotonic: Int64
    /// Nanoseconds since 1970 UTC: expiries and audit records.
    package var unixNanoseconds: Int64

    package init(monotonic: Int64, unixNanoseconds: Int64) {
        self.monotonic = monotonic
        self.unixNanoseconds = unixNanoseconds
    }

    /// Whole seconds since 1970 UTC.
    package var unix: Int64 { unixNanoseconds / 1_000_000_000 }
}
