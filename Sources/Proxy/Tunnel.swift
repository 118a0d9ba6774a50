import Gate
import NIOCore
import Wire

/// What a connection is once its protocol was switched (RFC 9110 §7.8): bytes both ways, each direction with an end of
/// its own.
///
/// Sans-IO. Of a WebSocket the frames are followed, so that the gateway can end it as RFC 6455 §7 has it; nothing of any
/// other protocol is known.
struct Tunnel {
    enum Side {
        case client, upstream
    }

    /// How one side is told that the gateway ends the tunnel.
    enum Farewell {
        /// Send this close frame, then end the direction.
        case frame(ByteBuffer)
        /// End the direction: its sender has ended it, or said its last frame.
        case end
        /// Reset: any other end could be taken for the sender's own.
        case reset
    }

    private let isWebSocket: Bool
    private var fromClient = WebSocketScanner(.client)
    private var fromUpstream = WebSocketScanner(.server)
    private var firstEnd: Side?
    private(set) var hasClientEnded = false
    private(set) var hasUpstreamEnded = false

    init(_ protocol: UpgradeProtocol) {
        isWebSocket = `protocol`.isWebSocket
    }

    var kind: StreamKind { isWebSocket ? .webSocket : .upgrade }

    /// Takes note of bytes before they are passed on. False when they are no frames: then they must not be.
    mutating func pass(_ bytes: ByteBuffer, from side: Side) -> Bool {
        guard isWebSocket else { return true }
        switch side {
        case .client: return fromClient.scan(bytes.readableBytesSpan)
        case .upstream: return fromUpstream.scan(bytes.readableBytesSpan)
        }
    }

    /// One side will send nothing more.
    mutating func end(_ side: Side) {
        if firstEnd == nil { firstEnd = side }
        switch side {
        case .client: hasClientEnded = true
        case .upstream: hasUpstreamEnded = true
        }
    }

    /// Whether both sides have ended.
    var isOver: Bool { hasClientEnded && hasUpstreamEnded }

    /// Whether what is left is a matter of seconds: both directions have ended, or those of a WebSocket are about to,
    /// whose ends close together (RFC 6455 §7.1.1).
    var isEnding: Bool {
        isOver || isWebSocket && (firstEnd != nil || fromClient.hasClosed && fromUpstream.hasClosed)
    }

    /// Whether a close frame towards the client would stand between two frames, or is not needed.
    var canPart: Bool { isWebSocket && (fromUpstream.isBetweenFrames || hasUpstreamEnded) }

    /// Why the tunnel ended, as far as those who spoke through it are concerned.
    var end: StreamEnd {
        if !isWebSocket, isOver { return .closed }
        if isWebSocket, fromClient.hasClosed || fromUpstream.hasClosed { return .closed }
        return firstEnd == .client ? .clientGone : .upstreamGone
    }

    /// How to end it. `maskingKey` is random (RFC 6455 §5.3).
    func farewells(_ end: StreamEnd, maskingKey: UInt32) -> (toClient: Farewell, toUpstream: Farewell) {
        let (code, reason) = Self.words(for: end)
        return (
            farewell(isEnded: hasUpstreamEnded, fromUpstream) {
                $0.writeWebSocketClose(code, reason: reason)
            },
            farewell(isEnded: hasClientEnded, fromClient) {
                $0.writeWebSocketClose(.goingAway, reason: "", maskingKey: maskingKey)
            }
        )
    }

    private func farewell(
        isEnded: Bool, _ frames: WebSocketScanner, _ write: (inout ByteBuffer) -> Void
    ) -> Farewell {
        if isEnded { return .end }
        guard isWebSocket, frames.isBetweenFrames else { return .reset }
        if frames.hasClosed { return .end }
        var frame = ByteBuffer()
        write(&frame)
        return .frame(frame)
    }

    private static func words(for end: StreamEnd) -> (WebSocketCloseCode, StaticString) {
        switch end {
        case .expired: (.policyViolation, "The credential has expired.")
        case .revoked: (.policyViolation, "The request would not be admitted any more.")
        case .protocolError: (.protocolError, "These are no WebSocket frames.")
        case .idle: (.goingAway, "Nothing was sent for too long.")
        case .timedOut: (.goingAway, "Its time is up.")
        case .upstreamProtocolError: (.goingAway, "What the upstream sent are no WebSocket frames.")
        case .closed, .shutDown, .clientGone, .clientStalled, .upstreamGone: (.goingAway, "The gateway goes away.")
        }
    }
}
