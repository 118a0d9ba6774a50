/// Reads `HTTP/x.y` (RFC 9112 §2.3), which is case-sensitive.
enum HTTPVersion {
    enum Reading {
        /// What is there so far may become a version.
        case incomplete
        /// HTTP/1.0, or HTTP/1.1 and what comes after it.
        case minor(UInt8)
        /// A version, but of another major number.
        case unsupported
        /// No version.
        case malformed
    }

    /// Bytes of a version.
    static let length = 8
    private static let name: StaticString = "HTTP/"

    @inline(__always)
    static func read(_ bytes: RawSpan, from start: Int) -> Reading {
        if start + length <= bytes.byteCount {
            switch bytes.word(start) {
            case 0x312E_312F_5054_5448: return .minor(1)  // "HTTP/1.1", last byte highest
            case 0x302E_312F_5054_5448: return .minor(0)  // "HTTP/1.0"
            default: break
            }
        }
        return readSlowly(bytes, from: start)
    }

    @inline(never)
    private static func readSlowly(_ bytes: RawSpan, from start: Int) -> Reading {
        let available = min(bytes.byteCount - start, length)
        // The pointer is read only below `utf8CodeUnitCount`, which is the length of the literal it points at.
        let expected = unsafe UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        for index in 0..<max(available, 0) {
            let byte = bytes.byte(start + index)
            let fits =
                switch index {
                case 0..<5: unsafe byte == expected[index]
                case 6: byte == ASCII.dot
                default: byte.isDigit
                }
            if !fits { return .malformed }
        }
        guard available == length else { return .incomplete }
        // A later minor version is to be taken for the latest one known (RFC 9110 §2.5).
        let isMajor1 = bytes.byte(start + 5) == ASCII.zero + 1
        return isMajor1 ? .minor(1) : .unsupported
    }
}
