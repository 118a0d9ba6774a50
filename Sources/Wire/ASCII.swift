/// The bytes HTTP's grammar is made of (RFC 5234, appendix B.1).
enum ASCII {
    static let tab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20
    static let quote: UInt8 = 0x22
    static let asterisk: UInt8 = 0x2A
    static let comma: UInt8 = 0x2C
    static let hyphen: UInt8 = 0x2D
    static let dot: UInt8 = 0x2E
    static let slash: UInt8 = 0x2F
    static let zero: UInt8 = 0x30
    static let colon: UInt8 = 0x3A
    static let semicolon: UInt8 = 0x3B
    static let equals: UInt8 = 0x3D
    static let question: UInt8 = 0x3F
    static let openBracket: UInt8 = 0x5B
    static let backslash: UInt8 = 0x5C
    static let closeBracket: UInt8 = 0x5D
    static let underscore: UInt8 = 0x5F
}

/// A set of ASCII bytes as 128 bits; membership is a shift. Bytes of 0x80 and above are in none.
struct ByteClass: Sendable {
    private let low: UInt64
    private let high: UInt64

    /// The class of the bytes for which the predicate holds.
    private init(where isMember: (UInt8) -> Bool) {
        var low: UInt64 = 0
        var high: UInt64 = 0
        for byte in UInt8(0)..<64 where isMember(byte) { low |= 1 &<< UInt64(byte) }
        for byte in UInt8(64)..<128 where isMember(byte) { high |= 1 &<< UInt64(byte &- 64) }
        self.low = low
        self.high = high
    }

    /// The class with the given bits, byte 0 in the lowest bit of `low`.
    init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    @inline(__always)
    func contains(_ byte: UInt8) -> Bool {
        let half = byte & 0x40 == 0 ? low : high
        return byte < 0x80 && (half &>> UInt64(byte & 0x3F)) & 1 != 0
    }

    /// tchar, RFC 9110 §5.6.2: ``!#$%&'*+-.^_`|~``, digits and letters. Bits, so that it is a constant in the loops.
    static var token: ByteClass { ByteClass(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C7FF_FFFE) }

    /// tchar without upper-case letters, as field names are in HTTP/2 (RFC 9113 §8.2.1).
    static var lowerToken: ByteClass { ByteClass(low: 0x03FF_6CFA_0000_0000, high: 0x57FF_FFFF_C000_0000) }

    /// What a registered name or IPv4 address may hold here: letters, digits, `-`, `.`, `_`, `~`.
    ///
    /// RFC 3986 §3.2.2 also allows percent-encoding and sub-delims. No host on the Internet has them, and each is a way
    /// to make two servers read one authority differently.
    static var host: ByteClass { ByteClass(low: 0x03FF_6000_0000_0000, high: 0x47FF_FFFE_87FF_FFFE) }
}

extension UInt8 {
    /// The byte with ASCII upper case turned to lower case.
    @inline(__always)
    var lowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }

    /// The value of a hexadecimal digit of either case.
    @inline(__always)
    var hexadecimalValue: UInt8? {
        if self &- 0x30 < 10 { return self &- 0x30 }
        let folded = (self | 0x20) &- 0x61
        return folded < 6 ? folded &+ 10 : nil
    }

    /// Whether the byte is a decimal digit.
    @inline(__always)
    var isDigit: Bool { self &- 0x30 < 10 }

    /// Whether the byte may not stand in a field value: CTL other than HTAB (RFC 9110 §5.5).
    @inline(__always)
    var isForbiddenInValue: Bool { self < 0x20 && self != ASCII.tab || self == 0x7F }
}
