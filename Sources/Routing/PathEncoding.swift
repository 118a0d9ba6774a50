import NIOCore

/// Which bytes of a path stand for themselves (RFC 3986 §3.3) and how the others are written.
enum PathEncoding {
    // Spelled out as bits, because a global table would cost a check for its initialisation at every byte.
    // unreserved / sub-delims without ";" / ":" / "@" / "/"
    private static let plainLow: UInt64 = 0x27FF_FFD2_0000_0000
    private static let plainHigh: UInt64 = 0x47FF_FFFE_87FF_FFFF

    /// Whether `byte` is written as it is: unreserved, a sub-delimiter other than `;`, `:`, `@` or `/`.
    @inline(__always)
    static func isPlain(_ byte: UInt8) -> Bool {
        guard byte < 128 else { return false }
        return (byte < 64 ? plainLow : plainHigh) >> UInt64(byte & 63) & 1 == 1
    }

    /// Like ``isPlain(_:)``, for a byte within a segment: not `/`.
    @inline(__always)
    static func isPlainInSegment(_ byte: UInt8) -> Bool {
        let half = byte & 64 == 0 ? plainLow & ~(1 << 47) : plainHigh
        return byte < 128 && half &>> UInt64(byte & 63) & 1 == 1
    }

    /// Sets the high bit of every byte that is no letter, digit, `-` or `.`; all other bits are clear. Exact: no byte's sum
    /// carries into the next.
    @inline(__always)
    static func flagUnusual(_ bytes: UInt64) -> UInt64 {
        let highs: UInt64 = 0x8080_8080_8080_8080
        let low = bytes & ~highs
        let folded = low | 0x2020_2020_2020_2020
        let isLetter = (folded &+ 0x1F1F_1F1F_1F1F_1F1F) & ~(folded &+ 0x0505_0505_0505_0505)
        // From `-` to `9` lies, besides what is wanted, only `/`.
        let isNumber = (low &+ 0x5353_5353_5353_5353) & ~(low &+ 0x4646_4646_4646_4646)
        let isOther = (low ^ 0x2F2F_2F2F_2F2F_2F2F) &+ 0x7F7F_7F7F_7F7F_7F7F
        return (~(isLetter | isNumber & isOther) | bytes) & highs
    }

    /// Whether a client may send `byte` unencoded. `;`, `[` and `]` are sent by some, and encoded on the way out.
    static func isTolerated(_ byte: UInt8) -> Bool {
        isPlain(byte) || byte == UInt8(ascii: ";") || byte == UInt8(ascii: "[") || byte == UInt8(ascii: "]")
    }

    /// The value of a hexadecimal digit.
    static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }

    /// Appends decoded `bytes` percent-encoded, runs of plain ones in one copy.
    static func append(_ bytes: Span<UInt8>, to out: inout ByteBuffer) {
        // `Span.bytes` is unsafe for element types with padding; UInt8 has none.
        var start = 0
        for index in bytes.indices where !isPlain(bytes[index]) {
            unsafe out.writeBytes(bytes.extracting(start..<index).bytes)
            let byte = bytes[index]
            out.writeInteger(UInt8(ascii: "%"))
            out.writeInteger(capital(byte >> 4))
            out.writeInteger(capital(byte & 15))
            start = index + 1
        }
        unsafe out.writeBytes(bytes.extracting(start..<bytes.count).bytes)
    }

    private static func capital(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10
    }
}
