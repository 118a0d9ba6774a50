package import NIOCore
import Wire

/// One HTTP/2 connection (RFC 9113), on the side of the server or of the client.
///
/// Sans-IO. Bytes go in through `receive`, events come out of `next` one at a time, frames to send gather in `output`. Messages
/// come out as HTTP/1.1 heads, content and trailer lines, and are handed in as parsed HTTP/1.1 heads, content and trailer lines:
/// above here nobody knows that a stream is not a connection of its own.
///
/// A peer can make it hold: one frame, one header block of at most `maximumHeaderListSize`, the state of
/// `maximumConcurrentStreams` streams, and `maximumControlBytes` of frames that wait to be sent. Content is handed over as it
/// comes, and no more than the windows say comes before `consume` was called for it.
///
/// Not copyable: it is its owner's property, and the optimiser copied all of it, two dozen references, to read one field.
package struct HTTP2ConnectionMachine: ~Copyable, Sendable {
    package enum Role: Sendable {
        case server, client
    }

    /// A message that began.
    package struct Message: Sendable {
        package let stream: UInt32
        /// The head as HTTP/1.1.
        package let head: ByteBuffer
        /// Whether its content goes in chunks in HTTP/1.1.
        package let isChunked: Bool
        /// Whether nothing follows: an `.end` event does.
        package let endsStream: Bool
        /// Whether it is a request of method HEAD.
        package let isHEAD: Bool
    }

    package enum Event: Sendable {
        /// Nothing more can be said before more bytes are there.
        case more
        /// A request (server) or an answer, interim ones included (client).
        case message(Message)
        /// A request whose header list, in a block of so many octets, is over the bound. The stream is open and waits for an answer.
        case oversized(stream: UInt32, isHEAD: Bool, octets: Int)
        /// Content. Call `consume` for its bytes.
        case data(stream: UInt32, ByteBuffer)
        /// The peer's message is whole. The lines of its trailer section, each with its end, when there is one.
        case end(stream: UInt32, trailers: ByteBuffer?)
        /// A new stream was no request, in a header block of so many octets. It is reset already.
        case malformed(stream: UInt32, octets: Int)
        /// A new stream was one too many, or came after GOAWAY. It is reset already, and may be sent again elsewhere.
        case refused(stream: UInt32)
        /// An open stream is gone: the peer has reset it, or else has done something wrong on it.
        case reset(stream: UInt32, HTTP2ErrorCode, byPeer: Bool)
        /// More may be sent on a stream; on all of them when it is 0.
        case windowOpened(stream: UInt32)
        /// The peer takes no streams above this one.
        case goAway(lastStream: UInt32, HTTP2ErrorCode)
        /// The connection is over: send `output`, then close.
        case failed(HTTP2Error)
    }

    enum Phase: Sendable {
        case preface, firstSettings, open, failed
    }

    enum Draining: Sendable {
        case no
        /// GOAWAY with no last stream is sent; the answer to a PING says when the peer has seen it (§6.8).
        case announced
        /// The last stream is told.
        case final(lastStream: UInt32)
    }

    /// A header block that waits for its CONTINUATIONs.
    struct OpenBlock: Sendable {
        var stream: UInt32
        var flags: FrameFlags
        var fragments: ByteBuffer
        var dependsOnItself: Bool
    }

    struct StreamState: Sendable {
        /// Whether the peer may still send a message, or the rest of one.
        var isRemoteOpen = true
        var isLocalOpen = true
        var sendWindow: Int
        var receiveWindow: Int
        /// Consumed, and not yet told to the peer.
        var owed = 0
        /// Content that is still to come, when its length was announced.
        var remaining: Int64?
        /// The request was HEAD (client: was sent, server: has come).
        var isHEAD = false
        /// Client: whether the final answer's head has come.
        var hasFinalHead = false
    }

    let role: Role
    let limits: HTTP2Limits
    var phase: Phase
    var draining = Draining.no
    var inbound = ByteBuffer()
    /// Frames to be sent. The owner takes them and clears the buffer.
    package var output = ByteBuffer()
    var peer = PeerSettings()
    var decoder = HPACKDecoder()
    var encoder = HPACKEncoder()
    var list: HeaderList
    var block: OpenBlock?
    var streams = StreamTable<StreamState>()
    var closed = ClosedStreams()
    var budget = FloodBudget()
    /// The highest stream the peer has opened (server) or we have (client).
    package internal(set) var highestStream: UInt32 = 0
    var sendWindow = 65535
    var receiveWindow: Int
    var owed = 0
    /// An event that follows the one before.
    var following: Event?
    var head = ByteBuffer()
    var lowerName: [UInt8] = []

    package init(role: Role, limits: HTTP2Limits) {
        self.role = role
        self.limits = limits
        self.phase = role == .server ? .preface : .firstSettings
        self.list = HeaderList(maximumSize: limits.maximumHeaderListSize, maximumFields: limits.maximumFields)
        self.receiveWindow = limits.connectionWindow
        if role == .client { output.writeStaticString(Self.preface) }
        output.writeSettings(ownSettings)
        // The window of the connection has no parameter of its own (§6.9.2).
        if limits.connectionWindow > 65535 { output.writeWindowUpdate(0, limits.connectionWindow - 65535) }
    }

    private var ownSettings: [(SettingIdentifier, UInt32)] {
        var settings: [(SettingIdentifier, UInt32)] = [
            (.initialWindowSize, UInt32(clamping: limits.streamWindow)),
            (.maximumHeaderListSize, UInt32(clamping: limits.maximumHeaderListSize)),
        ]
        switch role {
        case .server: settings.append((.maximumConcurrentStreams, UInt32(clamping: limits.maximumConcurrentStreams)))
        case .client: settings.append((.enablePush, 0))
        }
        return settings
    }

    /// RFC 9113 §3.4.
    package static let preface: StaticString = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

    // MARK: What is so

    /// Streams that are open on either side.
    package var openStreams: Int { streams.count }

    /// Whether a stream is open on either side.
    package func isOpen(_ stream: UInt32) -> Bool { streams[stream] != nil }

    /// Whether something may still be said on a stream.
    package func isLocalOpen(_ stream: UInt32) -> Bool { streams[stream]?.isLocalOpen ?? false }

    /// Whether the peer has kept to the beginning: its preface and its SETTINGS have come.
    package var isEstablished: Bool {
        switch phase {
        case .preface, .firstSettings: false
        case .open, .failed: true
        }
    }

    /// Whether a header block has begun and not ended.
    package var isInHeaderBlock: Bool { block != nil }

    /// Whether nothing more will be done on this connection: it has failed, or was drained.
    package var isDone: Bool {
        if case .failed = phase { return true }
        if case .final = draining { return streams.count == 0 }
        return false
    }

    /// Whether we have said that the connection comes to its end.
    package var isDraining: Bool {
        switch draining {
        case .no: false
        case .announced, .final: true
        }
    }

    // MARK: Input

    /// Takes bytes of the peer; `now` in monotonic nanoseconds. Then call `next` until it answers `.more` or `.failed`.
    package mutating func receive(_ bytes: ByteBuffer, now: Int64) {
        budget.refill(now: now)
        if inbound.readableBytes == 0 { inbound = bytes } else { inbound.writeBytes(bytes.readableBytesSpan) }
    }

    /// What the bytes say next.
    package mutating func next() -> Event {
        if let event = following {
            following = nil
            return event
        }
        while true {
            do {
                if let event = try step() { return event }
            } catch {
                if let event = fail(error) { return event }
            }
        }
    }

    /// One frame; nil when it has nothing to say to the owner.
    private mutating func step() throws(HTTP2Error) -> Event? {
        switch phase {
        case .failed:
            inbound = ByteBuffer()
            return .more
        case .preface:
            return try readPreface() ? nil : .more
        case .firstSettings, .open:
            break
        }
        guard let header = FrameHeader(inbound.readableBytesUInt8Span) else { return more() }
        guard header.length <= HTTP2Limits.maximumFrameSize else {
            throw .connection(.frameSizeError, "A frame is too long.")
        }
        guard inbound.readableBytes >= FrameHeader.size + header.length else { return more() }
        inbound.moveReaderIndex(forwardBy: FrameHeader.size)
        guard let payload = inbound.readSlice(length: header.length) else { return more() }
        // §6.2: nothing may stand between the parts of a header block.
        if let block, header.type != .continuation || header.stream != block.stream {
            throw .connection(.protocolError, "Another frame stands within a header block.")
        }
        try header.check(maximumLength: HTTP2Limits.maximumFrameSize)
        if case .firstSettings = phase {
            guard header.type == .settings, !header.flags.contains(.ack) else {
                throw .connection(.protocolError, "The first frame is not SETTINGS.")
            }
            phase = .open
        }
        return try received(header, payload)
    }

    private mutating func received(_ header: FrameHeader, _ payload: ByteBuffer) throws(HTTP2Error) -> Event? {
        switch header.type {
        case .data: return try receivedData(header, payload)
        case .headers: return try receivedHeaders(header, payload)
        case .continuation: return try receivedContinuation(header, payload)
        case .priority:
            try spend()
            if payload.readableBytesUInt8Span.integer(at: 0) & 0x7FFF_FFFF == header.stream {
                try failDependency(of: header.stream)
            }
        case .resetStream: return try receivedReset(header.stream, payload)
        case .settings: return try receivedSettings(header, payload)
        case .pushPromise: throw .connection(.protocolError, "PUSH_PROMISE was not asked for.")
        case .ping: try receivedPing(header, payload)
        case .goAway:
            try spend()
            let octets = payload.readableBytesUInt8Span
            return .goAway(
                lastStream: octets.integer(at: 0) & 0x7FFF_FFFF, HTTP2ErrorCode(received: octets.integer(at: 4)))
        case .windowUpdate: return try receivedWindowUpdate(header.stream, payload)
        case nil: try spend()
        }
        return nil
    }

    private mutating func readPreface() throws(HTTP2Error) -> Bool {
        let count = Self.preface.utf8CodeUnitCount
        let begun = inbound
        let octets = begun.readableBytesUInt8Span
        // Unsafe: read below `utf8CodeUnitCount`, the length of the literal it points at.
        let expected = unsafe UnsafeBufferPointer(start: Self.preface.utf8Start, count: count)
        for index in 0..<min(count, octets.count) where unsafe octets[index] != expected[index] {
            throw .connection(.protocolError, "The connection does not begin with the preface of HTTP/2.")
        }
        guard octets.count >= count else {
            _ = more()
            return false
        }
        inbound.moveReaderIndex(forwardBy: count)
        phase = .firstSettings
        return true
    }

    /// What is left waits: it moves out of the receive buffer, which all connections of a loop share.
    private mutating func more() -> Event {
        let count = inbound.readableBytes
        if count == 0 {
            inbound = ByteBuffer()
        } else if inbound.storageCapacity > 2 * count + 4096 {
            var kept = ByteBufferAllocator().buffer(capacity: count)
            kept.writeBytes(inbound.readableBytesSpan)
            inbound = kept
        }
        return .more
    }

    // MARK: Errors

    /// Takes for a frame that brings nothing.
    mutating func spend(_ count: Int = 1) throws(HTTP2Error) {
        guard budget.spendFrame(count) else {
            throw .connection(.enhanceYourCalm, "There are too many frames that bring nothing.")
        }
        guard output.readableBytes <= limits.maximumControlBytes || !isBlocked else {
            throw .connection(.enhanceYourCalm, "Too many frames wait for a peer that does not read.")
        }
    }

    /// Whether the owner cannot send what is in `output`; it says so.
    package var isBlocked = false

    static let tooManyBroken = HTTP2Error.connection(.enhanceYourCalm, "There are too many broken streams.")

    mutating func fail(_ error: HTTP2Error) -> Event? {
        switch error {
        case .connection(let code, _):
            phase = .failed
            output.writeGoAway(lastStream: role == .server ? highestStream : 0, code)
            inbound = ByteBuffer()
            block = nil
            return .failed(error)
        case .stream(let stream, let code, _):
            return failStream(stream, code)
        }
    }

    /// A stream error of the peer's: it costs as much as a reset of its own would (CVE-2025-8671).
    private mutating func failStream(_ stream: UInt32, _ code: HTTP2ErrorCode) -> Event? {
        output.writeResetStream(stream, code)
        let wasOpen = streams[stream] != nil
        if wasOpen { remove(stream, .resetByUs) }
        if !budget.spendReset() {
            let failure = fail(Self.tooManyBroken)
            guard wasOpen else { return failure }
            following = failure
        }
        return wasOpen ? .reset(stream: stream, code, byPeer: false) : nil
    }

    mutating func remove(_ stream: UInt32, _ ending: ClosedStreams.Ending) {
        streams[stream] = nil
        closed.note(stream, ending)
        if ending == .finished { budget.exchangeFinished() }
    }

    /// Whether the stream was never used.
    func isIdle(_ stream: UInt32) -> Bool {
        // Streams of even numbers are the server's to open, which never happens.
        stream & 1 == 0 || stream > highestStream
    }
}
