/// How a request ended, as audit records and metrics count it.
package enum Outcome: UInt8, Sendable, CaseIterable {
    /// Forwarded, and the upstream's answer was relayed.
    case admitted
    /// No credential, or one that proves nothing.
    case unauthenticated
    /// A known caller whom the policy or the route refuses.
    case forbidden
    /// Over the rate limit.
    case limited
    /// Not well-formed HTTP, or malformed credentials.
    case malformed
    /// No route for this host, path and method.
    case unrouted
    /// The upstream was absent, too slow, or broke the protocol.
    case upstreamError
    /// The client left before the answer was complete.
    case clientGone

    /// The name in audit records and metric labels.
    package var label: StaticString {
        switch self {
        case .admitted: "admitted"
        case .unauthenticated: "unauthenticated"
        case .forbidden: "forbidden"
        case .limited: "limited"
        case .malformed: "malformed"
        case .unrouted: "unrouted"
        case .upstreamError: "upstream-error"
        case .clientGone: "client-gone"
        }
    }
}
