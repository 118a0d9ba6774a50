package import Identity

/// What lasts longer than a request and its answer.
package enum StreamKind: Int, Sendable, CaseIterable {
    /// A tunnel of RFC 6455 frames.
    case webSocket
    /// A tunnel of any other protocol.
    case upgrade
    /// An answer of `text/event-stream`.
    case events

    /// The name in metric labels.
    package var label: StaticString {
        switch self {
        case .webSocket: "websocket"
        case .upgrade: "upgrade"
        case .events: "events"
        }
    }
}

/// Why a stream ended.
package enum StreamEnd: Int, Sendable, CaseIterable {
    /// In order, by those who spoke on it.
    case closed
    /// The credential that opened it has expired.
    case expired
    /// It would not be admitted any more: token revoked, key withdrawn, configuration or policy changed.
    case revoked
    /// Nothing came for too long.
    case idle
    /// It has lasted for the whole time that its route gives a request.
    case timedOut
    /// The gateway stops.
    case shutDown
    /// The client left.
    case clientGone
    /// The client took nothing of what is there for it.
    case clientStalled
    /// The upstream left.
    case upstreamGone
    /// What came from the upstream were no WebSocket frames.
    case upstreamProtocolError
    /// What came from the client were no WebSocket frames.
    case protocolError

    /// The end of a stream that ended as an exchange of this outcome.
    package init(_ outcome: Outcome) {
        switch outcome {
        case .admitted: self = .closed
        case .upstreamError: self = .upstreamGone
        case .clientGone: self = .clientGone
        // Not ends of something that was admitted.
        case .unauthenticated, .forbidden, .limited, .malformed, .unrouted: self = .protocolError
        }
    }

    /// The reason in audit records and metric labels.
    package var label: StaticString {
        switch self {
        case .closed: "closed"
        case .expired: "expired"
        case .revoked: "revoked"
        case .idle: "idle"
        case .timedOut: "timeout"
        case .shutDown: "shut-down"
        case .clientGone: "client-gone"
        case .clientStalled: "client-stalled"
        case .upstreamGone: "upstream-gone"
        case .upstreamProtocolError: "upstream-protocol-error"
        case .protocolError: "protocol-error"
        }
    }

    /// The outcome of the closing record: the stream was admitted, whatever ended it later.
    package var outcome: Outcome {
        switch self {
        case .closed, .expired, .revoked, .idle, .timedOut, .shutDown: .admitted
        case .clientGone, .clientStalled: .clientGone
        case .upstreamGone, .upstreamProtocolError: .upstreamError
        case .protocolError: .malformed
        }
    }
}

/// The streams of one event loop.
package final class StreamMetrics: Sendable {
    private let openings = StreamKind.allCases.map { _ in Counter() }
    private let endings = StreamKind.allCases.map { _ in StreamEnd.allCases.map { _ in Counter() } }

    package init() {}

    /// Streams of the kind that ever began.
    package func opened(_ kind: StreamKind) -> Counter { openings[kind.rawValue] }

    /// Streams of the kind that ended so.
    package func closed(_ kind: StreamKind, _ end: StreamEnd) -> Counter { endings[kind.rawValue][end.rawValue] }
}
