extension JSON {
    /// Reads one whole document, or says at which byte it stops being strict JSON (RFC 8259).
    ///
    /// Refused beyond the grammar: a byte order mark, invalid UTF-8, duplicate member names (compared as bytes
    /// after unescaping), lone surrogates, and whatever exceeds `limits`. Linear in the number of bytes; the
    /// stack is bounded by `limits.maximumDepth`.
    package static func parse(_ bytes: [UInt8], limits: Limits) throws(JSONError) -> JSON {
        guard bytes.count <= limits.maximumBytes else {
            throw JSONError(
                offset: max(0, limits.maximumBytes), reason: .documentTooLarge(maximumBytes: limits.maximumBytes))
        }
        if bytes.starts(with: [0xef, 0xbb, 0xbf]) {
            throw JSONError(offset: 0, reason: .byteOrderMark)
        }
        var parser = JSONParser(bytes: bytes, limits: limits)
        return try parser.document()
    }
}

/// A recursive-descent reader whose recursion is bounded by the limits.
private struct JSONParser {
    private let bytes: [UInt8]
    private var position = 0
    private var depth = 0
    private var values = 0
    private let maximumDepth: Int
    private let maximumValues: Int
    /// Reused by strings with escapes.
    private var scratch: [UInt8] = []

    init(bytes: [UInt8], limits: JSON.Limits) {
        self.bytes = bytes
        maximumDepth = min(limits.maximumDepth, 512)
        maximumValues = limits.maximumValues
    }

    mutating func document() throws(JSONError) -> JSON {
        skipWhitespace()
        guard position < bytes.count else {
            throw JSONError(offset: position, reason: .emptyDocument)
        }
        let json = try value()
        skipWhitespace()
        guard position == bytes.count else {
            throw JSONError(
                offset: position, reason: bytes[position] == UInt8(ascii: "/") ? .comment : .trailingBytes)
        }
        return json
    }

    private mutating func value() throws(JSONError) -> JSON {
        let start = position
        guard position < bytes.count else { throw end("a value") }
        values += 1
        guard values <= maximumValues else {
            throw JSONError(offset: start, reason: .tooManyValues(maximumValues: maximumValues))
        }
        switch bytes[position] {
        case UInt8(ascii: "\""):
            return JSON(offset: start, value: .string(try string()))
        case UInt8(ascii: "{"):
            return JSON(offset: start, value: .object(try object()))
        case UInt8(ascii: "["):
            return JSON(offset: start, value: .array(try array()))
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            return JSON(offset: start, value: .number(try number()))
        case UInt8(ascii: "t"):
            try word("true")
            return JSON(offset: start, value: .bool(true))
        case UInt8(ascii: "f"):
            try word("false")
            return JSON(offset: start, value: .bool(false))
        case UInt8(ascii: "n"):
            try word("null")
            return JSON(offset: start, value: .null)
        default:
            throw unexpected("a value")
        }
    }

