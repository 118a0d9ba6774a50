/// Base64url without padding, RFC 4648 section 5.
package func base64url(_ bytes: some Sequence<UInt8>) -> String {
    encode(bytes, alphabet: Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8), pad: false)
}

/// Base64 with padding, RFC 4648 section 4.
package func base64(_ bytes: some Sequence<UInt8>) -> String {
    encode(bytes, alphabet: Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8), pad: true)
}

/// Lower-case hexadecimal digits, two a byte.
package func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

private func encode(_ bytes: some Sequence<UInt8>, alphabet: [UInt8], pad: Bool) -> String {
    var result: [UInt8] = []
    var bits: UInt32 = 0
    var held = 0
    for byte in bytes {
        bits = (bits << 8) | UInt32(byte)
        held += 8
        while held >= 6 {
            held -= 6
            result.append(alphabet[Int((bits >> UInt32(held)) & 63)])
        }
        bits &= (1 << UInt32(held)) - 1
    }
    if held > 0 { result.append(alphabet[Int((bits << UInt32(6 - held)) & 63)]) }
    while pad, result.count % 4 != 0 { result.append(UInt8(ascii: "=")) }
    return String(decoding: result, as: UTF8.self)
}
