package import NIOCore

extension ByteBuffer {
    /// Appends a number in decimal digits; a negative one is written as 0. No String and no allocation of its own.
    package mutating func writeDecimal(_ number: Int64) {
        var digits: [20 of UInt8] = .init(repeating: 0)
        var rest = UInt64(max(number, 0))
        var start = 20
        repeat {
            start -= 1
            digits[start] = UInt8(truncatingIfNeeded: rest % 10) &+ ASCII.zero
            rest /= 10
        } while rest > 0 && start > 0
        writeWithOutputRawSpan(minimumWritableBytes: 20) { span in
            for index in start..<20 { span.append(digits[index]) }
        }
    }

    /// Appends a number in decimal digits; a negative one is written as 0.
    package mutating func writeDecimal(_ number: Int) {
        writeDecimal(Int64(number))
    }

    /// Appends a number in lower-case hexadecimal digits without leading zeros; a negative one is written as 0.
    package mutating func writeHexadecimal(_ number: Int64) {
        var digits: [16 of UInt8] = .init(repeating: 0)
        var rest = UInt64(max(number, 0))
        var start = 16
        repeat {
            start -= 1
            let digit = UInt8(truncatingIfNeeded: rest & 0xF)
            digits[start] = digit < 10 ? digit &+ ASCII.zero : digit &+ 0x57
            rest &>>= 4
        } while rest > 0 && start > 0
        writeWithOutputRawSpan(minimumWritableBytes: 16) { span in
            for index in start..<16 { span.append(digits[index]) }
        }
    }
}
