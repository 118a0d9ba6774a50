extension JSON {
    /// A JSON number as it was written; what it means is worked out when asked for (RFC 8259 §6).
    package struct Number: Sendable {
        /// The literal, which `JSON.parse` has held to the grammar.
        package let text: String

        /// Makes a number from text; text outside the grammar of RFC 8259 §6 is neither an integer nor a double.
        package init(text: String) {
            self.text = text
        }

        /// The exact value, or nil when it has a fractional part or does not fit.
        ///
        /// `5.0` and `1.8e9` are integers. Nothing passes through floating point, so nothing is rounded and
        /// nothing traps, whatever the exponent.
        package var integer: Int64? {
            if let plain = plainInteger { return plain }
            var scanner = DecimalScanner(text.utf8)
            guard scanner.scan() else { return nil }
            return scanner.exactInteger
        }

        /// Nearly all integers there are: up to eighteen digits, which cannot overflow, and nothing else.
        private var plainInteger: Int64? {
            let digits = text.utf8.span
            guard !digits.isEmpty, digits.count <= 18, digits[0] != UInt8(ascii: "0") || digits.count == 1 else {
                return nil
            }
            var value: Int64 = 0
            for index in digits.indices {
                let digit = digits[index] &- UInt8(ascii: "0")
                guard digit < 10 else { return nil }
                value = value &* 10 &+ Int64(digit)
            }
            return value
        }

        /// The nearest double, or nil when it would be infinite.
        package var double: Double? {
            var scanner = DecimalScanner(text.utf8)
            guard scanner.scan(), let double = Double(text), double.isFinite else { return nil }
            return double
        }
    }
}

/// Reads a decimal literal into its significant digits and a power of ten.
private struct DecimalScanner {
    private let text: String.UTF8View
    private var isNegative = false
    /// The digits up to here; meaningless once `isWide` is set.
    private var magnitude: UInt64 = 0
    private var isWide = false
    /// Zeros seen since the last other digit: they count only when another digit follows.
    private var pendingZeros = 0
    private var scale = 0

    init(_ text: String.UTF8View) {
        self.text = text
    }

    /// Whether the text is a number by the grammar of RFC 8259 §6.
    mutating func scan() -> Bool {
        var index = text.startIndex
        let end = text.endIndex
        if index < end, text[index] == UInt8(ascii: "-") {
            isNegative = true
            index = text.index(after: index)
        }
        guard index < end else { return false }
        if text[index] == UInt8(ascii: "0") {
            index = text.index(after: index)
        } else {
            guard takeDigits(from: &index, shift: 0) else { return false }
        }
        if index < end, text[index] == UInt8(ascii: ".") {
            index = text.index(after: index)
            guard takeDigits(from: &index, shift: -1) else { return false }
        }
        if index < end, text[index] | 0x20 == UInt8(ascii: "e") {
            index = text.index(after: index)
            guard takeExponent(from: &index) else { return false }
        }
        return index == end
    }

    /// The value as an integer: digits times ten to the scale, or nil.
    var exactInteger: Int64? {
        if magnitude == 0, !isWide { return 0 }
        let power = scale.addingReportingOverflow(pendingZeros)
        guard !isWide, !power.overflow, power.partialValue >= 0, power.partialValue <= 19 else { return nil }
        var value = magnitude
        for _ in 0..<power.partialValue {
            let (next, overflow) = value.multipliedReportingOverflow(by: 10)
            if overflow { return nil }
            value = next
        }
        if isNegative {
            return value <= UInt64(Int64.max) + 1 ? Int64(truncatingIfNeeded: 0 &- value) : nil
        }
        return Int64(exactly: value)
    }

    /// Consumes one or more digits; `shift` is what each of them adds to the scale.
    private mutating func takeDigits(from index: inout String.UTF8View.Index, shift: Int) -> Bool {
        let start = index
        while index < text.endIndex, case let digit = text[index] &- UInt8(ascii: "0"), digit < 10 {
            scale += shift
            if digit == 0 {
                pendingZeros += 1
            } else {
                append(digit)
            }
            index = text.index(after: index)
        }
        return index > start
    }

    private mutating func append(_ digit: UInt8) {
        if magnitude == 0 { pendingZeros = 0 }
        while pendingZeros > 0, !isWide {
            push(0)
            pendingZeros -= 1
        }
        pendingZeros = 0
        push(digit)
    }

    private mutating func push(_ digit: UInt8) {
        guard !isWide else { return }
        let (tens, tooWide) = magnitude.multipliedReportingOverflow(by: 10)
        let (sum, overflow) = tens.addingReportingOverflow(UInt64(digit))
        isWide = tooWide || overflow
        magnitude = sum
    }

    /// Consumes a sign and digits; an exponent beyond ±10^9 is taken as that, which no integer survives.
    private mutating func takeExponent(from index: inout String.UTF8View.Index) -> Bool {
        var negative = false
        if index < text.endIndex, text[index] == UInt8(ascii: "-") || text[index] == UInt8(ascii: "+") {
            negative = text[index] == UInt8(ascii: "-")
            index = text.index(after: index)
        }
        var exponent = 0
        let start = index
        while index < text.endIndex, case let digit = text[index] &- UInt8(ascii: "0"), digit < 10 {
            exponent = min(exponent * 10 + Int(digit), 1_000_000_000)
            index = text.index(after: index)
        }
        scale += negative ? -exponent : exponent
        return index > start
    }
}
