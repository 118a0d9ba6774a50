/// The parameters of RFC 9113 §6.5.2. Others are ignored.
package enum SettingIdentifier: UInt16, Sendable {
    case headerTableSize = 0x1
    case enablePush = 0x2
    case maximumConcurrentStreams = 0x3
    case initialWindowSize = 0x4
    case maximumFrameSize = 0x5
    case maximumHeaderListSize = 0x6
}

/// What a peer has said of itself, the defaults before it has said anything (RFC 9113 §6.5.2).
struct PeerSettings: Sendable {
    var headerTableSize = 4096
    var maximumConcurrentStreams = Int.max
    var initialWindowSize = 65535
    var maximumFrameSize = 16384

    /// Takes one parameter over. What changes for streams and tables is the caller's business.
    mutating func take(_ identifier: SettingIdentifier, _ value: UInt32, fromClient: Bool) throws(HTTP2Error) {
        switch identifier {
        case .headerTableSize:
            headerTableSize = Int(value)
        case .enablePush:
            // A server never says 1 (§6.5.2).
            guard value == 0 || value == 1 && fromClient else {
                throw .connection(.protocolError, "SETTINGS_ENABLE_PUSH has a wrong value.")
            }
        case .maximumConcurrentStreams:
            maximumConcurrentStreams = Int(value)
        case .initialWindowSize:
            guard value <= FlowWindow.maximum else {
                throw .connection(.flowControlError, "SETTINGS_INITIAL_WINDOW_SIZE is too large.")
            }
            initialWindowSize = Int(value)
        case .maximumFrameSize:
            guard value >= 16384, value < 1 << 24 else {
                throw .connection(.protocolError, "SETTINGS_MAX_FRAME_SIZE has a wrong value.")
            }
            maximumFrameSize = Int(value)
        case .maximumHeaderListSize:
            // Advisory (§10.5.1): a head that an upstream has sent is passed on or not at all.
            break
        }
    }
}

/// Windows of flow control (RFC 9113 §6.9).
enum FlowWindow {
    /// The largest a window may become, 2^31 - 1.
    static let maximum = 0x7FFF_FFFF
}

/// Bounds of one connection; all sizes in bytes.
package struct HTTP2Limits: Sendable {
    /// Streams a peer may have open at a time.
    package var maximumConcurrentStreams = 100
    /// The decoded header list as RFC 9113 §6.5.2 counts it.
    package var maximumHeaderListSize = 32768
    package var maximumFields = 100
    /// What a peer may send on a stream, and on all of them, before the consumer has taken some of it.
    package var streamWindow = 262_144
    package var connectionWindow = 1 << 20
    /// Frames of our own that may wait for a peer that does not read.
    package var maximumControlBytes = 65536

    /// Whether a request for an https URI says so in HTTP/1.1 as well, by a target in absolute form (RFC 9112 §3.2.2): for
    /// connections on which that is not a matter of course.
    package var namesHTTPS = false

    package init() {}

    /// A header block that is not decoded yet. Longer than what may come of it, so that a list which is too large is
    /// the request's fault alone, and not the end of the connection.
    var maximumBlockBytes: Int { 2 * maximumHeaderListSize }

    /// The largest frame accepted: the least that everybody must accept, because larger ones gain nothing here.
    static let maximumFrameSize = 16384
}
