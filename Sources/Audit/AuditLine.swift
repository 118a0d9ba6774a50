/// A cursor that renders one JSON line into memory somebody else owns, and never past its end.
///
/// Running out of room sets `isOverflowed` and writes nothing more: the caller throws the record away and counts it,
/// so that no length a peer chooses can become a write outside the ring.
@safe
struct AuditLine: ~Copyable {
    // Unsafe because the memory belongs to the ring or to an array: valid while the closure or append that made this
    // cursor runs, which is why the type is not copyable and never stored.
    private let base: UnsafeMutablePointer<UInt8>
    /// Bytes of the memory; once something did not fit, those that were written, so that nothing more is.
    private var capacity: Int
    private(set) var count = 0
    private(set) var isOverflowed = false

    /// Starts at the beginning of `memory`.
    ///
    /// Unsafe: the caller keeps the memory alive and unshared until it has dropped the cursor.
    @unsafe
    init(_ memory: UnsafeMutableBufferPointer<UInt8>) {
        // Unsafe: an empty buffer may have no base; with a capacity of 0 the placeholder is never written.
        unsafe base = memory.baseAddress ?? UnsafeMutablePointer(bitPattern: 1).unsafelyUnwrapped
        unsafe capacity = memory.baseAddress == nil ? 0 : memory.count
    }

    /// One byte as it is.
    @inline(__always)
    mutating func append(_ byte: UInt8) {
        guard count < capacity else { return overflow() }
        // Unsafe: count < capacity was just checked.
        unsafe base[count] = byte
        count += 1
    }

    /// Text of the program itself, as it is: must be ASCII without characters that JSON escapes.
    @inline(__always)
    mutating func append(_ literal: StaticString) {
        guard literal.hasPointerRepresentation else {
            return append(UInt8(truncatingIfNeeded: literal.unicodeScalar.value))
        }
        // Unsafe: a literal with a pointer representation has exactly this many bytes there, for ever.
        unsafe copy(literal.utf8Start, literal.utf8CodeUnitCount)
    }

    /// Text of the program that may need escaping: quoted, or `null` when empty.
    @inline(__always)
    mutating func appendString(_ literal: StaticString, limit: Int) {
        guard literal.hasPointerRepresentation, literal.utf8CodeUnitCount > 0 else { return append("null") }
        // Unsafe: as above; the span does not outlive this statement.
        let bytes = unsafe Span(
            _unsafeStart: literal.utf8Start, count: literal.utf8CodeUnitCount)
        appendString(bytes, limit: limit)
    }

    /// Bytes that have been escaped before.
    @inline(__always)
    mutating func append(escaped bytes: [UInt8]) {
        // Unsafe: the buffer is valid inside the closure, and copy is bounded by its count.
        unsafe bytes.withUnsafeBufferPointer { buffer in
            if let start = buffer.baseAddress { unsafe copy(start, buffer.count) }
        }
    }

    /// Bytes that hold nothing JSON escapes.
    @inline(__always)
    mutating func append(escaped bytes: Span<UInt8>) {
        // Unsafe: the buffer is valid inside the closure, and copy is bounded by its count.
        unsafe bytes.withUnsafeBufferPointer { buffer in
            if let start = buffer.baseAddress { unsafe copy(start, buffer.count) }
        }
    }

    @inline(__always)
    private mutating func copy(_ source: UnsafePointer<UInt8>, _ length: Int) {
        guard length <= capacity &- count else { return overflow() }
        // Unsafe: the destination has room for `length` bytes, and ring memory never overlaps a field's memory.
        unsafe (base + count).update(from: source, count: length)
        count &+= length
    }

    @inline(never)
    private mutating func overflow() {
        isOverflowed = true
        capacity = count
    }

    /// A whole number in decimal.
    mutating func appendDecimal(_ number: Int64) {
        if number < 0 { append(UInt8(ascii: "-")) }
        appendDecimal(number.magnitude)
    }

