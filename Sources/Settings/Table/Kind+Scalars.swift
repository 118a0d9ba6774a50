import StrictJSON

extension Kind where Value == Bool {
    /// `true` or `false`.
    static var bool: Kind {
        Kind(
            schema: { _ in .members(["type": .text("boolean")]) },
            read: { json, reading in
                if let truth = json.bool { return truth }
                reading.error("expected true or false, found \(json.shapeName)", at: json)
                return nil
            },
            write: { .truth($0) })
    }
}

extension Kind where Value == Int {
    /// A whole number.
    static func integer(_ range: ClosedRange<Int>) -> Kind {
        Kind(
            schema: { _ in
                .members([
                    "type": .text("integer"), "minimum": .integer(range.lowerBound),
                    "maximum": .integer(range.upperBound),
                ])
            },
            read: { json, reading in
                guard let number = json.number else {
                    reading.error("expected a whole number, found \(json.shapeName)", at: json)
                    return nil
                }
                guard let integer = number.integer.flatMap({ Int(exactly: $0) }) else {
                    reading.error("\(number.text.prefix(40)) is not a whole number the gateway can hold", at: json)
                    return nil
                }
                guard range.contains(integer) else {
                    reading.error("\(integer) is not in \(range.lowerBound) to \(range.upperBound)", at: json)
                    return nil
                }
                return integer
            },
            write: { .integer($0) })
    }

    /// A number of bytes: `10485760` or `"10MiB"`.
    static func size(_ range: ClosedRange<Int>) -> Kind {
        Kind(
            schema: { _ in
                .members([
                    "anyOf": .list([
                        .members([
                            "type": .text("integer"), "minimum": .integer(range.lowerBound),
                            "maximum": .integer(range.upperBound),
                        ]),
                        .members([
                            "type": .text("string"), "pattern": .text("^[0-9]+(B|KiB|MiB|GiB|TiB)$|\\$\\{"),
                        ]),
                    ])
                ])
            },
            note: "Bytes, or a text such as \"10MiB\".",
            read: { json, reading in
                let size: Int
                if let integer = json.number?.integer {
                    size = Int(clamping: integer)
                } else if case .string = json.value {
                    guard let text = reading.text(json) else { return nil }
                    guard let parsed = Size.parse(text) else {
                        reading.error(
                            "\"\(text)\" is no size; write bytes as a number or such as \"64KiB\", \"10MiB\", \"1GiB\"",
                            at: json)
                        return nil
                    }
                    size = parsed
                } else {
                    reading.error("expected a number of bytes or a text such as \"10MiB\"", at: json)
                    return nil
                }
                guard range.contains(size) else {
                    reading.error(
                        "\(size) bytes is not in \(Size.text(range.lowerBound)) to \(Size.text(range.upperBound))",
                        at: json)
                    return nil
                }
                return size
            },
            write: { .text(Size.text($0)) })
    }
}

extension Kind where Value == Duration {
    /// A length of time: `250ms 10s 5m 1h 90d`.
    static func duration(_ range: ClosedRange<Duration>) -> Kind {
        Kind(
            schema: { _ in
                .members(["type": .text("string"), "pattern": .text("^[0-9]+(ms|s|m|h|d)$|\\$\\{")])
            },
            note: "From \(Span.text(range.lowerBound)) to \(Span.text(range.upperBound)).",
            read: { json, reading in
                guard case .string = json.value else {
                    reading.error("expected a duration in quotes such as \"10s\", found \(json.shapeName)", at: json)
                    return nil
                }
                guard let text = reading.text(json) else { return nil }
                guard let duration = Span.parse(text) else {
                    reading.error(
                        "\"\(text)\" is no duration; write a whole number and a unit: 250ms, 10s, 5m, 1h or 90d",
                        at: json)
                    return nil
                }
                guard range.contains(duration) else {
                    reading.error(
                        "\(text) is not in \(Span.text(range.lowerBound)) to \(Span.text(range.upperBound))", at: json)
                    return nil
                }
                return duration
            },
            write: { .text(Span.text($0)) })
    }
}

extension Kind where Value == Int64 {
    /// A length of time that is kept as nanoseconds.
    static func nanoseconds(_ range: ClosedRange<Duration>) -> Kind {
        Kind<Duration>.duration(range).map(
            { duration, _, _ in duration.wholeNanoseconds },
            back: { .nanoseconds($0) })
    }
}

extension Duration {
    /// Nanoseconds, at most what an `Int64` holds.
    package var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (product, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carried) = product.addingReportingOverflow(attoseconds / 1_000_000_000)
        return overflow || carried ? (seconds < 0 ? .min : .max) : sum
    }
}

/// Lengths of time as the configuration writes them.
enum Span {
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000),
    ]

    /// A whole number and a unit, at most some 290 million years, or nil.
    static func parse(_ text: String) -> Duration? {
        guard let (number, unit) = numberAndUnit(text),
            let factor = units.first(where: { $0.name.hasSameBytes(as: unit) })?.milliseconds,
            case let (milliseconds, overflow) = number.multipliedReportingOverflow(by: factor), !overflow
        else { return nil }
        return .milliseconds(milliseconds)
    }

    /// The shortest way to write it, in milliseconds or longer units.
    static func text(_ duration: Duration) -> String {
        let milliseconds = duration.wholeNanoseconds / 1_000_000
        let unit = units.last { milliseconds % $0.milliseconds == 0 && milliseconds >= $0.milliseconds }
        guard let unit else { return "\(milliseconds)ms" }
        return "\(milliseconds / unit.milliseconds)\(unit.name)"
    }
}

/// Numbers of bytes as the configuration writes them.
enum Size {
    private static let units: [(name: String, bytes: Int64)] = [
        ("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40),
    ]

    /// A whole number and a unit, or nil.
    static func parse(_ text: String) -> Int? {
        guard let (number, unit) = numberAndUnit(text),
            let factor = units.first(where: { $0.name.hasSameBytes(as: unit) })?.bytes,
            case let (bytes, overflow) = number.multipliedReportingOverflow(by: factor), !overflow
        else { return nil }
        return Int(exactly: bytes)
    }

    /// The shortest way to write it.
    static func text(_ bytes: Int) -> String {
        let unit = units.last { Int64(bytes) % $0.bytes == 0 && Int64(bytes) >= $0.bytes }
        guard let unit else { return "\(bytes)B" }
        return "\(Int64(bytes) / unit.bytes)\(unit.name)"
    }
}

/// Splits `90d` into 90 and `d`; nil without digits, with more than 18 of them, or without a unit.
private func numberAndUnit(_ text: String) -> (Int64, String)? {
    let digits = text.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    guard (1...18).contains(digits.count), digits.count < text.utf8.count,
        let number = Int64(String(digits) ?? "")
    else { return nil }
    return (number, String(text.utf8.dropFirst(digits.count)) ?? "")
}
