import Glibc
import Settings

/// The system clock as RFC 3339 text in UTC, to the millisecond.
@Sendable package func currentTime() -> String {
    var time = timespec()
    // The clock writes the one value that the pointer names, within the call.
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return utcText(seconds: Int64(time.tv_sec), milliseconds: Int(time.tv_nsec / 1_000_000))
}

/// A moment as RFC 3339 text in UTC with three digits of fraction.
///
/// - Parameter milliseconds: 0 to 999.
package func utcText(seconds: Int64, milliseconds: Int) -> String {
    let digits = String(min(max(milliseconds, 0), 999))
    return Timestamp.text(seconds).dropLast() + "." + String(repeating: "0", count: 3 - digits.utf8.count) + digits
        + "Z"
}
