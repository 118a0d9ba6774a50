import Gate
import Upstream
import Wire

extension Refusal {
    /// What a refusal says about the endpoint that had the request.
    var upstreamOutcome: RequestOutcome {
        switch self {
        case .upstream(let failure):
            switch failure {
            case .closedEarly, .malformedAnswer, .responseTimeout, .truncatedAnswer: .failed
            case .refused, .unresolved, .connectTimeout, .handshakeFailed, .wrongProtocol, .noHealthyEndpoint,
                .overloaded, .noConnectionFree:
                .unknown
            }
        case .malformed, .malformedBody, .path, .misdirected, .unrouted, .methodNotAllowed, .unauthenticated, .guessing,
            .solutionRequired, .limited, .forbidden, .headTimeout, .bodyTimeout, .bodyTooSlow, .auditUnavailable,
            .overloaded, .crowded:
            .unknown
        }
    }
}
