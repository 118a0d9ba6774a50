/// Why a document is not the JSON this room accepts, and at which byte.
package struct JSONError: Error, Sendable, CustomStringConvertible {
    /// The byte offset of the offence from the start of the document; at most the document's length.
    package let offset: Int
    /// What is wrong there.
    package let reason: Reason

    /// The ways a document can fail.
    package enum Reason: Sendable {
        case documentTooLarge(maximumBytes: Int)
        case tooDeep(maximumDepth: Int)
        case tooManyValues(maximumValues: Int)
        case emptyDocument
        case byteOrderMark
        case unexpectedEnd(expected: StaticString)
        case unexpectedByte(UInt8, expected: StaticString)
        case trailingComma
        case comment
        case trailingBytes
        case invalidUTF8
        case controlCharacter(UInt8)
        case invalidEscape
        case loneSurrogate
        case invalidNumber
        case duplicateMember(String)
    }

    /// What is wrong and the way out, in one sentence without the position.
    package var description: String {
        switch reason {
        case .documentTooLarge(let maximum): "the document is longer than \(maximum) bytes"
        case .tooDeep(let maximum): "arrays and objects are nested deeper than \(maximum) levels"
        case .tooManyValues(let maximum): "the document holds more than \(maximum) values"
        case .emptyDocument: "the document is empty; write a JSON value"
        case .byteOrderMark: "the document begins with a byte order mark; save it as UTF-8 without one"
        case .unexpectedEnd(let expected): "the document ends where \(expected) should stand"
        case .unexpectedByte(let byte, let expected): "\(Self.name(byte)) stands where \(expected) should stand"
        case .trailingComma: "a comma stands before the closing bracket; remove it"
        case .comment: "JSON has no comments; remove it"
        case .trailingBytes: "something follows the end of the document; remove it"
        case .invalidUTF8: "the text is not valid UTF-8"
        case .controlCharacter(let byte): "the string holds \(Self.name(byte)); write it as an escape"
        case .invalidEscape: "the escape is none of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX"
        case .loneSurrogate: "the \\u escape is half of a surrogate pair"
        case .invalidNumber: "the number is malformed; JSON knows no leading zeros or plus, bare dots, NaN or hex"
        case .duplicateMember(let name): "the member \"\(name.prefix(64))\" stands twice in this object; remove one"
        }
    }

    private static func name(_ byte: UInt8) -> String {
        if (0x21...0x7e).contains(byte) {
            return "'\(Unicode.Scalar(byte))'"
        }
        let hex = String(byte, radix: 16)
        return "byte 0x\(hex.count < 2 ? "0" : "")\(hex)"
    }
}

/// The line and column of a byte offset, both counted from 1.
///
/// Lines end at LF; columns count Unicode scalars, as editors do. An offset beyond the end stands for the end.
/// Linear in the offset.
package func lineAndColumn(of offset: Int, in bytes: [UInt8]) -> (line: Int, column: Int) {
    var line = 1
    var column = 1
    for byte in bytes.prefix(max(0, offset)) {
        if byte == 0x0a {
            line += 1
            column = 1
        } else if byte & 0xc0 != 0x80 {
            column += 1
        }
    }
    return (line, column)
}
