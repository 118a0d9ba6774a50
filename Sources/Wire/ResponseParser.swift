package import NIOCore

/// How far a response head has come.
package enum ResponseProgress: Sendable, Equatable {
    /// More bytes are needed.
    case incomplete
    /// `ResponseParser.head` is complete; its `length` bytes are still in the buffer.
    case complete
    /// The bytes are no response a gateway may pass on. The connection is of no further use.
    case malformed(MalformedResponse)
}

/// Parses one response head after the other, as strictly as `RequestParser` does requests (RFC 9112 §§4-6).
///
/// Like it, it consumes nothing, continues where it stopped, and refuses a wrong byte on sight.
package struct ResponseParser: ~Copyable, Sendable {
    private enum Phase: Sendable, Equatable {
        case version, status, afterStatus, reason, lineFeed, fields, complete
        case failed(MalformedResponse)
    }

    /// The head; complete and valid only after `parse` answered `.complete`.
    package private(set) var head = ResponseHead()

    private let limits: HeadLimits
    private var phase = Phase.version
    private var cursor = 0
    private var partStart = 0
    private var scanner = FieldScanner()
    private var framing = MessageFraming()
    private var connection = ConnectionOptions()

    /// A parser that waits for a response.
    package init(limits: HeadLimits = HeadLimits()) {
        self.limits = limits
    }

    /// Makes the parser ready for the next response, be it the one after an interim one; storage is kept.
    package mutating func reset() {
        head.reset()
        phase = .version
        cursor = 0
        partStart = 0
        scanner = FieldScanner()
        framing = MessageFraming()
        connection = ConnectionOptions()
    }

    /// Parses on from where the last call stopped.
    ///
    /// - Parameters:
    ///   - buffer: its readable bytes begin with the head's first byte, on every call for this head the same.
    ///   - isAnswerToHEAD: whether the request was HEAD, to which no answer has a body.
    /// - Returns: once the head is complete or malformed, the same answer until `reset()`.
    package mutating func parse(_ buffer: borrowing ByteBuffer, isAnswerToHEAD: Bool) -> ResponseProgress {
        let available = buffer.readableBytesSpan
        let bytes = available.extracting(first: limits.maximumHeadBytes)
        let progress = parse(bytes, isAnswerToHEAD: isAnswerToHEAD)
        if progress == .incomplete && bytes.byteCount >= limits.maximumHeadBytes { return fail(.headTooLarge) }
        return progress
    }

    private mutating func fail(_ reason: MalformedResponse) -> ResponseProgress {
        phase = .failed(reason)
        return .malformed(reason)
    }

    private mutating func parse(_ bytes: RawSpan, isAnswerToHEAD: Bool) -> ResponseProgress {
        let end = bytes.byteCount
        while cursor < end {
            switch phase {
            case .version:
                if let answer = parseVersion(bytes) { return answer }
            case .status:
                if let answer = parseStatus(bytes) { return answer }
            case .afterStatus:
                switch bytes.byte(cursor) {
                case ASCII.space:
                    phase = .reason
                    partStart = cursor + 1
                // RFC 9112 §4 wants a SP even before an empty reason. Many servers leave it out, and nothing can be
                // read two ways because of it.
                case ASCII.carriageReturn:
                    phase = .lineFeed
                    head.reason = ByteRange(cursor, cursor)
                case ASCII.lineFeed: return fail(.bareLF)
                default: return fail(.badStatus)
                }
                cursor += 1
            case .reason:
                if let answer = parseReason(bytes) { return answer }
            case .lineFeed:
                if bytes.byte(cursor) != ASCII.lineFeed { return fail(.bareCR) }
                cursor += 1
                scanner = FieldScanner(at: cursor)
                phase = .fields
            case .fields:
                return parseFields(bytes, isAnswerToHEAD: isAnswerToHEAD)
            case .complete:
                return .complete
            case .failed(let reason):
                return .malformed(reason)
            }
        }
        if case .failed(let reason) = phase { return .malformed(reason) }
        return phase == .complete ? .complete : .incomplete
    }

    private mutating func parseVersion(_ bytes: RawSpan) -> ResponseProgress? {
        switch HTTPVersion.read(bytes, from: 0) {
        case .incomplete:
            cursor = bytes.byteCount
            return .incomplete
        case .malformed: return fail(.badVersion)
        case .unsupported: return fail(.unsupportedVersion)
        case .minor(let minor): head.minorVersion = minor
        }
        cursor = HTTPVersion.length
        partStart = cursor
        phase = .status
        return nil
    }

    /// SP and three digits.
    private mutating func parseStatus(_ bytes: RawSpan) -> ResponseProgress? {
        while cursor < min(bytes.byteCount, partStart + 4) {
            let byte = bytes.byte(cursor)
            if cursor == partStart {
                guard byte == ASCII.space else { return fail(byte == ASCII.lineFeed ? .bareLF : .badStatus) }
            } else {
                guard byte.isDigit else { return fail(.badStatus) }
                head.status = head.status * 10 + Int(byte &- ASCII.zero)
            }
            cursor += 1
        }
        guard cursor == partStart + 4 else { return .incomplete }
        guard (100...599).contains(head.status) else { return fail(.badStatus) }
        phase = .afterStatus
        return nil
    }

    private mutating func parseReason(_ bytes: RawSpan) -> ResponseProgress? {
        let limit = partStart + limits.maximumFieldBytes + 1
        cursor = bytes.endOfValue(from: cursor, to: min(bytes.byteCount, limit))
        if cursor >= limit { return fail(.fieldTooLarge) }
        if cursor >= bytes.byteCount { return .incomplete }
        switch bytes.byte(cursor) {
        case ASCII.carriageReturn: break
        case ASCII.lineFeed: return fail(.bareLF)
        default: return fail(.badReason)
        }
        head.reason = ByteRange(partStart, cursor)
        cursor += 1
        phase = .lineFeed
        return nil
    }

    private mutating func parseFields(_ bytes: RawSpan, isAnswerToHEAD: Bool) -> ResponseProgress {
        while true {
            switch scanner.next(bytes, limits: limits) {
            case .incomplete:
                cursor = scanner.cursor
                return .incomplete
            case .field(let field):
                head.fields.append(field)
                if field.kind == .other { continue }
                if let defect = examine(field, in: bytes) { return fail(defect.inResponse) }
            case .end:
                finish(bytes, isAnswerToHEAD: isAnswerToHEAD)
                phase = .complete
                return .complete
            case .malformed(let defect):
                return fail(defect.inResponse)
            }
        }
    }

    /// `Connection` naming an end-to-end field is not refused here, unlike in a request: the upstream gains nothing by
    /// it, and the field is passed on all the same.
    private mutating func examine(_ field: Field, in bytes: RawSpan) -> FieldDefect? {
        if field.kind == .date { head.hasDate = true }
        if field.kind == .connection { return connection.note(field.value, in: bytes) }
        return framing.note(field, in: bytes, minorVersion: head.minorVersion)
    }

    private mutating func finish(_ bytes: RawSpan, isAnswerToHEAD: Bool) {
        cursor = scanner.cursor
        head.length = cursor
        head.framing = framing.ofResponse(status: head.status, isAnswerToHEAD: isAnswerToHEAD)
        head.contentLength = framing.length
        head.keepAlive = connection.keepsAlive(minorVersion: head.minorVersion) && head.framing != .untilClose
        connection.markNominated(&head.fields, in: bytes)
        head.upgrade = connection.upgradeField(in: head.fields, minorVersion: head.minorVersion)
    }
}