    /// A whole number in decimal.
    @inline(__always)
    mutating func appendDecimal(_ number: UInt64) {
        guard number > 9999 else { return appendShort(UInt32(truncatingIfNeeded: number)) }
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var first = digits.count
        var rest = number
        while rest > 0 {
            first -= 1
            digits[first] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        append(escaped: digits.span.extracting(first..<digits.count))
    }

    /// A number of at most four digits, all of them at once: hundreds and the rest side by side, then tens and ones. 5243/2^19
    /// and 103/2^10 are a hundredth and a tenth as exactly as such numbers need.
    @inline(__always)
    private mutating func appendShort(_ number: UInt32) {
        let hundreds = (number &* 5243) &>> 19
        let pair = hundreds | (number &- hundreds &* 100) &<< 16
        let tens = (pair &* 103) &>> 10 & 0x000f_000f
        let digits = tens | (pair &- tens &* 10) &<< 8
        // The first digit is in the lowest byte; leading zeros go, but for the last.
        let zeros = (digits | 0x0100_0000).trailingZeroBitCount &>> 3
        let text = (digits | 0x3030_3030) &>> UInt32(8 &* zeros)
        let length = 4 &- zeros
        guard capacity &- count >= 4 else { return appendBytes(text, length) }
        // Unsafe: there is room for four bytes, of which those behind the digits are written over.
        unsafe UnsafeMutableRawPointer(base + count).storeBytes(of: text.littleEndian, as: UInt32.self)
        count &+= length
    }

    /// The lowest bytes of a word, one by one: near the end of the memory.
    @inline(never)
    private mutating func appendBytes(_ word: UInt32, _ length: Int) {
        for index in 0..<length { append(UInt8(truncatingIfNeeded: word >> UInt32(8 * index))) }
    }

    /// The quoted string, or `null` when `bytes` is empty.
    ///
    /// Rendered content longer than `limit` bytes is cut between characters and ends in U+2026.
    @inline(__always)
    mutating func appendString(_ bytes: Span<UInt8>, limit: Int) {
        guard !bytes.isEmpty else { return append("null") }
        append(UInt8(ascii: "\""))
        appendContent(bytes, limit: limit)
        append(UInt8(ascii: "\""))
    }

    /// The inside of a JSON string, without quotes; see `appendString`.
    ///
    /// Printable ASCII and valid UTF-8 stay as they are. `"` and `\` get a backslash. Everything that could act on a
    /// terminal or a log viewer (C0, DEL, C1, line and paragraph separators, invisible and bidirectional controls)
    /// becomes `\u` with four hexadecimal digits, and a byte that is not UTF-8 becomes `\ufffd`.
    mutating func appendContent(_ bytes: Span<UInt8>, limit: Int) {
        let end = min(count + limit, capacity)
        var position = appendPlainRun(bytes, end: end)
        while position < bytes.count {
            let byte = bytes[position]
            var width = 1
            let scalar: UInt32
            if byte < 0x80 {
                if AuditLine.isPlain(byte) {
                    guard count < end else { return appendEllipsis() }
                    append(byte)
                    position += 1
                    continue
                }
                scalar = UInt32(byte)
            } else if let decoded = AuditLine.decode(bytes, at: position) {
                (scalar, width) = decoded
            } else {
                scalar = 0xFFFD
            }
            let isVerbatim = width > 1 && !AuditLine.isControl(scalar)
            let isShort = byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
            guard count + (isVerbatim ? width : isShort ? 2 : 6) <= end else { return appendEllipsis() }
            if isVerbatim {
                for index in position..<position + width { append(bytes[index]) }
            } else if isShort {
                append(UInt8(ascii: "\\"))
                append(byte)
            } else {
                append("\\u")
                append(hexadecimalDigit(UInt8(truncatingIfNeeded: scalar >> 12)))
                append(hexadecimalDigit(UInt8(truncatingIfNeeded: scalar >> 8)))
                append(hexadecimalDigit(UInt8(truncatingIfNeeded: scalar >> 4)))
                append(hexadecimalDigit(UInt8(truncatingIfNeeded: scalar)))
            }
            position += width
        }
    }

    /// Copies from the beginning as many whole words as hold printable ASCII only, and says how many bytes that was.
    ///
    /// Almost every path is such a run, whose last word overlaps the one before; the byte-wise loop above sees only what is
    /// left.
    @inline(__always)
    private mutating func appendPlainRun(_ bytes: Span<UInt8>, end: Int) -> Int {
        // Unsafe: reads words at positions whose 8 bytes lie inside the span, writes where `end`, which is not beyond
        // the capacity, leaves room for them; neither needs alignment.
        unsafe bytes.withUnsafeBytes { source in
            var position = 0
            while source.count - position >= 8, end - count >= 8 {
                let word = unsafe source.loadUnaligned(fromByteOffset: position, as: UInt64.self)
                guard AuditLine.isPlain(word) else { break }
                unsafe UnsafeMutableRawPointer(base + count).storeBytes(of: word, as: UInt64.self)
                position &+= 8
                count &+= 8
            }
            let rest = source.count &- position
            if rest > 0, rest < 8, position > 0, end - count >= rest {
                let word = unsafe source.loadUnaligned(fromByteOffset: source.count &- 8, as: UInt64.self)
                guard AuditLine.isPlain(word) else { return position }
                unsafe UnsafeMutableRawPointer(base + (count &+ rest &- 8)).storeBytes(of: word, as: UInt64.self)
                position &+= rest
                count &+= rest
            }
            return position
        }
    }

    /// Whether all eight bytes are plain. May say no to a word that is, never yes to one that is not.
    private static func isPlain(_ word: UInt64) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let high = ones << 7
        let quote = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
        let backslash = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
        // A borrow or carry between bytes starts only at a byte that is itself not plain.
        let control = (word &- ones &* 0x20) | word | (word &+ ones)
        return (control | (quote &- ones) | (backslash &- ones)) & high == 0
    }

