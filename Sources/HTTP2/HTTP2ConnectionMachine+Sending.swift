package import NIOCore
package import Wire

/// What goes out on a stream, and how the connection is brought to its end.
extension HTTP2ConnectionMachine {
    // MARK: Heads

    /// Sends the head of an answer.
    ///
    /// - Parameters:
    ///   - head: parsed from the first bytes of `source`.
    ///   - endsStream: whether nothing follows.
    package mutating func send(
        _ head: borrowing ResponseHead, of source: ByteBuffer, on stream: UInt32, endsStream: Bool
    ) {
        guard let state = streams[stream], state.isLocalOpen else { return }
        encoder.begin()
        encoder.append(status: head.status)
        append(head.fields, of: source)
        sendBlock(on: stream, endsStream: endsStream)
    }

    /// Opens a stream with the head of a request (RFC 9113 §8.3.1); the role of a client.
    ///
    /// - Parameter isSecure: whether the scheme is https.
    /// - Returns: the stream; nil when the server takes no more of them now, or the connection is coming to its end.
    package mutating func open(
        _ head: borrowing RequestHead, of source: ByteBuffer, isSecure: Bool = false, endsStream: Bool
    ) -> UInt32? {
        guard role == .client, phase != .failed, !isDraining, streams.count < peer.maximumConcurrentStreams,
            highestStream < 0x7FFF_FFFE
        else { return nil }
        let stream = highestStream == 0 ? 1 : highestStream + 2
        highestStream = stream
        var state = StreamState(sendWindow: peer.initialWindowSize, receiveWindow: limits.streamWindow)
        state.isHEAD = head.method == .head
        streams[stream] = state
        let octets = source.readableBytesUInt8Span
        encoder.begin()
        append(":method", octets.extracting(head.methodRange.range), .index)
        append(":scheme", (isSecure ? Self.https : Self.http).span, .index)
        append(":authority", octets.extracting(head.authority.range), .index)
        append(":path", octets.extracting(head.target.range), .pass)
        append(head.fields, of: source)
        // The one thing that may still be said of the connection's own matters (RFC 9113 §8.2.2).
        if head.acceptsTrailers { append("te", Self.trailers.span, .index) }
        sendBlock(on: stream, endsStream: endsStream)
        return stream
    }

    private static let http = Array("http".utf8)
    private static let https = Array("https".utf8)
    private static let trailers = Array("trailers".utf8)

    private mutating func append(_ name: StaticString, _ value: Span<UInt8>, _ indexing: HPACKEncoder.Indexing) {
        // Unsafe: read below `utf8CodeUnitCount`, the length of the literal it points at.
        let octets = unsafe UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        encoder.append(name: unsafe octets.span, value: value, indexing)
    }

    /// Sends trailer lines as they stand in an HTTP/1.1 trailer section, and with them the end of the stream.
    package mutating func sendTrailers(_ lines: ByteBuffer, on stream: UInt32) {
        guard let state = streams[stream], state.isLocalOpen else { return }
        encoder.begin()
        let octets = lines.readableBytesUInt8Span
        var start = 0
        while start < octets.count {
            var colon = start
            while colon < octets.count, octets[colon] != 0x3A { colon += 1 }
            var end = colon
            while end < octets.count, octets[end] != 0x0D { end += 1 }
            var value = min(colon + 1, end)..<end
            while !value.isEmpty, octets[value.lowerBound].isBlank { value = value.lowerBound + 1..<value.upperBound }
            while !value.isEmpty, octets[value.upperBound - 1].isBlank {
                value = value.lowerBound..<value.upperBound - 1
            }
            if colon > start, colon < octets.count {
                let name = lower(octets.extracting(start..<colon))
                if !FieldRules.isConnectionSpecific(name.span) {
                    encoder.append(name: name.span, value: octets.extracting(value), .pass)
                }
            }
            start = end + 2
        }
        sendBlock(on: stream, endsStream: true)
    }

    private mutating func append(_ fields: [Field], of source: ByteBuffer) {
        let octets = source.readableBytesUInt8Span
        for field in fields {
            guard !FieldSet.hopByHop.contains(field.kind), field.kind != .host, !field.isNominated,
                field.end <= octets.count
            else { continue }
            let name = lower(octets.extracting(field.name.range))
            encoder.append(
                name: name.span, value: octets.extracting(field.value.range), Self.indexing(of: field.kind))
        }
    }

    /// The name in lower case, in storage that is used again once the caller has let go of it.
    private mutating func lower(_ name: Span<UInt8>) -> [UInt8] {
        lowerName.removeAll(keepingCapacity: true)
        lowerName.append(addingCapacity: name.count) { output in
            for index in name.indices {
                let octet = name[index]
                output.append(octet &- 0x41 < 26 ? octet | 0x20 : octet)
            }
        }
        return lowerName
    }

