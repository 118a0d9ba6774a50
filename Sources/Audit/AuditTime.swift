/// Instants as the audit trail writes and reads them: RFC 3339 in UTC with milliseconds, without Foundation.
///
/// `2026-11-21T00:43:12.123Z` is always 24 bytes, so that two of them compare as text the way they compare as time.
package enum AuditTime {
    /// Bytes of a rendered instant.
    package static let width = 24

    /// Nanoseconds in one second, and the unit of every `unixNanoseconds` in this room.
    package static let second: Int64 = 1_000_000_000

    /// Seconds of 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z: what four digits of a year can say.
    static let earliest: Int64 = -62_167_219_200
    static let latest: Int64 = 253_402_300_799

    /// A day of the proleptic Gregorian calendar.
    struct CivilDate: Equatable {
        var year: Int64
        var month: Int64
        var day: Int64
    }

    /// Seconds and milliseconds of an instant, held to the years 0 to 9999 that the rendering can express.
    static func split(_ unixNanoseconds: Int64) -> (seconds: Int64, milliseconds: Int64) {
        let seconds = floorDivide(unixNanoseconds, second)
        // Not by way of seconds * second, which lies below Int64.min for the earliest instants.
        let remainder = unixNanoseconds % second
        let milliseconds = (remainder < 0 ? remainder + second : remainder) / 1_000_000
        return (min(max(seconds, earliest), latest), milliseconds)
    }

    /// The UTC day an instant falls in, counted from 1970-01-01.
    static func day(of unixNanoseconds: Int64) -> Int64 {
        floorDivide(split(unixNanoseconds).seconds, 86_400)
    }

    /// Calendar date of a day number. Valid for every day the rendering can express.
    ///
    /// Eras of 400 years that begin in March, so that the leap day ends the year (Howard Hinnant, "chrono-compatible
    /// low-level date algorithms").
    static func date(ofDay day: Int64) -> CivilDate {
        let shifted = day + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        return CivilDate(
            year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month: month,
            day: dayOfYear - (153 * marchMonth + 2) / 5 + 1)
    }

    /// Day number of a calendar date; the inverse of `date(ofDay:)`.
    static func day(of date: CivilDate) -> Int64 {
        let year = date.month <= 2 ? date.year - 1 : date.year
        let era = floorDivide(year, 400)
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (date.month > 2 ? date.month - 3 : date.month + 9) + 2) / 5 + date.day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// `2026-11-21T00:43:12.123Z`, for records that are not written on the fast path.
    static func render(_ unixNanoseconds: Int64) -> [UInt8] {
        let (seconds, milliseconds) = split(unixNanoseconds)
        var text = renderSecond(seconds)
        appendDigits(milliseconds, 3, to: &text)
        text.append(UInt8(ascii: "Z"))
        return text
    }

    /// `2026-11-21T00:43:12.`: the part of a rendered instant that changes once a second.
    static func renderSecond(_ seconds: Int64) -> [UInt8] {
        let days = floorDivide(seconds, 86_400)
        let date = date(ofDay: days)
        let rest = seconds - days * 86_400
        var text: [UInt8] = []
        text.reserveCapacity(width)
        appendDigits(date.year, 4, to: &text)
        for (separator, value) in [("-", date.month), ("-", date.day), ("T", rest / 3_600), (":", rest / 60 % 60)] {
            text.append(contentsOf: separator.utf8)
            appendDigits(value, 2, to: &text)
        }
        text.append(UInt8(ascii: ":"))
        appendDigits(rest % 60, 2, to: &text)
        text.append(UInt8(ascii: "."))
        return text
    }

    /// `20261121`, as in the names of the files.
    static func renderDay(_ day: Int64) -> [UInt8] {
        let date = date(ofDay: day)
        var text: [UInt8] = []
        appendDigits(date.year, 4, to: &text)
        appendDigits(date.month, 2, to: &text)
        appendDigits(date.day, 2, to: &text)
        return text
    }

    /// Unix nanoseconds of an RFC 3339 date-time (section 5.6), or nil when the text is none or lies outside 1678-2261.
    ///
    /// Any offset, `T`/`t`/space, `Z`/`z`; a fraction keeps nine digits; a leap second counts as the second after.
    package static func parse(_ text: String) -> Int64? {
        var scanner = DateScanner(bytes: Array(text.utf8))
        guard let year = scanner.digits(4), scanner.skip("-"), let month = scanner.digits(2), scanner.skip("-"),
            let day = scanner.digits(2), scanner.skip("Tt "), let hour = scanner.digits(2), scanner.skip(":"),
            let minute = scanner.digits(2), scanner.skip(":"), let second = scanner.digits(2)
        else { return nil }
        let fraction = scanner.skip(".") ? scanner.fraction() : 0
        guard let fraction, let offset = scanner.offset(), scanner.isAtEnd else { return nil }
        let date = CivilDate(year: year, month: month, day: day)
        guard (1...12).contains(month), hour < 24, minute < 60, second <= 60 else { return nil }
        let days = self.day(of: date)
        // A day that does not survive the round trip is not in its month: 30 February, 31 June, day 0.
        guard day >= 1, self.date(ofDay: days) == date else { return nil }
        let seconds = days * 86_400 + hour * 3_600 + minute * 60 + second - offset
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: self.second)
        let (sum, overflow2) = whole.addingReportingOverflow(fraction)
        return overflow || overflow2 ? nil : sum
    }

    static func appendDigits(_ value: Int64, _ width: Int, to text: inout [UInt8]) {
        var divisor: Int64 = 1
        for _ in 1..<width { divisor *= 10 }
        for _ in 0..<width {
            text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: value / divisor % 10))
            divisor /= 10
        }
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        value / divisor - (value % divisor < 0 ? 1 : 0)
    }
}

/// Walks the bytes of an RFC 3339 date-time.
private struct DateScanner {
    let bytes: [UInt8]
    var position = 0

    var isAtEnd: Bool { position == bytes.count }

    mutating func digits(_ count: Int) -> Int64? {
        var value: Int64 = 0
        for _ in 0..<count {
            guard let digit = nextDigit() else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    mutating func skip(_ anyOf: StaticString) -> Bool {
        guard position < bytes.count, anyOf.description.utf8.contains(bytes[position]) else { return false }
        position += 1
        return true
    }

    mutating func fraction() -> Int64? {
        guard var value = nextDigit() else { return nil }
        var count = 1
        while let digit = nextDigit() {
            if count < 9 {
                value = value * 10 + digit
                count += 1
            }
        }
        for _ in count..<9 { value *= 10 }
        return value
    }

    /// Seconds east of UTC.
    mutating func offset() -> Int64? {
        if skip("Zz") { return 0 }
        let sign: Int64
        if skip("+") { sign = 1 } else if skip("-") { sign = -1 } else { return nil }
        guard let hours = digits(2), skip(":"), let minutes = digits(2), hours < 24, minutes < 60 else { return nil }
        return sign * (hours * 3_600 + minutes * 60)
    }

    private mutating func nextDigit() -> Int64? {
        guard position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) else {
            return nil
        }
        defer { position += 1 }
        return Int64(bytes[position] - UInt8(ascii: "0"))
    }
}
