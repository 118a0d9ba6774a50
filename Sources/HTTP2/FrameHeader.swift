/// The frame types of RFC 9113 §6. All others are ignored (§4.1).
package enum FrameType: UInt8, Sendable {
    case data = 0x0
    case headers = 0x1
    case priority = 0x2
    case resetStream = 0x3
    case settings = 0x4
    case pushPromise = 0x5
    case ping = 0x6
    case goAway = 0x7
    case windowUpdate = 0x8
    case continuation = 0x9
}

/// The flags of RFC 9113 §6. Bits that a type does not define are ignored (§4.1).
package struct FrameFlags: OptionSet, Sendable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) {
        self.rawValue = rawValue
    }

    package static let endStream = FrameFlags(rawValue: 0x1)
    /// Of SETTINGS and PING.
    package static let ack = FrameFlags(rawValue: 0x1)
    package static let endHeaders = FrameFlags(rawValue: 0x4)
    package static let padded = FrameFlags(rawValue: 0x8)
    package static let priority = FrameFlags(rawValue: 0x20)
}

/// The nine octets in front of every frame (RFC 9113 §4.1).
package struct FrameHeader: Sendable, Equatable {
    /// Bytes of a frame header.
    package static let size = 9

    /// Bytes of the payload, at most 2^24 - 1.
    package var length: Int
    /// Nil for a type that is not known here.
    package var type: FrameType?
    package var flags: FrameFlags
    /// 31 bits; 0 is the connection.
    package var stream: UInt32

    package init(length: Int, type: FrameType?, flags: FrameFlags, stream: UInt32) {
        self.length = length
        self.type = type
        self.flags = flags
        self.stream = stream
    }

    /// Reads a header; nil while fewer than nine octets are there. The reserved bit is ignored.
    package init?(_ octets: Span<UInt8>) {
        guard octets.count >= Self.size else { return nil }
        length = Int(octets[0]) << 16 | Int(octets[1]) << 8 | Int(octets[2])
        type = FrameType(rawValue: octets[3])
        flags = FrameFlags(rawValue: octets[4])
        stream = octets.integer(at: 5) & 0x7FFF_FFFF
    }

    /// What can be said of a frame before its payload is there: lengths and stream identifiers (RFC 9113 §4.2, §6).
    package func check(maximumLength: Int) throws(HTTP2Error) {
        guard length <= maximumLength else { throw .connection(.frameSizeError, "A frame is too long.") }
        switch type {
        case nil:
            break
        case .data, .headers, .continuation, .pushPromise:
            try checkIsOnStream()
        case .priority:
            try checkIsOnStream()
            // RFC 9113 §6.3: the one length that is an error of the stream alone.
            guard length == 5 else { throw .stream(stream, .frameSizeError, "PRIORITY is not 5 octets long.") }
        case .resetStream:
            try checkIsOnStream()
            try checkLength(4)
        case .windowUpdate:
            try checkLength(4)
        case .settings:
            try checkIsOnConnection()
            let isRight = flags.contains(.ack) ? length == 0 : length % 6 == 0
            guard isRight else { throw .connection(.frameSizeError, "SETTINGS has a wrong length.") }
        case .ping:
            try checkIsOnConnection()
            try checkLength(8)
        case .goAway:
            try checkIsOnConnection()
            guard length >= 8 else { throw .connection(.frameSizeError, "GOAWAY is too short.") }
        }
    }

    private func checkIsOnStream() throws(HTTP2Error) {
        if stream == 0 { throw .connection(.protocolError, "A frame of a stream is on stream 0.") }
    }

    private func checkIsOnConnection() throws(HTTP2Error) {
        if stream != 0 { throw .connection(.protocolError, "A frame of the connection is on a stream.") }
    }

    private func checkLength(_ right: Int) throws(HTTP2Error) {
        if length != right { throw .connection(.frameSizeError, "A frame of fixed length has another.") }
    }
}

extension Span<UInt8> {
    /// Four octets in network order; 0 when they are not all there.
    func integer(at offset: Int) -> UInt32 {
        guard offset >= 0, offset + 4 <= count else { return 0 }
        // Unsafe only for elements with padding and for types that are not any bit pattern: the load is bounds-checked.
        return UInt32(bigEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
}
