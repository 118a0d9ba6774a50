/// A clock that moves only when a test says so. Time is an argument everywhere below the shell, so a test hands these
/// two readings on.
package struct ManualClock: Sendable {
    /// Nanoseconds since an arbitrary start; never goes backwards unless a test sets it so.
    package var monotonic: Int64
    /// Seconds since 1970.
    package var unix: Int64

    /// A clock that stands at the given readings. The default wall clock is the one of the JWT oracle.
    package init(monotonic: Int64 = 1_000_000_000_000, unix: Int64 = 1_800_000_000) {
        self.monotonic = monotonic
        self.unix = unix
    }

    /// Moves both readings on by whole seconds.
    package mutating func advance(seconds: Int64) {
        monotonic += seconds * 1_000_000_000
        unix += seconds
    }

    /// Moves the monotonic reading on by nanoseconds; the wall clock stays, as it shows whole seconds only.
    package mutating func advance(nanoseconds: Int64) {
        monotonic += nanoseconds
    }
}
