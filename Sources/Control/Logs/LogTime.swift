#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The system clock as RFC 3339 text in UTC, to the millisecond.
@Sendable package func currentTime() -> String {
    var time = timespec()
    // The clock writes the one value that the pointer names, within the call.
    unsafe clock_gettime(CLOCK_REALTIME, &time)
    return utcText(seconds: Int64(time.tv_sec), milliseconds: Int(time.tv_nsec / 1_000_000))
}

/// A moment as RFC 3339 text in UTC.
///
/// - Parameters:
///   - seconds: since 1970, years 0000 to 9999; other moments are drawn to the nearest of these.
///   - milliseconds: 0 to 999, or nil to leave the fraction out.
package func utcText(seconds: Int64, milliseconds: Int? = nil) -> String {
    let bounded = min(max(seconds, -62_167_219_200), 253_402_300_799)
    let day = bounded.quotient(flooredBy: 86_400)
    let second = bounded - day * 86_400
    let (year, month, dayOfMonth) = civil(day: day)
    var text = "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))T"
    text += "\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
    if let milliseconds { text += ".\(padded(Int64(milliseconds), 3))" }
    return text + "Z"
}

/// The Gregorian date of a day since 1970-01-01: eras of 400 years, each year counted from March so that the leap day
/// is its last.
private func civil(day: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = day + 719_468
    let era = shifted.quotient(flooredBy: 146_097)
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let monthFromMarch = (5 * dayOfYear + 2) / 153
    let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
}

private func padded(_ number: Int64, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}

extension Int64 {
    fileprivate func quotient(flooredBy divisor: Int64) -> Int64 {
        let (quotient, remainder) = quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? quotient - 1 : quotient
    }
}
