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

/// Everything a request head says, written out, so that two parses can be compared.
func summary(_ head: RequestHead, _ buffer: ByteBuffer) -> String {
    var lines = [
        "\(head.method) \(text(head.methodRange, of: buffer)) \(text(head.target, of: buffer)) \(head.form)",
        "path=\(text(head.path, of: buffer)) query=\(head.query.map { text($0, of: buffer) } ?? "-")",
        "authority=\(text(head.authority, of: buffer)) minor=\(head.minorVersion) framing=\(head.framing)",
        "keepAlive=\(head.keepAlive) expects=\(head.expectsContinue) length=\(head.length)",
        "indices=\(String(describing: [head.authorization, head.apiToken, head.requestID, head.traceparent]))",
        "upgrade=\(String(describing: head.upgrade))",
    ]
    lines += head.fields.map { summary($0, buffer) }
    return lines.joined(separator: "\n")
}

func summary(_ head: ResponseHead, _ buffer: ByteBuffer) -> String {
    var lines = [
        "\(head.status) \(text(head.reason, of: buffer)) minor=\(head.minorVersion) framing=\(head.framing)",
        "length=\(head.length) content=\(String(describing: head.contentLength)) keepAlive=\(head.keepAlive)",
        "upgrade=\(String(describing: head.upgrade))",
    ]
    lines += head.fields.map { summary($0, buffer) }
    return lines.joined(separator: "\n")
}

private func summary(_ field: Field, _ buffer: ByteBuffer) -> String {
    "\(text(field.name, of: buffer))|\(text(field.value, of: buffer))|\(field.kind)|\(field.isNominated)|\(field.end)"
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

/// What came of a stream of requests.
struct RequestTrace: Equatable {
    enum End: Equatable {
        /// The stream ended between two requests.
        case idle
        /// The stream ended in the middle of a head or a body.
        case unfinished
        case badHead(MalformedRequest)
        case badBody(MalformedBody)
    }

    var heads: [String] = []
    /// Content of the requests that were read to their end.
    var bodies: [[UInt8]] = []
    var end = End.idle
}

/// Reads requests from the pieces, as a connection would, with the bodies passed on raw.
func trace(_ pieces: [ByteBuffer], limits: HeadLimits = HeadLimits(), maximumBody: Int64? = nil) -> RequestTrace {
    var result = RequestTrace()
    var parser = RequestParser(limits: limits)
    var relay: BodyRelay?
    var pending = ByteBuffer()
    var content = ByteBuffer()
    for piece in pieces {
        pending.writeImmutableBuffer(piece)
        reading: while true {
            if var body = relay {
                let progress = body.relay(&pending, into: &content)
                relay = body
                switch progress {
                case .more: break reading
                case .end:
                    result.bodies.append(Array(content.readableBytesView))
                    content.clear()
                    relay = nil
                    parser.reset()
                case .malformed(let reason):
                    result.end = .badBody(reason)
                    return result
                }
                continue
            }
            switch parser.parse(pending) {
            case .incomplete: break reading
            case .malformed(let reason):
                result.end = .badHead(reason)
                return result
            case .complete:
                result.heads.append(summary(parser.head, pending))
                pending.moveReaderIndex(forwardBy: parser.head.length)
                relay = BodyRelay(parser.head.framing, output: .raw, maximumBytes: maximumBody)
            }
        }
    }
    if relay != nil || !parser.isIdle { result.end = .unfinished }
    return result
}

/// What came of one answer of an upstream.
struct ResponseTrace: Equatable {
    enum End: Equatable {
        case complete
        case noHead
        case badHead(MalformedResponse)
        case badBody(MalformedBody)
        /// The body has not ended.
        case unfinished
    }

    /// All heads, interim ones first.
    var heads: [String] = []
    var statuses: [Int] = []
    var body: [UInt8] = []
    var end = End.noHead
    /// Bytes after the answer.
    var surplus = 0
}

/// Reads one answer from the pieces.
func traceResponse(_ pieces: [ByteBuffer], toHEAD: Bool, closes: Bool) -> ResponseTrace {
    var result = ResponseTrace()
    var parser = ResponseParser()
    var relay: BodyRelay?
    var pending = ByteBuffer()
    var content = ByteBuffer()
    for piece in pieces {
        pending.writeImmutableBuffer(piece)
        while relay == nil {
            switch parser.parse(pending, isAnswerToHEAD: toHEAD) {
            case .incomplete: break
            case .malformed(let reason):
                result.end = .badHead(reason)
                return result
            case .complete:
                result.heads.append(summary(parser.head, pending))
                result.statuses.append(parser.head.status)
                pending.moveReaderIndex(forwardBy: parser.head.length)
                if parser.head.isInterim {
                    parser.reset()
                    continue
                }
                result.end = .unfinished
                relay = BodyRelay(parser.head.framing, output: .raw)
            }
            break
        }
        if case .malformed(let reason)? = relay?.relay(&pending, into: &content) {
            result.end = .badBody(reason)
            return result
        }
    }
    if var body = relay {
        let progress = closes ? body.finishAtEOF(into: &content) : body.relay(&pending, into: &content)
        switch progress {
        case .more: result.end = .unfinished
        case .end: result.end = .complete
        case .malformed(let reason): result.end = .badBody(reason)
        }
    }
    result.body = Array(content.readableBytesView)
    result.surplus = pending.readableBytes
    return result
}