    /// RFC 7541 §7.1: what authenticates somebody is no business of anybody's table.
    private static func indexing(of kind: FieldKind) -> HPACKEncoder.Indexing {
        switch kind {
        case .authorization, .proxyAuthorization, .apiToken, .cookie, .setCookie: .never
        case .contentLength, .requestID, .traceparent, .rateLimit, .retryAfter: .pass
        case .other, .host, .transferEncoding, .connection, .keepAlive, .proxyConnection, .te, .trailer, .upgrade,
            .expect, .proxyAuthenticate, .forwarded, .xForwardedFor, .xForwardedHost, .xForwardedProto,
            .xForwardedPort, .xForwardedOther, .xRealIP, .tracestate, .identity, .rewriteURL, .alias, .date, .server,
            .wwwAuthenticate, .via:
            .index
        }
    }

    private mutating func sendBlock(on stream: UInt32, endsStream: Bool) {
        let maximum = peer.maximumFrameSize
        let count = encoder.block.count
        var flags: FrameFlags = endsStream ? .endStream : []
        if count <= maximum { flags.insert(.endHeaders) }
        output.writeFrameHeader(
            FrameHeader(length: min(count, maximum), type: .headers, flags: flags, stream: stream))
        output.writeBytes(encoder.block.prefix(maximum))
        var start = maximum
        while start < count {
            let end = min(start + maximum, count)
            output.writeFrameHeader(
                FrameHeader(
                    length: end - start, type: .continuation, flags: end == count ? .endHeaders : [], stream: stream))
            output.writeBytes(encoder.block[start..<end])
            start = end
        }
        if endsStream { endLocal(stream) }
    }

    // MARK: Content

    /// How many streams the server lets us have at a time, those that are open included; the role of a client. Without a
    /// word of its own, RFC 9113 §6.5.2 recommends that it take a hundred.
    package var capacity: Int { peer.maximumConcurrentStreams == .max ? 100 : peer.maximumConcurrentStreams }

    /// Whether no content may be sent on any stream, because the window of the connection is shut (RFC 9113 §6.9.1).
    package var isWindowShut: Bool { sendWindow <= 0 }

    /// How many bytes of content may be sent on a stream now.
    package func room(on stream: UInt32) -> Int {
        guard let state = streams[stream], state.isLocalOpen else { return 0 }
        return max(0, min(state.sendWindow, sendWindow))
    }

    /// Sends content as far as the windows let it, and no more than `limit` bytes; what was sent is consumed.
    ///
    /// `isLast` says that the stream ends with the last byte of `content`. Returns whether all is sent, the end included.
    package mutating func send(
        _ content: inout ByteBuffer, on stream: UInt32, isLast: Bool, limit: Int = .max
    ) -> Bool {
        guard var state = streams[stream], state.isLocalOpen else {
            content.clear()
            return true
        }
        var rest = min(content.readableBytes, max(0, min(state.sendWindow, sendWindow)), limit)
        let isAll = rest == content.readableBytes
        while rest > 0 || isAll && isLast && content.readableBytes == 0 {
            let count = min(rest, peer.maximumFrameSize)
            let isEnd = isLast && count == content.readableBytes
            output.writeFrameHeader(
                FrameHeader(length: count, type: .data, flags: isEnd ? .endStream : [], stream: stream))
            output.writeBytes(content.readableBytesSpan.extracting(first: count))
            content.moveReaderIndex(forwardBy: count)
            rest -= count
            state.sendWindow -= count
            sendWindow -= count
            budget.sent(count)
            if isEnd {
                streams[stream] = state
                endLocal(stream)
                return true
            }
        }
        streams[stream] = state
        return isAll && !isLast
    }

    private mutating func endLocal(_ stream: UInt32) {
        if let isOver = streams.update(
            stream,
            { state in
                state.isLocalOpen = false
                return !state.isRemoteOpen
            }), isOver
        {
            remove(stream, .finished)
        }
    }

    // MARK: Ends

    /// Ends a stream at once (RFC 9113 §5.4.2). `.noError` after a whole answer says that the rest of the request is not
    /// needed (§8.1).
    package mutating func reset(_ stream: UInt32, _ code: HTTP2ErrorCode) {
        guard streams[stream] != nil, phase != .failed else { return }
        output.writeResetStream(stream, code)
        remove(stream, .resetByUs)
    }

    /// Says that the connection will end (§6.8): first that it will, so that streams which are under way are still served,
    /// and once the peer has seen that, which stream was the last.
    package mutating func drain() {
        guard case .no = draining, phase != .failed else { return }
        draining = .announced
        output.writeGoAway(lastStream: 0x7FFF_FFFF, .noError)
        output.writePing(Self.drainPing, isAck: false)
    }

    /// Names the last stream; called when the peer does not say in time that it has seen the first GOAWAY.
    package mutating func finishDraining() {
        guard phase != .failed else { return }
        if case .final = draining { return }
        draining = .final(lastStream: highestStream)
        output.writeGoAway(lastStream: role == .server ? highestStream : 0, .noError)
    }

    /// Ends the connection for a reason of ours; `output` is the last to be sent.
    package mutating func end(_ code: HTTP2ErrorCode) {
        guard phase != .failed else { return }
        phase = .failed
        output.writeGoAway(lastStream: role == .server ? highestStream : 0, code)
    }
}
