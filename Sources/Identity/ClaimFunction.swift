import StrictJSON

/// One step of a placeholder's pipeline, working on all values at once.
enum ClaimFunction: Sendable {
    case split(separator: [UInt8])
    case filter(Comparison, [UInt8])
    case lower
    case upper
    case replace(target: [UInt8], replacement: [UInt8])
    case substringBefore([UInt8])
    case substringAfter([UInt8])
    case fallback(String)
    case fallbackClaim(ClaimPath)

    enum Comparison: String, Sendable, CaseIterable {
        case equal = "eq"
        case notEqual = "ne"
        case like
    }

    /// The names as they stand behind `fn:`.
    static let names = [
        "split", "filter", "lower", "upper", "replace", "substring-before", "substring-after", "default",
    ]

    /// The values after this step. Empty results are dropped: an empty name is no name.
    func apply(
        to values: [String], claims: JSON, limits: ClaimTemplate.Limits
    ) throws(TemplateOverflow) -> [String] {
        var results: [String] = []
        switch self {
        case .split(let separator):
            for value in values {
                try Self.split(Array(value.utf8), by: separator, into: &results, limits)
            }
        case .filter(let comparison, let pattern):
            results = values.filter { Self.matches($0, comparison, pattern) }
        case .lower:
            results = values.map { value in
                String(decoding: value.utf8.map { Self.isUpper($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
            }
        case .upper:
            results = values.map { value in
                String(decoding: value.utf8.map { Self.isLower($0) ? $0 & 0xdf : $0 }, as: UTF8.self)
            }
        case .replace(let target, let replacement):
            var budget = limits.maximumBytes
            for value in values {
                let replaced = try Self.replace(Array(value.utf8), target, replacement, budget: &budget)
                if !replaced.isEmpty { results.append(replaced) }
            }
        case .substringBefore(let mark):
            for value in values {
                let bytes = Array(value.utf8)
                guard let start = Self.firstIndex(of: mark, in: bytes, from: 0), start > 0 else { continue }
                results.append(String(decoding: bytes[..<start], as: UTF8.self))
            }
        case .substringAfter(let mark):
            for value in values {
                let bytes = Array(value.utf8)
                guard let start = Self.firstIndex(of: mark, in: bytes, from: 0),
                    start + mark.count < bytes.count
                else { continue }
                results.append(String(decoding: bytes[(start + mark.count)...], as: UTF8.self))
            }
        case .fallback(let text):
            results = values.isEmpty ? [text] : values
        case .fallbackClaim(let path):
            results = values.isEmpty ? path.texts(in: claims) : values
        }
        return results
    }

    // MARK: - Byte-wise text

    private static func split(
        _ bytes: [UInt8], by separator: [UInt8], into results: inout [String], _ limits: ClaimTemplate.Limits
    ) throws(TemplateOverflow) {
        var start = 0
        while start <= bytes.count {
            let end = firstIndex(of: separator, in: bytes, from: start) ?? bytes.count
            if end > start {
                guard results.count < limits.maximumIntermediateValues else { throw TemplateOverflow() }
                results.append(String(decoding: bytes[start..<end], as: UTF8.self))
            }
            start = end + separator.count
        }
    }

    private static func replace(
        _ bytes: [UInt8], _ target: [UInt8], _ replacement: [UInt8], budget: inout Int
    ) throws(TemplateOverflow) -> String {
        var output: [UInt8] = []
        var start = 0
        while let found = firstIndex(of: target, in: bytes, from: start) {
            output += bytes[start..<found]
            output += replacement
            start = found + target.count
            guard output.count <= budget else { throw TemplateOverflow() }
        }
        output += bytes[start...]
        guard output.count <= budget else { throw TemplateOverflow() }
        budget -= output.count
        return String(decoding: output, as: UTF8.self)
    }

    private static func matches(_ value: String, _ comparison: Comparison, _ pattern: [UInt8]) -> Bool {
        switch comparison {
        case .equal: value.utf8.count == pattern.count && value.utf8.elementsEqual(pattern)
        case .notEqual: !(value.utf8.count == pattern.count && value.utf8.elementsEqual(pattern))
        case .like: isLike(Array(value.utf8), pattern)
        }
    }

    /// Wildcards: `*` is any text, `?` one character (not one byte).
    ///
    /// Only the latest star is ever retried, so the work is bounded by value times pattern.
    private static func isLike(_ value: [UInt8], _ pattern: [UInt8]) -> Bool {
        var position = 0
        var next = 0
        var star: (pattern: Int, value: Int)?
        while position < value.count {
            if next < pattern.count, pattern[next] == UInt8(ascii: "*") {
                star = (next, position)
                next += 1
            } else if next < pattern.count, pattern[next] == UInt8(ascii: "?") {
                position = end(ofScalarAt: position, in: value)
                next += 1
            } else if next < pattern.count, pattern[next] == value[position] {
                position += 1
                next += 1
            } else if let retry = star {
                star = (retry.pattern, retry.value + 1)
                position = retry.value + 1
                next = retry.pattern + 1
            } else {
                return false
            }
        }
        while next < pattern.count, pattern[next] == UInt8(ascii: "*") { next += 1 }
        return next == pattern.count
    }

    private static func end(ofScalarAt start: Int, in bytes: [UInt8]) -> Int {
        var index = start + 1
        while index < bytes.count, bytes[index] & 0xc0 == 0x80 { index += 1 }
        return index
    }

    private static func firstIndex(of needle: [UInt8], in bytes: [UInt8], from start: Int) -> Int? {
        guard !needle.isEmpty, bytes.count >= needle.count else { return nil }
        var index = start
        while index <= bytes.count - needle.count {
            if bytes[index] == needle[0], bytes[index..<(index + needle.count)].elementsEqual(needle) {
                return index
            }
            index += 1
        }
        return nil
    }

    private static func isUpper(_ byte: UInt8) -> Bool { byte >= 0x41 && byte <= 0x5a }

    private static func isLower(_ byte: UInt8) -> Bool { byte >= 0x61 && byte <= 0x7a }
}
