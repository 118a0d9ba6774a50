/// The error codes of RFC 9113 §7.
package enum HTTP2ErrorCode: UInt32, Sendable, CaseIterable {
    case noError = 0x0
    case protocolError = 0x1
    case internalError = 0x2
    case flowControlError = 0x3
    case settingsTimeout = 0x4
    case streamClosed = 0x5
    case frameSizeError = 0x6
    case refusedStream = 0x7
    case cancel = 0x8
    case compressionError = 0x9
    case connectError = 0xA
    case enhanceYourCalm = 0xB
    case inadequateSecurity = 0xC
    case http11Required = 0xD

    /// A code as a peer sent it. One that is not registered means no more than that something went wrong (§7).
    init(received code: UInt32) {
        self = HTTP2ErrorCode(rawValue: code) ?? .internalError
    }
}

/// What a peer did wrong, and how far it reaches (RFC 9113 §5.4).
package enum HTTP2Error: Error, Sendable {
    /// Nothing more can be understood on this connection: GOAWAY and close.
    case connection(HTTP2ErrorCode, StaticString)
    /// One stream ends with RST_STREAM; the others go on.
    case stream(UInt32, HTTP2ErrorCode, StaticString)

    /// The code that goes to the peer.
    package var code: HTTP2ErrorCode {
        switch self {
        case .connection(let code, _), .stream(_, let code, _): code
        }
    }

    /// One sentence: what was wrong.
    package var detail: StaticString {
        switch self {
        case .connection(_, let detail), .stream(_, _, let detail): detail
        }
    }
}
