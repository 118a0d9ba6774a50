/// Writes JSON text that is safe in logs and terminals: every control character is escaped (RFC 8259 §7).
///
/// The caller keeps begin and end in balance; separators are the writer's. One trailing line break is written
/// by `finish()` in the indented form.
package struct JSONWriter: Sendable {
    /// What has been written.
    package private(set) var bytes: [UInt8] = []
    private let indentation: Int?
    private var depth = 0
    private var needsSeparator = false
    private var followsName = false

    /// Writes compactly, or one member a line with `indentation` spaces a level.
    package init(indentation: Int? = nil) {
        self.indentation = indentation
    }

    /// Writes an object around what `body` writes.
    package mutating func object(_ body: (inout JSONWriter) -> Void) {
        open(UInt8(ascii: "{"))
        body(&self)
        close(UInt8(ascii: "}"))
    }

    /// Writes an array around what `body` writes.
    package mutating func array(_ body: (inout JSONWriter) -> Void) {
        open(UInt8(ascii: "["))
        body(&self)
        close(UInt8(ascii: "]"))
    }

    /// Writes a member name; exactly one value must follow.
    package mutating func name(_ name: String) {
        separate()
        Self.appendQuoted(name.utf8, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        if indentation != nil { bytes.append(0x20) }
        followsName = true
    }

    /// Writes a member whose value is what `body` writes.
    package mutating func member(_ name: String, _ body: (inout JSONWriter) -> Void) {
        self.name(name)
        body(&self)
    }

    /// Writes a member with a string.
    package mutating func member(_ name: String, _ text: String) {
        self.name(name)
        string(text)
    }

    /// Writes a member with a whole number.
    package mutating func member(_ name: String, _ number: some BinaryInteger) {
        self.name(name)
        integer(number)
    }

    /// Writes a member with a boolean.
    package mutating func member(_ name: String, _ truth: Bool) {
        self.name(name)
        bool(truth)
    }

    /// Writes a string.
    package mutating func string(_ text: String) {
        separate()
        Self.appendQuoted(text.utf8, to: &bytes)
        needsSeparator = true
    }

    /// Writes a whole number.
    package mutating func integer(_ number: some BinaryInteger) {
        literal(String(number))
    }

    /// Writes `true` or `false`.
    package mutating func bool(_ truth: Bool) {
        literal(truth ? "true" : "false")
    }

    /// Writes `null`.
    package mutating func null() {
        literal("null")
    }

    /// Writes a parsed value; its depth is bounded by the limits it was parsed with.
    package mutating func value(_ json: JSON) {
        switch json.value {
        case .null: null()
        case .bool(let truth): bool(truth)
        case .number(let number): literal(number.text)
        case .string(let text): string(text)
        case .array(let elements):
            array { writer in
                for element in elements { writer.value(element) }
            }
        case .object(let members):
            object { writer in
                for member in members { writer.member(member.name) { $0.value(member.value) } }
            }
        }
    }

    /// Ends the document and gives its bytes; the indented form ends in a line break.
    package consuming func finish() -> [UInt8] {
        if indentation != nil { bytes.append(0x0a) }
        return bytes
    }

    /// Appends `text`, which must be valid UTF-8, in quotes and escaped.
    ///
    /// Escaped are the quote, the backslash, C0, DEL, C1 and the line separators U+2028 and U+2029.
    package static func appendQuoted(_ text: some Sequence<UInt8>, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        appendEscaped(text, to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Appends `text`, which must be valid UTF-8, escaped and without quotes.
    package static func appendEscaped(_ text: some Sequence<UInt8>, to bytes: inout [UInt8]) {
        // The two bytes before this one decide whether it ends C1 (C2 80–9F) or a line separator (E2 80 A8–A9).
        var before: UInt8 = 0
        var last: UInt8 = 0
        for byte in text {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(byte)
            case 0x0a: bytes.append(contentsOf: "\\n".utf8)
            case 0x0d: bytes.append(contentsOf: "\\r".utf8)
            case 0x09: bytes.append(contentsOf: "\\t".utf8)
            case 0..<0x20, 0x7f: appendCode(UInt16(byte), to: &bytes)
            case 0x80...0x9f where last == 0xc2:
                bytes.removeLast()
                appendCode(UInt16(byte), to: &bytes)
            case 0xa8...0xa9 where last == 0x80 && before == 0xe2:
                bytes.removeLast(2)
                appendCode(0x2000 | UInt16(byte & 0x7f), to: &bytes)
            default: bytes.append(byte)
            }
            before = last
            last = byte
        }
    }

    private static func appendCode(_ code: UInt16, to bytes: inout [UInt8]) {
        bytes.append(contentsOf: "\\u".utf8)
        for shift in [12, 8, 4, 0] as [UInt16] {
            let digit = UInt8(truncatingIfNeeded: code >> shift & 0xf)
            bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }

    private mutating func literal(_ text: String) {
        separate()
        bytes.append(contentsOf: text.utf8)
        needsSeparator = true
    }

    private mutating func open(_ bracket: UInt8) {
        separate()
        bytes.append(bracket)
        depth += 1
        needsSeparator = false
    }

    private mutating func close(_ bracket: UInt8) {
        depth -= 1
        if needsSeparator { breakLine() }
        bytes.append(bracket)
        needsSeparator = true
    }

    /// Writes what has to stand between the last value and the next.
    private mutating func separate() {
        if followsName {
            followsName = false
            return
        }
        if needsSeparator { bytes.append(UInt8(ascii: ",")) }
        if depth > 0 { breakLine() }
        needsSeparator = false
    }

    private mutating func breakLine() {
        guard let indentation else { return }
        bytes.append(0x0a)
        bytes.append(contentsOf: repeatElement(0x20, count: indentation * max(0, depth)))
    }
}
