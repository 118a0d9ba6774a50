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
        let head = parser.head
        #expect(source.copy(of: head.methodRange) == Array("GET".utf8))
        #expect(source.withSpan(of: head.methodRange) { $0.count } == 3)
        #expect(source.withSpan(of: head.methodRange) { $0[0] } == UInt8(ascii: "G"))
        #expect(head.firstIndex(named: "x-cumulocity-application-key", in: source) == 1)
        #expect(head.firstIndex(named: "x-cumulocity", in: source) == nil)

        let tooFar = ByteRange(0, 1000)
        #expect(source.copy(of: tooFar).isEmpty)
        #expect(source.withSpan(of: tooFar) { $0.count } == 0)
        #expect(head.firstIndex(named: "host", in: ByteBuffer()) == nil)
    }
}
