import NIOCore
import Testing
import Wire

@Suite struct ByteWriterTests {
    private func written(reserving bound: Int, _ body: (inout ByteWriter) -> Void) -> String {
        var buffer = ByteBuffer(string: "<")
        buffer.append(reserving: bound, body)
        return String(buffer: buffer)
    }

    @Test(arguments: [0, 1, 9, 10, 11, 99, 100, 12_345, 999_999_999, 1_000_000_000, Int.max])
    func decimals(_ number: Int) {
        #expect(written(reserving: 32) { $0.append(decimal: number) } == "<\(number)")
    }

    /// Up to four digits are written at once where there is room for four, else one by one.
    @Test func shortDecimals() {
        for number in 0...10_001 {
            let digits = "<\(number)"
            guard written(reserving: 4, { $0.append(decimal: number) }) == digits,
                written(reserving: 3, { $0.append(decimal: number) }) == digits
            else {
                Issue.record("\(number) is written otherwise")
                return
            }
        }
    }

    @Test func aNegativeNumberIsZero() {
        #expect(written(reserving: 32) { $0.append(decimal: -5) } == "<0")
    }

    @Test func hexadecimalsHaveSixteenDigits() {
        #expect(written(reserving: 32) { $0.append(hexadecimal: 0x0123_4567_89ab_cdef) } == "<0123456789abcdef")
        #expect(written(reserving: 32) { $0.append(hexadecimal: 0) } == "<0000000000000000")
    }

    /// Whatever room was reserved, the result is the same, and nothing is written outside of it.
    @Test(arguments: 0...80) func tooLittleRoomCostsASecondRunAndNothingElse(_ bound: Int) {
        let array = Array("array".utf8)
        let source = ByteBuffer(string: "span")
        let text = written(reserving: bound) { out in
            out.append("static ")
            out.append(UInt8(ascii: "b"))
            out.append(array)
            out.append(source.readableBytesSpan)
            out.append(decimal: 1_234_567)
            out.append(hexadecimal: 255)
            out.append("")
            out.append([])
        }
        #expect(text == "<static barrayspan123456700000000000000ff")
    }

    @Test func aLongPieceInAFullBufferMakesItGrow() {
        var buffer = ByteBufferAllocator().buffer(capacity: 16)
        let long = [UInt8](repeating: 7, count: 100_000)
        buffer.append(reserving: 8) { out in
            out.append("head")
            out.append(long)
        }
        #expect(buffer.readableBytes == 100_004)
        #expect(buffer.getBytes(at: 4, length: 100_000) == long)
    }

    @Test func nothingAppendedIsNothingWritten() {
        #expect(written(reserving: 0) { _ in } == "<")
    }
}
