package import NIOCore

/// How far a request head has come.
package enum RequestProgress: Sendable, Equatable {
    /// More bytes are needed.
    case incomplete
    /// `RequestParser.head` is complete; its `length` bytes are still in the buffer.
    case complete
    /// The bytes are no request this gateway reads. Nothing more may be read from the connection (RFC 9112 §9.6).
    case malformed(MalformedRequest)
}

/// Parses one request head after the other, strictly (RFC 9112 §§2-6, RFC 9110 §§5, 7, 10).
///
/// The parser consumes nothing and keeps no byte: hand it the same, grown buffer again until it no longer answers
/// `.incomplete`. It continues where it stopped, so that the total work is linear in the bytes whatever the size of
/// the reads, and it refuses a wrong byte as soon as it is there. The verdict does not depend on how bytes were cut.
///
/// Nothing is allocated once `head.fields` has grown to the number of fields that requests have.
package struct RequestParser: ~Copyable, Sendable {
    private enum Phase: Sendable, Equatable {
        case start, startLineFeed, method, target, version, lineEnd, lineFeed, fields, complete
        case failed(MalformedRequest)
    }

    /// RFC 9112 §2.2 wants one empty line before a request-line ignored; two cover a sloppy client's POST.
    private static let maximumEmptyLines = 2
    /// Longer than any registered method.
    private static let maximumMethodBytes = 32

    /// The head; complete and valid only after `parse` answered `.complete`.
    package private(set) var head = RequestHead()

    private let limits: HeadLimits
    private var phase = Phase.start
    private var cursor = 0
    private var partStart = 0
    private var emptyLines = 0
    private var scanner = FieldScanner()
    private var framing = MessageFraming()
    private var connection = ConnectionOptions()
    private var host: Int?
    private var expect: Int?

    /// A parser that waits for a request.
    package init(limits: HeadLimits = HeadLimits()) {
        self.limits = limits
    }

    /// Makes the parser ready for the next request; storage is kept.
    package mutating func reset() {
        head.reset()
        phase = .start
        cursor = 0
        partStart = 0
        emptyLines = 0
        scanner = FieldScanner()
        framing = MessageFraming()
        connection = ConnectionOptions()
        host = nil
        expect = nil
    }

    /// Whether nothing of a request has been seen yet: a connection closed now ends in good order.
    package var isIdle: Bool {
        switch phase {
        case .start, .startLineFeed: true
        case .method, .target, .version, .lineEnd, .lineFeed, .fields, .complete, .failed: false
        }
    }

    /// Parses on from where the last call stopped.
    ///
    /// - Parameter buffer: its readable bytes begin with the head's first byte, on every call for this head the same.
    /// - Returns: once the head is complete or malformed, the same answer until `reset()`.
    package mutating func parse(_ buffer: borrowing ByteBuffer) -> RequestProgress {
        let available = buffer.readableBytesSpan
        let bytes = available.extracting(first: limits.maximumHeadBytes)
        let progress = parse(bytes)
        if progress == .incomplete && bytes.byteCount >= limits.maximumHeadBytes { return fail(.headTooLarge) }
        return progress
    }

    private mutating func fail(_ reason: MalformedRequest) -> RequestProgress {
        phase = .failed(reason)
        return .malformed(reason)
    }

    private mutating func parse(_ bytes: RawSpan) -> RequestProgress {
        let end = bytes.byteCount
        while cursor < end {
            switch phase {
            case .start:
                if bytes.byte(cursor) == ASCII.carriageReturn {
                    if emptyLines == Self.maximumEmptyLines { return fail(.tooManyEmptyLines) }
                    phase = .startLineFeed
                    cursor += 1
                } else {
                    partStart = cursor
                    phase = .method
                }
            case .startLineFeed:
                if bytes.byte(cursor) != ASCII.lineFeed { return fail(.bareCR) }
                emptyLines += 1
                cursor += 1
                phase = .start
            case .method:
                if let answer = parseMethod(bytes) { return answer }
            case .target:
                if let answer = parseTarget(bytes) { return answer }
            case .version:
                if let answer = parseVersion(bytes) { return answer }
            case .lineEnd:
                switch bytes.byte(cursor) {
                case ASCII.carriageReturn: phase = .lineFeed
                case ASCII.lineFeed: return fail(.bareLF)
                default: return fail(.badVersion)
                }
                cursor += 1
            case .lineFeed:
                if bytes.byte(cursor) != ASCII.lineFeed { return fail(.bareCR) }
                cursor += 1
                scanner = FieldScanner(at: cursor)
                phase = .fields
            case .fields:
                return parseFields(bytes)
            case .complete:
                return .complete
            case .failed(let reason):
                return .malformed(reason)
            }
        }
        if case .failed(let reason) = phase { return .malformed(reason) }
        return phase == .complete ? .complete : .incomplete
    }

    private mutating func parseMethod(_ bytes: RawSpan) -> RequestProgress? {
        let limit = partStart + Self.maximumMethodBytes + 1
        var hasUnderscore = false
        cursor = bytes.endOfToken(from: cursor, to: min(bytes.byteCount, limit), hasUnderscore: &hasUnderscore)
        if cursor >= limit { return fail(.methodTooLong) }
        if cursor >= bytes.byteCount { return .incomplete }
        if bytes.byte(cursor) == ASCII.lineFeed { return fail(.bareLF) }
        guard bytes.byte(cursor) == ASCII.space, cursor > partStart else { return fail(.badMethod) }
        head.methodRange = ByteRange(partStart, cursor)
        head.method = Method(head.methodRange, in: bytes)
        cursor += 1
        partStart = cursor
        phase = .target
        return nil
    }

    private mutating func parseTarget(_ bytes: RawSpan) -> RequestProgress? {
        let limit = partStart + limits.maximumTargetBytes + 1
        cursor = bytes.endOfTarget(from: cursor, to: min(bytes.byteCount, limit))
        if cursor >= limit { return fail(.targetTooLong) }
        if cursor >= bytes.byteCount { return .incomplete }
        switch bytes.byte(cursor) {
        case ASCII.space: break
        case ASCII.lineFeed: return fail(.bareLF)
        // A line that ends here has no version: HTTP/0.9, or something else.
        case ASCII.carriageReturn: return fail(.badVersion)
        default: return fail(.badTarget)
        }
        head.target = ByteRange(partStart, cursor)
        if !head.readTarget(bytes) { return fail(.badTarget) }
        cursor += 1
        partStart = cursor
        phase = .version
        return nil
    }

    private mutating func parseVersion(_ bytes: RawSpan) -> RequestProgress? {
        switch HTTPVersion.read(bytes, from: partStart) {
        case .incomplete:
            cursor = bytes.byteCount
            return .incomplete
        case .malformed: return fail(bytes.byte(partStart) == ASCII.lineFeed ? .bareLF : .badVersion)
        case .unsupported: return fail(.unsupportedVersion)
        case .minor(let minor): head.minorVersion = minor
        }
        // Known only now, so that the preface of HTTP/2, `PRI * HTTP/2.0`, is refused for its version.
        if head.form == .asterisk && head.method != .options { return fail(.badTarget) }
        cursor = partStart + HTTPVersion.length
        phase = .lineEnd
        return nil
    }

    private mutating func parseFields(_ bytes: RawSpan) -> RequestProgress {
        while true {
            switch scanner.next(bytes, limits: limits) {
            case .incomplete:
                cursor = scanner.cursor
                return .incomplete
            case .field(let field):
                head.fields.append(field)
                if field.kind == .other { continue }
                if let reason = examine(field, at: head.fields.count - 1, in: bytes) { return fail(reason) }
            case .end:
                if let reason = finish(bytes) { return fail(reason) }
                phase = .complete
                return .complete
            case .malformed(let defect):
                return fail(defect.inRequest)
            }
        }
    }

    /// Looks at a field that means something to the gateway, as soon as its line is complete.
    private mutating func examine(_ field: Field, at index: Int, in bytes: RawSpan) -> MalformedRequest? {
        switch field.kind {
        case .host:
            if host != nil { return .duplicateHost }
            host = index
            if !Authority.isValid(field.value, in: bytes) { return .badHost }
            if head.form == .absolute {
                return bytes.equalsIgnoringCase(head.authority, field.value) ? nil : .hostMismatch
            }
            head.authority = field.value
        case .contentLength, .transferEncoding:
            return framing.note(field, in: bytes, minorVersion: head.minorVersion)?.inRequest
        case .connection:
            if let defect = connection.note(field.value, in: bytes) { return defect.inRequest }
            if connection.namesProtectedField { return .protectedFieldNominated }
        case .expect:
            if expect != nil { return .duplicateExpect }
            expect = index
            // RFC 9110 §10.1.1: an HTTP/1.0 request cannot wait for 100; the expectation is ignored there.
            if !bytes.equalsIgnoringCase(field.value, "100-continue") { return .unsupportedExpectation }
        case .authorization:
            if head.authorization != nil { return .duplicateAuthorization }
            head.authorization = index
        case .apiToken:
            if head.apiToken != nil { return .duplicateAPIToken }
            head.apiToken = index
        case .requestID:
            if head.requestID == nil { head.requestID = index }
        case .traceparent:
            if head.traceparent == nil { head.traceparent = index }
        case .te:
            if bytes.lists("trailers", in: field.value) { head.acceptsTrailers = true }
        case .other, .keepAlive, .proxyConnection, .trailer, .upgrade, .proxyAuthorization, .proxyAuthenticate, .cookie,
            .forwarded, .xForwardedFor, .xForwardedHost, .xForwardedProto, .xForwardedPort,
            .xForwardedOther, .xRealIP, .tracestate, .identity, .rewriteURL, .alias, .setCookie, .date, .server,
            .rateLimit, .retryAfter, .wwwAuthenticate, .via:
            break
        }
        return nil
    }

    /// What can only be said once all fields are there.
    private mutating func finish(_ bytes: RawSpan) -> MalformedRequest? {
        if host == nil && head.minorVersion == 1 { return .missingHost }
        cursor = scanner.cursor
        head.length = cursor
        head.framing = framing.ofRequest
        head.keepAlive = connection.keepsAlive(minorVersion: head.minorVersion)
        connection.markNominated(&head.fields, in: bytes)
        head.upgrade = connection.upgradeField(in: head.fields, minorVersion: head.minorVersion)
        head.expectsContinue =
            expect != nil && head.minorVersion == 1 && head.framing != .none && head.framing != .length(0)
        return nil
    }
}
