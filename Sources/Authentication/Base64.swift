/// Strict base64 (RFC 4648): one text for each byte sequence, nothing skipped, nothing guessed.
enum Base64 {
    /// Decodes base64url without padding (RFC 7515 §2).
    ///
    /// Nil for any other character, for padding, for an impossible length, and when the unused bits of the last
    /// character are not zero: otherwise two different tokens would carry the same signature.
    static func decodeURL(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        decode(text, values: urlValues.span)
    }

    /// Decodes base64 with its padding (RFC 4648 §4), as RFC 7617 asks for.
    static func decodePadded(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.count % 4 == 0 else { return nil }
        let padding = text.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
        return decode(text.dropLast(padding), values: standardValues.span)
    }

    /// Decodes base64 without padding in the standard alphabet, as PHC strings write it.
    static func decodeUnpadded(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        decode(text, values: standardValues.span)
    }

    /// base64url without padding.
    static func encodeURL(_ bytes: [UInt8]) -> [UInt8] {
        encode(bytes, alphabet: urlAlphabet)
    }

    /// Base64 without padding in the standard alphabet.
    static func encodeUnpadded(_ bytes: [UInt8]) -> [UInt8] {
        encode(bytes, alphabet: standardAlphabet)
    }

    // MARK: - Tables

    private static let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8)
    private static let urlAlphabet = letters + Array("-_".utf8)
    private static let standardAlphabet = letters + Array("+/".utf8)
    private static let urlValues = values(of: urlAlphabet)
    private static let standardValues = values(of: standardAlphabet)

    /// The six bits each character stands for, or 0xff; as long as a byte can count, so that no lookup needs a check.
    private typealias Values = InlineArray<256, UInt8>

    private static func values(of alphabet: [UInt8]) -> Values {
        var values = Values(repeating: 0xff)
        for (value, character) in alphabet.enumerated() {
            values[Int(character)] = UInt8(truncatingIfNeeded: value)
        }
        return values
    }

    // MARK: - The work

    private static func decode(_ text: ArraySlice<UInt8>, values: Span<UInt8>) -> [UInt8]? {
        let remainder = text.count % 4
        guard remainder != 1 else { return nil }
        // An array of no capacity is one that all threads share, and to initialise it would be to write to it.
        guard !text.isEmpty else { return [] }
        let count = text.count / 4 * 3 + max(0, remainder - 1)
        // One bit pattern collects every table value, so that validity is asked once: only 0xff sets the top bit.
        var seen: UInt8 = 0
        // Bits of the last character that stand for nothing.
        var unused: UInt8 = 0
        // Unsafe: each whole group of four characters is three bytes of the output, and the rest as many as `count` counts
        // for it; a table has a value for each byte there is. All buffers are lent for the call.
        let decoded = unsafe [UInt8](unsafeUninitializedCapacity: count) { output, initialized in
            unsafe text.withUnsafeBufferPointer { source in
                unsafe values.withUnsafeBufferPointer { values in
                    var (index, place) = (0, 0)
                    while index < source.count - remainder {
                        let a = unsafe values[Int(source[index])]
                        let b = unsafe values[Int(source[index + 1])]
                        let c = unsafe values[Int(source[index + 2])]
                        let d = unsafe values[Int(source[index + 3])]
                        seen |= a | b | c | d
                        unsafe output[place] = a << 2 | b >> 4
                        unsafe output[place + 1] = b << 4 | c >> 2
                        unsafe output[place + 2] = c << 6 | d
                        index += 4
                        place += 3
                    }
                    guard remainder >= 2 else { return }
                    let a = unsafe values[Int(source[index])]
                    let b = unsafe values[Int(source[index + 1])]
                    seen |= a | b
                    unsafe output[place] = a << 2 | b >> 4
                    unused = b << 4
                    guard remainder == 3 else { return }
                    let c = unsafe values[Int(source[index + 2])]
                    seen |= c
                    unsafe output[place + 1] = b << 4 | c >> 2
                    unused = c << 6
                }
            }
            initialized = count
        }
        return seen & 0x80 == 0 && unused == 0 ? decoded : nil
    }

    private static func encode(_ bytes: [UInt8], alphabet: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity((bytes.count + 2) / 3 * 4)
        var bits: UInt32 = 0
        var count = 0
        for byte in bytes {
            bits = bits << 8 | UInt32(byte)
            count += 8
            while count >= 6 {
                count -= 6
                output.append(alphabet[Int(bits >> UInt32(count) & 63)])
            }
            bits &= (1 << UInt32(count)) - 1
        }
        if count > 0 { output.append(alphabet[Int(bits << UInt32(6 - count) & 63)]) }
        return output
    }
}
