import StrictJSON

extension Kind where Value == [UInt8] {
    /// The hexadecimal SHA-256 of a secret.
    static var sha256: Kind {
        Kind(
            schema: { _ in .members(["type": .text("string"), "pattern": .text("^[0-9A-Fa-f]{64}$|\\$\\{")]) },
            read: { json, reading in
                guard let text = reading.text(json) else { return nil }
                guard text.utf8.count == 64, text.utf8.allSatisfy(isHexadecimal) else {
                    reading.error(
                        "this is not the SHA-256 of a token: 64 hexadecimal digits, as `tollgate token create` makes",
                        at: json)
                    return nil
                }
                let digits = text.utf8.map { UInt8(truncatingIfNeeded: Unicode.Scalar($0).hexadecimalValue) }
                return stride(from: 0, to: 64, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
            },
            write: { .text(hexadecimal($0)) })
    }
}

extension Kind where Value == Int64 {
    /// An instant in RFC 3339, kept as Unix seconds.
    static var timestamp: Kind {
        Kind(
            schema: { _ in .members(["type": .text("string"), "format": .text("date-time")]) },
            read: { json, reading in
                guard let text = reading.text(json) else { return nil }
                guard let seconds = Timestamp.parse(text) else {
                    reading.error(
                        "\"\(text)\" is no date and time; write it as RFC 3339 has it: \"2030-01-01T00:00:00Z\"",
                        at: json)
                    return nil
                }
                return seconds
            },
            write: { .text(Timestamp.text($0)) })
    }
}

/// Lower-case hexadecimal digits.
func hexadecimal(_ bytes: [UInt8]) -> String {
    bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

extension Unicode.Scalar {
    /// The value of an ASCII hexadecimal digit; zero for anything else.
    fileprivate var hexadecimalValue: UInt32 {
        switch self {
        case "0"..."9": value - 0x30
        case "a"..."f": value - 0x61 + 10
        case "A"..."F": value - 0x41 + 10
        default: 0
        }
    }
}