    private mutating func object() throws(JSONError) -> [JSON.Member] {
        try enter()
        var names = MemberNames()
        var members: [JSON.Member] = []
        skipWhitespace()
        if !take(UInt8(ascii: "}")) {
            repeat {
                skipWhitespace()
                let nameOffset = position
                guard position < bytes.count else { throw end("a member name") }
                guard bytes[position] == UInt8(ascii: "\"") else {
                    if bytes[position] == UInt8(ascii: "}") { throw trailingComma() }
                    throw unexpected("a member name in quotes")
                }
                let name = try string()
                guard names.insert(name, among: members) else {
                    throw JSONError(offset: nameOffset, reason: .duplicateMember(name))
                }
                skipWhitespace()
                guard take(UInt8(ascii: ":")) else { throw unexpected("a colon") }
                skipWhitespace()
                let value = try value()
                // A token's own claims: most have eight or so, and the array need not grow four times to hold them.
                if members.isEmpty, depth == 1 { members.reserveCapacity(8) }
                members.append(JSON.Member(name: name, nameOffset: nameOffset, value: value))
                skipWhitespace()
            } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "}")) else { throw unexpected("a comma or '}'") }
        }
        depth -= 1
        return members
    }

    private mutating func array() throws(JSONError) -> [JSON] {
        try enter()
        var elements: [JSON] = []
        skipWhitespace()
        if !take(UInt8(ascii: "]")) {
            repeat {
                skipWhitespace()
                if position < bytes.count, bytes[position] == UInt8(ascii: "]") { throw trailingComma() }
                elements.append(try value())
                skipWhitespace()
            } while take(UInt8(ascii: ","))
            guard take(UInt8(ascii: "]")) else { throw unexpected("a comma or ']'") }
        }
        depth -= 1
        return elements
    }

    private mutating func enter() throws(JSONError) {
        depth += 1
        guard depth <= maximumDepth else {
            throw JSONError(offset: position, reason: .tooDeep(maximumDepth: maximumDepth))
        }
        position += 1
    }

    private mutating func word(_ word: StaticString) throws(JSONError) {
        let matches = word.withUTF8Buffer { unsafe bytes[position...].starts(with: $0) }
        guard matches else { throw unexpected("a value") }
        position += word.utf8CodeUnitCount
    }

    private mutating func number() throws(JSONError) -> JSON.Number {
        let start = position
        if bytes[position] == UInt8(ascii: "-") { position += 1 }
        let hasLeadingZero = position < bytes.count && bytes[position] == UInt8(ascii: "0")
        let digits = takeDigits()
        guard digits == 1 || digits > 1 && !hasLeadingZero else { throw malformedNumber(start) }
        if take(UInt8(ascii: ".")) {
            guard takeDigits() > 0 else { throw malformedNumber(start) }
        }
        if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
            if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
            guard takeDigits() > 0 else { throw malformedNumber(start) }
        }
        return JSON.Number(text: ascii(start..<position))
    }

    private mutating func takeDigits() -> Int {
        let start = position
        while position < bytes.count, bytes[position] &- UInt8(ascii: "0") < 10 { position += 1 }
        return position - start
    }

    private func malformedNumber(_ start: Int) -> JSONError {
        JSONError(offset: start, reason: .invalidNumber)
    }

    private mutating func take(_ byte: UInt8) -> Bool {
        guard position < bytes.count, bytes[position] == byte else { return false }
        position += 1
        return true
    }

    private mutating func skipWhitespace() {
        while position < bytes.count {
            switch bytes[position] {
            case 0x20, 0x09, 0x0a, 0x0d: position += 1
            default: return
            }
        }
    }

    private func unexpected(_ expected: StaticString) -> JSONError {
        guard position < bytes.count else { return end(expected) }
        let byte = bytes[position]
        if byte == UInt8(ascii: "/") || byte == UInt8(ascii: "#") {
            return JSONError(offset: position, reason: .comment)
        }
        return JSONError(offset: position, reason: .unexpectedByte(byte, expected: expected))
    }

    private func end(_ expected: StaticString) -> JSONError {
        JSONError(offset: bytes.count, reason: .unexpectedEnd(expected: expected))
    }

    private func trailingComma() -> JSONError {
        JSONError(offset: position, reason: .trailingComma)
    }
}

extension JSONParser {
    /// Reads a string whose opening quote stands at `position`.
    private mutating func string() throws(JSONError) -> String {
        let start = position + 1
        let (end, allBits) = plainRun(from: start)
        position = end
        guard end < bytes.count else { throw self.end("the closing quote of a string") }
        switch bytes[end] {
        case UInt8(ascii: "\""):
            position += 1
            return try text(start..<end, isASCII: allBits < 0x80)
        case UInt8(ascii: "\\"):
            return try escapedString(from: start)
        case let byte:
            throw JSONError(offset: end, reason: .controlCharacter(byte))
        }
    }

    /// Where a quote, a backslash or a control character stands, or the end, and all bits of the bytes before it.
    private func plainRun(from start: Int) -> (end: Int, allBits: UInt8) {
        let span = bytes.span
        var allBits: UInt8 = 0
        var index = start
        while index < span.count, case let byte = span[index], byte >= 0x20, byte != UInt8(ascii: "\""),
            byte != UInt8(ascii: "\\")
        {
            allBits |= byte
            index += 1
        }
        return (index, allBits)
    }

    /// Goes on from the first backslash of a string that began at `start`.
    private mutating func escapedString(from start: Int) throws(JSONError) -> String {
        scratch.removeAll(keepingCapacity: true)
        var runStart = start
        while position < bytes.count {
            let byte = bytes[position]
            if byte == UInt8(ascii: "\"") {
                scratch.append(contentsOf: bytes[runStart..<position])
                // An escape never completes a broken sequence around it: what it stands for is complete UTF-8.
                guard let text = String(validating: scratch, as: UTF8.self) else {
                    throw JSONError(offset: firstInvalidByte(bytes[start..<position]), reason: .invalidUTF8)
                }
                position += 1
                return text
            }
            guard byte >= 0x20 else {
                throw JSONError(offset: position, reason: .controlCharacter(byte))
            }
            if byte == UInt8(ascii: "\\") {
                scratch.append(contentsOf: bytes[runStart..<position])
                try escape()
                runStart = position
            } else {
                position += 1
            }
        }
        throw end("the closing quote of a string")
    }

