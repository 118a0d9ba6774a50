package import NIOCore
package import Wire

/// One piece of bytes cut out of a buffer, as text of which every scalar is one byte.
private func latin1Text(_ range: ByteRange, of buffer: ByteBuffer) -> String {
    let bytes = Array(buffer.readableBytesView)
    guard range.range.upperBound <= bytes.count else { return "<outside>" }
    var result = ""
    result.unicodeScalars.append(contentsOf: bytes[range.range].map { Unicode.Scalar($0) })
    return result
}

/// Everything a request head says, written out, so that two parses can be compared.
package func summary(_ head: borrowing RequestHead, _ buffer: ByteBuffer) -> String {
    var lines = [
        "\(head.method) \(latin1Text(head.methodRange, of: buffer)) \(latin1Text(head.target, of: buffer)) \(head.form)",
        "path=\(latin1Text(head.path, of: buffer)) query=\(head.query.map { latin1Text($0, of: buffer) } ?? "-")",
        "authority=\(latin1Text(head.authority, of: buffer)) minor=\(head.minorVersion) framing=\(head.framing)",
        "keepAlive=\(head.keepAlive) expects=\(head.expectsContinue) length=\(head.length)",
        "indices=\(String(describing: [head.authorization, head.apiToken, head.requestID, head.traceparent]))",
        "upgrade=\(String(describing: head.upgrade))",
    ]
    lines += head.fields.map { summary($0, buffer) }
    return lines.joined(separator: "\n")
}

/// The same of the head of an answer.
package func summary(_ head: borrowing ResponseHead, _ buffer: ByteBuffer) -> String {
    var lines = [
        "\(head.status) \(latin1Text(head.reason, of: buffer)) minor=\(head.minorVersion) framing=\(head.framing)",
        "length=\(head.length) content=\(String(describing: head.contentLength)) keepAlive=\(head.keepAlive)",
        "upgrade=\(String(describing: head.upgrade))",
    ]
    lines += head.fields.map { summary($0, buffer) }
    return lines.joined(separator: "\n")
}

private func summary(_ field: Field, _ buffer: ByteBuffer) -> String {
    "\(latin1Text(field.name, of: buffer))|\(latin1Text(field.value, of: buffer))|\(field.kind)|\(field.isNominated)|\(field.end)"
}

/// What came of a stream of requests.
package struct RequestTrace: Equatable {
    /// How it ended.
    package enum End: Equatable {
        /// The stream ended between two requests.
        case idle
        /// The stream ended in the middle of a head or a body.
        case unfinished
        case badHead(MalformedRequest)
        case badBody(MalformedBody)
    }

    /// Each head, written out.
    package var heads: [String] = []
    /// Content of the requests that were read to their end.
    package var bodies: [[UInt8]] = []
    /// How the stream ended.
    package var end = End.idle
}

/// Reads requests from the pieces, as a connection would, with the bodies passed on raw.
package func trace(_ pieces: [ByteBuffer], limits: HeadLimits = HeadLimits(), maximumBody: Int64? = nil) -> RequestTrace
{
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
package struct ResponseTrace: Equatable {
    /// How it ended.
    package enum End: Equatable {
        case complete
        case noHead
        case badHead(MalformedResponse)
        case badBody(MalformedBody)
        /// The body has not ended.
        case unfinished
    }

    /// All heads, interim ones first.
    package var heads: [String] = []
    /// The status of each.
    package var statuses: [Int] = []
    /// Content.
    package var body: [UInt8] = []
    /// How the answer ended.
    package var end = End.noHead
    /// Bytes after the answer.
    package var surplus = 0
}

/// Reads one answer from the pieces.
package func traceResponse(_ pieces: [ByteBuffer], toHEAD: Bool, closes: Bool) -> ResponseTrace {
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
