import NIOCore
import Wire

/// Header blocks (RFC 9113 §4.3, §6.2, §6.10) and the messages they begin or end (§8).
extension HTTP2ConnectionMachine {
    mutating func receivedHeaders(_ header: FrameHeader, _ payload: ByteBuffer) throws(HTTP2Error) -> Event? {
        var fragment = payload
        try removePadding(header, &fragment)
        var dependsOnItself = false
        if header.flags.contains(.priority) {
            guard let dependency: UInt32 = fragment.readInteger(), fragment.readInteger(as: UInt8.self) != nil else {
                throw .connection(.frameSizeError, "HEADERS is too short for its priority.")
            }
            dependsOnItself = dependency & 0x7FFF_FFFF == header.stream
        }
        try checkHeaders(on: header.stream)
        guard header.flags.contains(.endHeaders) else {
            // Kept apart from the buffer it came in, which the next frames come in as well.
            var kept = ByteBufferAllocator().buffer(capacity: fragment.readableBytes)
            kept.writeBytes(fragment.readableBytesSpan)
            block = OpenBlock(
                stream: header.stream, flags: header.flags, fragments: kept, dependsOnItself: dependsOnItself)
            return nil
        }
        return try finishBlock(header.stream, header.flags, fragment, dependsOnItself)
    }

    /// What is wrong whatever the block says.
    private func checkHeaders(on stream: UInt32) throws(HTTP2Error) {
        guard stream & 1 == 1 else {
            throw .connection(.protocolError, "A stream of the client's has an even number.")
        }
        switch role {
        case .client:
            guard stream <= highestStream else {
                throw .connection(.protocolError, "An answer is on a stream that was not opened.")
            }
        case .server:
            guard stream <= highestStream, streams[stream] == nil else { return }
            switch closed.ending(of: stream) {
            case .resetByUs: break
            case .finished, .resetByPeer: throw .connection(.streamClosed, "HEADERS is on a stream that is over.")
            case nil: throw .connection(.protocolError, "A stream has a lower number than the one before.")
            }
        }
    }

    mutating func receivedContinuation(_ header: FrameHeader, _ payload: ByteBuffer) throws(HTTP2Error) -> Event? {
        guard var open = block else {
            throw .connection(.protocolError, "CONTINUATION continues nothing.")
        }
        try spend()
        guard open.fragments.readableBytes + payload.readableBytes <= limits.maximumBlockBytes else {
            throw .connection(.enhanceYourCalm, "A header block is too long.")
        }
        block = nil
        open.fragments.writeBytes(payload.readableBytesSpan)
        guard header.flags.contains(.endHeaders) else {
            block = open
            return nil
        }
        return try finishBlock(open.stream, open.flags, open.fragments, open.dependsOnItself)
    }

    /// A block is whole. It is decoded in any case: the blocks behind it depend on it (§4.3).
    private mutating func finishBlock(
        _ stream: UInt32, _ flags: FrameFlags, _ fragments: ByteBuffer, _ dependsOnItself: Bool
    ) throws(HTTP2Error) -> Event? {
        try decoder.decode(fragments.readableBytesUInt8Span, into: &list)
        let endsStream = flags.contains(.endStream)
        if let state = streams[stream] {
            if dependsOnItself { throw .stream(stream, .protocolError, "A stream depends on itself.") }
            guard state.isRemoteOpen else {
                throw .stream(stream, .streamClosed, "HEADERS follows the end of the stream.")
            }
            switch role {
            case .client where !state.hasFinalHead: return try receivedAnswer(stream, state, endsStream)
            case .client, .server: return try receivedTrailers(stream, state, endsStream)
            }
        }
        switch role {
        case .client:
            try spend()
            return nil
        case .server:
            guard stream > highestStream else {
                // Trailers of a stream that we have reset meanwhile.
                try spend()
                return nil
            }
            return try openStream(stream, endsStream, dependsOnItself, octets: fragments.readableBytes)
        }
    }

