import NIOCore
import TestKit
import Wire

/// One piece of bytes cut out of a buffer, as text of which every scalar is one byte.
func text(_ range: ByteRange, of buffer: ByteBuffer) -> String {
    let bytes = Array(buffer.readableBytesView)
    guard range.range.upperBound <= bytes.count else { return "<outside>" }
    return text(bytes[range.range])
}

func text(_ bytes: some Sequence<UInt8>) -> String {
    var result = ""
    result.unicodeScalars.append(contentsOf: bytes.map { Unicode.Scalar($0) })
    return result
}

func buffer(_ text: String) -> ByteBuffer {
    ByteBuffer(bytes: latin1(text))
}

/// Parses one whole head from text.
func parse(_ text: String, limits: HeadLimits = HeadLimits()) -> (RequestProgress, RequestHead) {
    var parser = RequestParser(limits: limits)
    let progress = parser.parse(buffer(text))
    return (progress, parser.head)
}

func parseResponse(_ text: String, toHEAD: Bool = false) -> (ResponseProgress, ResponseHead) {
    var parser = ResponseParser()
    let progress = parser.parse(buffer(text), isAnswerToHEAD: toHEAD)
    return (progress, parser.head)
}