    private mutating func escape() throws(JSONError) {
        let start = position
        guard position + 1 < bytes.count else { throw end("an escape") }
        let code = bytes[position + 1]
        position += 2
        switch code {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): scratch.append(code)
        case UInt8(ascii: "b"): scratch.append(0x08)
        case UInt8(ascii: "f"): scratch.append(0x0c)
        case UInt8(ascii: "n"): scratch.append(0x0a)
        case UInt8(ascii: "r"): scratch.append(0x0d)
        case UInt8(ascii: "t"): scratch.append(0x09)
        case UInt8(ascii: "u"): try unicodeEscape(start)
        default: throw JSONError(offset: start, reason: .invalidEscape)
        }
    }

    private mutating func unicodeEscape(_ start: Int) throws(JSONError) {
        var code = try hexadecimal(start)
        if code & 0xf800 == 0xd800 {
            guard code < 0xdc00, take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
                throw JSONError(offset: start, reason: .loneSurrogate)
            }
            let low = try hexadecimal(position - 2)
            guard low & 0xfc00 == 0xdc00 else {
                throw JSONError(offset: start, reason: .loneSurrogate)
            }
            code = 0x10000 + (code & 0x3ff) << 10 + (low & 0x3ff)
        }
        guard let scalar = Unicode.Scalar(code) else {
            throw JSONError(offset: start, reason: .loneSurrogate)
        }
        scratch.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    }

    private mutating func hexadecimal(_ start: Int) throws(JSONError) -> UInt32 {
        var code: UInt32 = 0
        for _ in 0..<4 {
            guard position < bytes.count else { throw end("four hexadecimal digits") }
            let byte = bytes[position]
            let digit: UInt8 =
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
                case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
                case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
                default: 0xff
                }
            guard digit < 16 else {
                throw JSONError(offset: start, reason: .invalidEscape)
            }
            code = code << 4 | UInt32(digit)
            position += 1
        }
        return code
    }

    private func text(_ range: Range<Int>, isASCII: Bool) throws(JSONError) -> String {
        if isASCII { return ascii(range) }
        guard let text = String(validating: bytes[range], as: UTF8.self) else {
            throw JSONError(offset: firstInvalidByte(bytes[range]), reason: .invalidUTF8)
        }
        return text
    }

    /// Bytes of which each has been looked at and none is 0x80 or above.
    private func ascii(_ range: Range<Int>) -> String {
        // Unsafe: what is ASCII is valid UTF-8, and need not be looked at again.
        unsafe String(copying: UTF8Span(unchecked: bytes.span.extracting(range), isKnownASCII: true))
    }

    /// The offset of the first byte that does not continue valid UTF-8.
    private func firstInvalidByte(_ slice: ArraySlice<UInt8>) -> Int {
        var low = slice.startIndex
        while low < slice.endIndex {
            let length =
                switch slice[low] {
                case 0..<0x80: 1
                case 0xc2...0xdf: 2
                case 0xe0...0xef: 3
                case 0xf0...0xf4: 4
                default: 0
                }
            guard length > 0, low + length <= slice.endIndex,
                String(validating: slice[low..<low + length], as: UTF8.self) != nil
            else { return low }
            low += length
        }
        return slice.startIndex
    }
}

/// Finds a repeated member name: by comparing while there are few, by a set of names when there are many.
private struct MemberNames {
    /// Objects of up to this many members, nearly all of them, cost no set.
    private static let few = 12
    private var names: Set<Bytes> = []

    /// Whether `name` is new among the members that have been inserted so far.
    mutating func insert(_ name: String, among members: [JSON.Member]) -> Bool {
        if members.count < Self.few {
            return !members.contains { $0.name.hasSameBytes(as: name) }
        }
        if names.isEmpty {
            for member in members { names.insert(Bytes(text: member.name)) }
        }
        return names.insert(Bytes(text: name)).inserted
    }

    /// A string that is equal to another only when their bytes are.
    private struct Bytes: Hashable {
        let text: String

        static func == (left: Bytes, right: Bytes) -> Bool { left.text.hasSameBytes(as: right.text) }

        func hash(into hasher: inout Hasher) {
            for byte in text.utf8 { hasher.combine(byte) }
            hasher.combine(0xff as UInt8)
        }
    }
}
