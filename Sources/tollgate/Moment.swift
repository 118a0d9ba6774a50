import ArgumentParser
import Gate
import Settings

/// A moment that was given on the command line.
struct Moment {
    /// Since 1970 UTC.
    let seconds: Int64

    /// Since 1970 UTC; drawn to what 64 bits hold.
    var nanoseconds: Int64 {
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? (seconds < 0 ? .min : .max) : product
    }

    /// `2030-01-01T00:00:00Z`, or `90d` from now on.
    static func ahead(_ text: String, of now: Now) throws -> Moment {
        if let span = span(text) { return Moment(seconds: now.unix + span) }
        return try absolute(text)
    }

    /// `2030-01-01T00:00:00Z`, or `2h` ago.
    static func before(_ text: String, _ now: Now) throws -> Moment {
        if let span = span(text) { return Moment(seconds: now.unix - span) }
        return try absolute(text)
    }

    private static func absolute(_ text: String) throws -> Moment {
        guard let seconds = Timestamp.parse(text) else {
            throw ValidationError(
                "\"\(text)\" is no time; write one such as 2030-01-01T00:00:00Z, or a span such as 10m, 12h or 90d.")
        }
        return Moment(seconds: seconds)
    }

    /// Seconds of a whole number with `s`, `m`, `h` or `d`, bounded by 1000 years so that adding it to a clock cannot
    /// overflow.
    private static func span(_ text: String) -> Int64? {
        let digits = text.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard !digits.isEmpty, digits.count <= 12, let number = Int64(Substring(digits)) else { return nil }
        let unit: Int64
        switch text.utf8.dropFirst(digits.count).first {
        case UInt8(ascii: "s"): unit = 1
        case UInt8(ascii: "m"): unit = 60
        case UInt8(ascii: "h"): unit = 3600
        case UInt8(ascii: "d"): unit = 86_400
        case _: return nil
        }
        let (seconds, overflow) = number.multipliedReportingOverflow(by: unit)
        guard text.utf8.count == digits.count + 1, !overflow, seconds <= 1000 * 366 * 86_400 else { return nil }
        return seconds
    }
}
