/// Writes the one flat JSON object of an answer.
struct EchoWriter {
    private var bytes: [UInt8] = Array("{".utf8)
    private var isEmpty = true

    mutating func member(_ name: String, _ text: String) {
        key(name)
        string(text)
    }
    mutating func member(_ name: String, number: Int64) {
        key(name)
        bytes.append(contentsOf: String(number).utf8)
    }
    mutating func pairs(_ name: String, _ pairs: [(String, String)]) {
        key(name)
        bytes.append(UInt8(ascii: "["))
        for (index, pair) in pairs.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(UInt8(ascii: "["))
            string(pair.0)
            bytes.append(UInt8(ascii: ","))
            string(pair.1)
            bytes.append(UInt8(ascii: "]"))
        }
        bytes.append(UInt8(ascii: "]"))
    }
    consuming func finish() -> [UInt8] {
        bytes.append(contentsOf: "}\n".utf8)
        return bytes
    }

    private mutating func key(_ name: String) {
        if !isEmpty { bytes.append(UInt8(ascii: ",")) }
        isEmpty = false
        string(name)
        bytes.append(UInt8(ascii: ":"))
    }
    private mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case 0..<0x20, 0x7F:
                let digits = Array("0123456789abcdef".utf8)
                bytes += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
