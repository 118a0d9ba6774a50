package import NIOCore

/// Frames as bytes (RFC 9113 §6).
extension ByteBuffer {
    /// Appends the nine octets in front of a payload.
    package mutating func writeFrameHeader(_ header: FrameHeader) {
        let first = UInt64(truncatingIfNeeded: header.length) << 40
        let type = UInt64(header.type?.rawValue ?? .max) << 32
        writeInteger(first | type | UInt64(header.flags.rawValue) << 24 | UInt64(header.stream) >> 8)
        writeInteger(UInt8(truncatingIfNeeded: header.stream))
    }

    package mutating func writeResetStream(_ stream: UInt32, _ code: HTTP2ErrorCode) {
        writeFrameHeader(FrameHeader(length: 4, type: .resetStream, flags: [], stream: stream))
        writeInteger(code.rawValue)
    }

    package mutating func writeWindowUpdate(_ stream: UInt32, _ increment: Int) {
        writeFrameHeader(FrameHeader(length: 4, type: .windowUpdate, flags: [], stream: stream))
        writeInteger(UInt32(clamping: increment) & 0x7FFF_FFFF)
    }

    package mutating func writePing(_ payload: UInt64, isAck: Bool) {
        writeFrameHeader(FrameHeader(length: 8, type: .ping, flags: isAck ? .ack : [], stream: 0))
        writeInteger(payload)
    }

    package mutating func writeGoAway(lastStream: UInt32, _ code: HTTP2ErrorCode) {
        writeFrameHeader(FrameHeader(length: 8, type: .goAway, flags: [], stream: 0))
        writeInteger(lastStream)
        writeInteger(code.rawValue)
    }

    package mutating func writeSettings(_ settings: [(SettingIdentifier, UInt32)]) {
        writeFrameHeader(FrameHeader(length: settings.count * 6, type: .settings, flags: [], stream: 0))
        for (identifier, value) in settings {
            writeInteger(identifier.rawValue)
            writeInteger(value)
        }
    }

    package mutating func writeSettingsAck() {
        writeFrameHeader(FrameHeader(length: 0, type: .settings, flags: .ack, stream: 0))
    }
}
