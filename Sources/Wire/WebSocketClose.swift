package import NIOCore

/// Why a WebSocket is closed by someone between its two ends (RFC 6455 §7.4.1).
package enum WebSocketCloseCode: UInt16, Sendable {
    /// The end point goes away.
    case goingAway = 1001
    /// What came were no frames.
    case protocolError = 1002
    /// What is asked for is not allowed any more.
    case policyViolation = 1008
}

extension ByteBuffer {
    /// Appends a close frame (RFC 6455 §5.5.1): 2 bytes of code, then the reason.
    ///
    /// - Parameters:
    ///   - reason: ASCII, at most 123 bytes, or the frame would not be a control frame; a longer one is left out.
    ///   - maskingKey: random, for a frame towards a server; nil towards a client (§5.3).
    package mutating func writeWebSocketClose(
        _ code: WebSocketCloseCode, reason: StaticString, maskingKey: UInt32? = nil
    ) {
        let isShort = reason.utf8CodeUnitCount <= 123
        let count = 2 + (isShort ? reason.utf8CodeUnitCount : 0)
        writeInteger(UInt8(0x88))
        writeInteger(UInt8(truncatingIfNeeded: count) | (maskingKey == nil ? 0 : 0x80))
        if let maskingKey { writeInteger(maskingKey) }
        let start = writerIndex
        writeInteger(code.rawValue)
        if isShort { writeStaticString(reason) }
        guard let maskingKey else { return }
        for index in 0..<count {
            guard let byte = getInteger(at: start + index, as: UInt8.self) else { return }
            let shift = UInt32(24 - 8 * (index & 3))
            setInteger(byte ^ UInt8(truncatingIfNeeded: maskingKey &>> shift), at: start + index)
        }
    }
}
