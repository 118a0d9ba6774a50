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
func parse(_ text: String, limits: HeadLimits = HeadLimits()) -> (RequestProgress, KeptRequestHead) {
    var parser = RequestParser(limits: limits)
    let progress = parser.parse(buffer(text))
    return (progress, .init(parser.head))
}

func parseResponse(_ text: String, toHEAD: Bool = false) -> (ResponseProgress, KeptResponseHead) {
    var parser = ResponseParser()
    let progress = parser.parse(buffer(text), isAnswerToHEAD: toHEAD)
    return (progress, .init(parser.head))
}

/// What a head says, for longer than its parser lasts.
struct KeptRequestHead {
    let method: Method
    let target, path, authority: ByteRange
    let query: ByteRange?
    let form: TargetForm
    let minorVersion: UInt8
    let fields: [Field]
    let framing: RequestFraming
    let keepAlive, expectsContinue, acceptsTrailers: Bool
    let length: Int
    let authorization, apiToken, requestID, traceparent, upgrade: Int?

    init(_ head: borrowing RequestHead) {
        (method, target, path, authority) = (head.method, head.target, head.path, head.authority)
        (query, form, minorVersion, fields) = (head.query, head.form, head.minorVersion, head.fields)
        (framing, keepAlive, expectsContinue) = (head.framing, head.keepAlive, head.expectsContinue)
        (length, upgrade, traceparent) = (head.length, head.upgrade, head.traceparent)
        acceptsTrailers = head.acceptsTrailers
        (authorization, apiToken, requestID) = (head.authorization, head.apiToken, head.requestID)
    }
}

extension KeptRequestHead {
    func firstIndex(of kind: FieldKind) -> Int? { fields.firstIndex { $0.kind == kind } }
}

struct KeptResponseHead {
    let status: Int
    let minorVersion: UInt8
    let reason: ByteRange
    let fields: [Field]
    let framing: ResponseFraming
    let contentLength: Int64?
    let hasDate, keepAlive, isInterim: Bool
    let length: Int
    let upgrade: Int?

    init(_ head: borrowing ResponseHead) {
        (status, minorVersion, reason, fields) = (head.status, head.minorVersion, head.reason, head.fields)
        (framing, contentLength, hasDate) = (head.framing, head.contentLength, head.hasDate)
        (keepAlive, isInterim, length, upgrade) = (head.keepAlive, head.isInterim, head.length, head.upgrade)
    }
}