    private mutating func appendEllipsis() {
        append(0xE2)
        append(0x80)
        append(0xA6)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    private static func isControl(_ scalar: UInt32) -> Bool {
        switch scalar {
        case 0x80...0x9F, 0xAD, 0x061C, 0x200B...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF, 0xFFF9...0xFFFB: true
        default: false
        }
    }

    /// The multi-byte scalar at `position` when it is well-formed UTF-8 (RFC 3629), else nil.
    private static func decode(_ bytes: Span<UInt8>, at position: Int) -> (scalar: UInt32, width: Int)? {
        let lead = UInt32(bytes[position])
        let (width, least): (Int, UInt32)
        switch lead {
        case 0xC2...0xDF: (width, least) = (2, 0x80)
        case 0xE0...0xEF: (width, least) = (3, 0x800)
        case 0xF0...0xF4: (width, least) = (4, 0x10000)
        default: return nil
        }
        guard width <= bytes.count - position else { return nil }
        var scalar = lead & (0x7F >> UInt32(width))
        for index in position + 1..<position + width {
            let next = UInt32(bytes[index])
            guard next & 0xC0 == 0x80 else { return nil }
            scalar = scalar << 6 | next & 0x3F
        }
        guard scalar >= least, scalar <= 0x10FFFF, !(0xD800...0xDFFF).contains(scalar) else { return nil }
        return (scalar, width)
    }
}

/// Eight lower-case hexadecimal digits, the first in the byte that is stored first. All at once: each nibble is brought into
/// a byte of its own, and those above 9 get the distance from `:` to `a` added.
func hexadecimalDigits(_ word: UInt32) -> UInt64 {
    var spread = UInt64(word)
    spread = (spread | spread << 16) & 0x0000_ffff_0000_ffff
    spread = (spread | spread << 8) & 0x00ff_00ff_00ff_00ff
    spread = (spread | spread << 4) & 0x0f0f_0f0f_0f0f_0f0f
    let letters = (spread &+ 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
    return (spread &+ 0x3030_3030_3030_3030 &+ letters &* 0x27).bigEndian
}

/// The lower-case hexadecimal digit of the low four bits.
func hexadecimalDigit(_ value: UInt8) -> UInt8 {
    let nibble = value & 0x0F
    return nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "a") + (nibble - 10)
}
