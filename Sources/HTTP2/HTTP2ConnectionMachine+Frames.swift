import NIOCore

/// What frames other than those of header blocks do (RFC 9113 §6).
extension HTTP2ConnectionMachine {
    // MARK: DATA (§6.1)

    mutating func receivedData(_ header: FrameHeader, _ payload: ByteBuffer) throws(HTTP2Error) -> Event? {
        var content = payload
        let stream = header.stream
        if isIdle(stream) { throw .connection(.protocolError, "DATA is on a stream that was not opened.") }
        // Padding counts like content (§6.9.1), whatever becomes of the stream.
        receiveWindow -= header.length
        guard receiveWindow >= 0 else {
            throw .connection(.flowControlError, "The connection's window was exceeded.")
        }
        try removePadding(header, &content)
        let padding = header.length - content.readableBytes
        consumeOnConnection(padding)
        guard let state = streams[stream] else {
            consumeOnConnection(content.readableBytes)
            try checkClosed(stream)
            return nil
        }
        guard state.isRemoteOpen, role == .server || state.hasFinalHead else {
            consumeOnConnection(content.readableBytes)
            throw .stream(stream, .streamClosed, "DATA follows the end of the stream, or comes before its head.")
        }
        let endsStream = header.flags.contains(.endStream)
        do {
            try take(content.readableBytes, ending: endsStream, ofLength: header.length, on: stream)
        } catch {
            consumeOnConnection(content.readableBytes)
            throw error
        }
        if padding > 0 { consumeOnStream(stream, padding) }
        if endsStream { following = endRemote(stream, trailers: nil) }
        guard content.readableBytes > 0 else {
            if !endsStream { try spend() }
            return takeFollowing()
        }
        budget.received(content.readableBytes)
        // A connection to a server belongs to many clients: one that does not take its answer holds back its own stream, and
        // with it at most the stream's window, but not the others (§5.2.2, §10.5).
        if role == .client { consumeOnConnection(content.readableBytes) }
        return .data(stream: stream, content)
    }

    /// Counts content against the stream's window and the length that was announced (§8.1.1).
    private mutating func take(
        _ count: Int, ending: Bool, ofLength length: Int, on stream: UInt32
    ) throws(HTTP2Error) {
        guard var state = streams[stream] else { return }
        state.receiveWindow -= length
        guard state.receiveWindow >= 0 else {
            throw .stream(stream, .flowControlError, "The stream's window was exceeded.")
        }
        if let remaining = state.remaining {
            let rest = remaining - Int64(count)
            guard rest >= 0, !ending || rest == 0 else {
                throw .stream(stream, .protocolError, "The content is not as long as Content-Length says.")
            }
            state.remaining = rest
        }
        streams[stream] = state
    }

    func removePadding(_ header: FrameHeader, _ payload: inout ByteBuffer) throws(HTTP2Error) {
        guard header.flags.contains(.padded) else { return }
        guard let count: UInt8 = payload.readInteger() else {
            throw .connection(.frameSizeError, "The frame is too short for the length of its padding.")
        }
        guard Int(count) <= payload.readableBytes else {
            throw .connection(.protocolError, "The padding is longer than the frame.")
        }
        payload = payload.getSlice(at: payload.readerIndex, length: payload.readableBytes - Int(count)) ?? payload
    }

    private mutating func takeFollowing() -> Event? {
        let event = following
        following = nil
        return event
    }

    /// The peer has said END_STREAM.
    mutating func endRemote(_ stream: UInt32, trailers: ByteBuffer?) -> Event {
        if let isOver = streams.update(
            stream,
            { state in
                state.isRemoteOpen = false
                return !state.isLocalOpen
            }), isOver
        {
            remove(stream, .finished)
        }
        return .end(stream: stream, trailers: trailers)
    }

    /// A frame came for a stream that is over. One that we have reset may have crossed it.
    mutating func checkClosed(_ stream: UInt32) throws(HTTP2Error) {
        switch closed.ending(of: stream) {
        case .resetByUs: try spend()
        case .finished, .resetByPeer, nil: throw .connection(.streamClosed, "A frame is on a stream that is over.")
        }
    }

    // MARK: PRIORITY (§5.3.1 of RFC 7540; RFC 9113 only keeps the frame)

    mutating func failDependency(of stream: UInt32) throws(HTTP2Error) {
        guard streams[stream] != nil else {
            throw .connection(.protocolError, "A stream depends on itself.")
        }
        throw .stream(stream, .protocolError, "A stream depends on itself.")
    }

    // MARK: RST_STREAM (§6.4)

    mutating func receivedReset(_ stream: UInt32, _ payload: ByteBuffer) throws(HTTP2Error) -> Event? {
        if isIdle(stream) { throw .connection(.protocolError, "RST_STREAM is on a stream that was not opened.") }
        try spend()
        guard streams[stream] != nil else { return nil }
        remove(stream, .resetByPeer)
        guard role == .client || budget.spendReset() else {
            throw .connection(.enhanceYourCalm, "There are too many resets.")
        }
        let code = HTTP2ErrorCode(received: payload.readableBytesUInt8Span.integer(at: 0))
        return .reset(stream: stream, code, byPeer: true)
    }

