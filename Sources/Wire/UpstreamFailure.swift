/// Why no answer of an upstream could be had.
///
/// Stands here because `Upstream` finds these and `Gate.Refusal` turns each into a status, and neither imports the other.
package enum UpstreamFailure: Error, Sendable, Equatable {
    /// Every attempt within the connect timeout was refused or reset.
    case refused
    /// The upstream's name has no address.
    case unresolved
    /// No attempt was answered within the connect timeout.
    case connectTimeout
    /// The server was reached, and no TLS session could be made with it; the reason is for a log.
    case handshakeFailed(String)
    /// Every endpoint has been failing for longer than the connect timeout; worth another try after `retryAfter` seconds.
    case noHealthyEndpoint(retryAfter: Int)
    /// The server was reached, and does not speak HTTP/2 as it should.
    case wrongProtocol
    /// The queue for connections is full.
    case overloaded
    /// As many connections were busy as there may be, for as long as a request waits for one.
    case noConnectionFree
    /// The connection ended before the first byte of an answer.
    case closedEarly
    /// The answer was not HTTP/1.1 as RFC 9112 has it, or an interim answer nobody asked for.
    case malformedAnswer(StaticString)
    /// The first byte of the answer did not come in time.
    case responseTimeout
    /// The connection ended, or fell silent, in the middle of the answer.
    case truncatedAnswer

    package static func == (a: UpstreamFailure, b: UpstreamFailure) -> Bool { a.label == b.label }

    /// A short name for logs, metrics and the audit record.
    package var label: String {
        switch self {
        case .refused: "upstream-refused"
        case .unresolved: "upstream-unresolved"
        case .connectTimeout: "upstream-connect-timeout"
        case .handshakeFailed: "upstream-tls"
        case .noHealthyEndpoint: "no-healthy-endpoint"
        case .wrongProtocol: "upstream-protocol"
        case .overloaded: "upstream-queue-full"
        case .noConnectionFree: "upstream-queue-timeout"
        case .closedEarly: "upstream-closed"
        case .malformedAnswer: "upstream-malformed"
        case .responseTimeout: "upstream-timeout"
        case .truncatedAnswer: "upstream-truncated"
        }
    }
}