    private mutating func openStream(
        _ stream: UInt32, _ endsStream: Bool, _ dependsOnItself: Bool, octets: Int
    ) throws(HTTP2Error) -> Event? {
        highestStream = stream
        let isOver = if case .final(let last) = draining { stream > last } else { false }
        guard streams.count < limits.maximumConcurrentStreams, !isOver else {
            // §5.1.2, §6.8: not looked at, and safe to send again elsewhere.
            output.writeResetStream(stream, .refusedStream)
            closed.note(stream, .resetByUs)
            try spend(5)
            return .refused(stream: stream)
        }
        guard !list.isTooLarge else { return try openOversized(stream, endsStream, octets: octets) }
        let fields: RequestFields
        do throws(HTTP2Error) {
            if dependsOnItself { throw HTTP2Error.stream(stream, .protocolError, "A stream depends on itself.") }
            fields = try RequestFields(list, stream: stream, endsStream: endsStream)
        } catch {
            output.writeResetStream(stream, error.code)
            closed.note(stream, .resetByUs)
            if !budget.spendReset() { following = fail(Self.tooManyBroken) }
            return .malformed(stream: stream, octets: octets)
        }
        var state = StreamState(sendWindow: peer.initialWindowSize, receiveWindow: limits.streamWindow)
        state.remaining = fields.contentLength
        state.isHEAD = fields.isHEAD
        streams[stream] = state
        head.clear()
        fields.write(list, endsStream: endsStream, namesHTTPS: limits.namesHTTPS, to: &head)
        if endsStream { following = endRemote(stream, trailers: nil) }
        return .message(
            Message(
                stream: stream, head: head, isChunked: fields.isChunked(endsStream: endsStream),
                endsStream: endsStream, isHEAD: fields.isHEAD))
    }

    private mutating func openOversized(
        _ stream: UInt32, _ endsStream: Bool, octets: Int
    ) throws(HTTP2Error) -> Event? {
        try spend(5)
        var state = StreamState(sendWindow: peer.initialWindowSize, receiveWindow: limits.streamWindow)
        state.isHEAD = list.asksForHEAD
        streams[stream] = state
        if endsStream { following = endRemote(stream, trailers: nil) }
        return .oversized(stream: stream, isHEAD: state.isHEAD, octets: octets)
    }

    private mutating func receivedTrailers(
        _ stream: UInt32, _ state: StreamState, _ endsStream: Bool
    ) throws(HTTP2Error) -> Event? {
        guard endsStream else {
            throw .stream(stream, .protocolError, "A second head does not end the stream.")
        }
        guard !list.isTooLarge else {
            throw .stream(stream, .enhanceYourCalm, "The trailer section is too large.")
        }
        guard state.remaining ?? 0 == 0 else {
            throw .stream(stream, .protocolError, "The content is shorter than Content-Length says.")
        }
        var lines = ByteBuffer()
        try TrailerFields.write(list, stream: stream, to: &lines)
        return endRemote(stream, trailers: lines)
    }

    private mutating func receivedAnswer(
        _ stream: UInt32, _ state: StreamState, _ endsStream: Bool
    ) throws(HTTP2Error) -> Event? {
        guard !list.isTooLarge else {
            throw .stream(stream, .enhanceYourCalm, "The head of the answer is too large.")
        }
        let fields = try AnswerFields(list, stream: stream, isAnswerToHEAD: state.isHEAD, endsStream: endsStream)
        var state = state
        if fields.isInterim {
            try spend()
        } else {
            state.hasFinalHead = true
            state.remaining = fields.remaining
        }
        streams[stream] = state
        head.clear()
        fields.write(list, endsStream: endsStream, to: &head)
        if endsStream { following = endRemote(stream, trailers: nil) }
        return .message(
            Message(
                stream: stream, head: head, isChunked: fields.isChunked(endsStream: endsStream),
                endsStream: endsStream, isHEAD: state.isHEAD))
    }
}