    // MARK: SETTINGS (§6.5)

    mutating func receivedSettings(_ header: FrameHeader, _ payload: ByteBuffer) throws(HTTP2Error) -> Event? {
        try spend(2)
        guard !header.flags.contains(.ack) else { return nil }
        var rest = payload
        var hasOpened = false
        while let raw: UInt16 = rest.readInteger(), let value: UInt32 = rest.readInteger() {
            guard let identifier = SettingIdentifier(rawValue: raw) else { continue }
            let window = peer.initialWindowSize
            try peer.take(identifier, value, fromClient: role == .server)
            switch identifier {
            case .headerTableSize: encoder.setMaximumTableSize(peer.headerTableSize)
            case .initialWindowSize:
                try adjustWindows(by: peer.initialWindowSize - window)
                hasOpened = peer.initialWindowSize > window
            case .enablePush, .maximumConcurrentStreams, .maximumFrameSize, .maximumHeaderListSize: break
            }
        }
        output.writeSettingsAck()
        return hasOpened ? .windowOpened(stream: 0) : nil
    }

    /// §6.9.2: windows may become negative by it, and none larger than the maximum.
    private mutating func adjustWindows(by difference: Int) throws(HTTP2Error) {
        guard difference != 0 else { return }
        var isTooLarge = false
        streams.updateAll { state in
            state.sendWindow += difference
            if state.sendWindow > FlowWindow.maximum { isTooLarge = true }
        }
        if isTooLarge {
            throw .connection(.flowControlError, "SETTINGS_INITIAL_WINDOW_SIZE makes a window too large.")
        }
    }

    // MARK: PING (§6.7)

    /// The payload of our own PING, which asks whether the peer has seen that we are going away.
    static let drainPing: UInt64 = 0x746F_6C6C_6761_7465

    mutating func receivedPing(_ header: FrameHeader, _ payload: ByteBuffer) throws(HTTP2Error) {
        try spend()
        var payload = payload
        let value = payload.readInteger(as: UInt64.self) ?? 0
        guard header.flags.contains(.ack) else {
            return output.writePing(value, isAck: true)
        }
        if case .announced = draining, value == Self.drainPing { finishDraining() }
    }

    // MARK: WINDOW_UPDATE (§6.9)

    mutating func receivedWindowUpdate(_ stream: UInt32, _ payload: ByteBuffer) throws(HTTP2Error) -> Event? {
        let increment = Int(payload.readableBytesUInt8Span.integer(at: 0) & 0x7FFF_FFFF)
        if stream != 0, isIdle(stream) {
            throw .connection(.protocolError, "WINDOW_UPDATE is on a stream that was not opened.")
        }
        guard increment > 0 else {
            guard stream != 0, streams[stream] != nil else {
                throw .connection(.protocolError, "WINDOW_UPDATE adds nothing.")
            }
            throw .stream(stream, .protocolError, "WINDOW_UPDATE adds nothing.")
        }
        try spend()
        if stream == 0 {
            let wasShut = sendWindow <= 0
            sendWindow += increment
            guard sendWindow <= FlowWindow.maximum else {
                throw .connection(.flowControlError, "The connection's window is too large.")
            }
            return wasShut ? .windowOpened(stream: 0) : nil
        }
        let window = streams.update(stream) { state in
            let before = state.sendWindow
            state.sendWindow += increment
            return (before, state.sendWindow)
        }
        // The stream may have ended meanwhile (§5.1).
        guard let (before, after) = window else { return nil }
        guard after <= FlowWindow.maximum else {
            throw .stream(stream, .flowControlError, "The stream's window is too large.")
        }
        return before <= 0 && after > 0 ? .windowOpened(stream: stream) : nil
    }

    // MARK: Windows of ours

    /// The owner has taken so many bytes of a stream's content: the peer may send as many more. It is told in portions, so
    /// that not every DATA frame is answered.
    package mutating func consume(_ count: Int, of stream: UInt32) {
        if role == .server { consumeOnConnection(count) }
        consumeOnStream(stream, count)
    }

    private mutating func consumeOnConnection(_ count: Int) {
        owed += count
        guard owed >= limits.connectionWindow / 2, phase != .failed else { return }
        receiveWindow += owed
        output.writeWindowUpdate(0, owed)
        owed = 0
    }

    private mutating func consumeOnStream(_ stream: UInt32, _ count: Int) {
        // Who has been answered is not asked for more.
        guard var state = streams[stream], state.isRemoteOpen, role == .client || state.isLocalOpen else { return }
        state.owed += count
        if state.owed >= limits.streamWindow / 2 {
            state.receiveWindow += state.owed
            output.writeWindowUpdate(stream, state.owed)
            state.owed = 0
        }
        streams[stream] = state
    }
}
