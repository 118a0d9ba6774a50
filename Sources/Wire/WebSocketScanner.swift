/// Follows the frames of one direction of a WebSocket without looking into them (RFC 6455 §5.2).
///
/// It says where a frame of one's own may be put between those of the sender: between frames, even those of one
/// fragmented message (§5.4). Constant memory; O(frames), payload is skipped.
package struct WebSocketScanner: Sendable {
    /// Who sends the frames: a client masks every one of them, a server none (§5.1).
    package enum Sender: Sendable {
        case client, server
    }

    private static let closeOpcode: UInt8 = 0x8

    private let sender: Sender
    /// Bytes of the present header that have been seen; 0 between frames and within a payload.
    private var seen = 0
    /// Bytes the present header has, known once two have been seen.
    private var headerCount = 2
    /// Bytes of the extended length among them.
    private var extendedCount = 0
    private var length: UInt64 = 0
    /// Bytes of payload that are still to come.
    private var payload: UInt64 = 0
    private var isBroken = false
    /// Whether the sender has said that it will send no more frames (§5.5.1).
    package private(set) var hasClosed = false

    /// Begins before the first frame.
    package init(_ sender: Sender) {
        self.sender = sender
    }

    /// Whether the bytes so far end with a frame.
    package var isBetweenFrames: Bool { seen == 0 && payload == 0 && !isBroken }

    /// Takes note of the next bytes. False when they cannot be frames of the sender: masked where they must not be or
    /// the other way round, or a length of more than 63 bits. Nothing is known about boundaries from then on.
    package mutating func scan(_ bytes: RawSpan) -> Bool {
        var offset = 0
        while offset < bytes.byteCount, !isBroken {
            if payload > 0 {
                let step = min(payload, UInt64(bytes.byteCount - offset))
                payload -= step
                offset += Int(step)
            } else {
                scanHeader(bytes.byte(offset))
                offset += 1
            }
        }
        return !isBroken
    }

    private mutating func scanHeader(_ byte: UInt8) {
        switch seen {
        case 0:
            if byte & 0x0f == Self.closeOpcode { hasClosed = true }
        case 1:
            let isMasked = byte & 0x80 != 0
            guard isMasked == (sender == .client) else {
                isBroken = true
                return
            }
            length = UInt64(byte & 0x7f)
            extendedCount = length == 126 ? 2 : length == 127 ? 8 : 0
            headerCount = 2 + extendedCount + (isMasked ? 4 : 0)
            if extendedCount > 0 { length = 0 }
        case 2..<2 + extendedCount:
            if seen == 2, extendedCount == 8, byte & 0x80 != 0 {
                isBroken = true
                return
            }
            length = length << 8 | UInt64(byte)
        case _:
            break
        }
        seen += 1
        guard seen >= 2, seen == headerCount else { return }
        payload = length
        seen = 0
    }
}
