import NIOCore
import Testing
import Wire

@Suite struct ByteRangeTests {
    @Test func outOfOrderAndOutOfRangeIsEmpty() {
        #expect(ByteRange(3, 7).count == 4 && ByteRange(3, 7).range == 3..<7)
        #expect(ByteRange(lower: 7, upper: 3).isEmpty && ByteRange(lower: 7, upper: 3).count == 0)
        #expect(ByteRange(lower: 7, upper: 3).range.isEmpty)
        #expect(ByteRange(-1, .max) == ByteRange(lower: 0, upper: .max))
        #expect(ByteRange.empty.isEmpty)
    }

    @Test func rangesCountFromTheReaderIndex() {
        var source = buffer("xxGET / HTTP/1.1\r\nHost: h\r\nX-Cumulocity-Application-Key: k\r\n\r\n")
        source.moveReaderIndex(forwardBy: 2)
        var parser = RequestParser()
        #expect(parser.parse(source) == .complete)
        let method = parser.head.methodRange
        #expect(source.copy(of: method) == Array("GET".utf8))
        #expect(source.withSpan(of: method) { $0.count } == 3)
        #expect(source.withSpan(of: method) { $0[0] } == UInt8(ascii: "G"))
        let key = parser.head.firstIndex(named: "x-cumulocity-application-key", in: source)
        #expect(key == 1)
        let part = parser.head.firstIndex(named: "x-cumulocity", in: source)
        #expect(part == nil)

        let tooFar = ByteRange(0, 1000)
        #expect(source.copy(of: tooFar).isEmpty)
        #expect(source.withSpan(of: tooFar) { $0.count } == 0)
        let outside = parser.head.firstIndex(named: "host", in: ByteBuffer())
        #expect(outside == nil)
    }
}
