package import Authentication
package import Identity
package import RateLimit
package import Routing
package import Wire

/// Every way in which the gateway itself answers a request. This file is the only place that picks a status.
package enum Refusal: Sendable {
    /// The head is not HTTP/1.1 (RFC 9112), or over a limit.
    case malformed(MalformedRequest)
    /// The body broke its framing, or is over the route's limit, before an answer was begun.
    case malformedBody(MalformedBody)
    /// The path cannot be normalised without ambiguity.
    case path(PathDefect)
    /// The target is an https URI, and the connection is not encrypted.
    case misdirected
    /// No route matches.
    case unrouted
    /// Routes match the path, none the method; `allow` is the value of the Allow field.
    case methodNotAllowed(allow: [UInt8])
    /// No credential, a bad one, or contradicting ones.
    case unauthenticated(AuthenticationFailure)
    /// Too many failed authentications from one address: refused before the next credential is looked at.
    case guessing(LimitVerdict)
    /// The route asks for a solution, and the credential names none.
    case solutionRequired
    /// The client's bucket is empty.
    case limited(LimitVerdict)
    /// The policy does not grant what the method asks for.
    case forbidden
    /// The head did not arrive in time.
    case headTimeout
    /// The body stopped arriving.
    case bodyTimeout
    /// The body arrived below the minimum rate for too long.
    case bodyTooSlow
    /// The upstream gave no usable answer.
    case upstream(UpstreamFailure)
    /// The audit log cannot take the record, and the configuration says to stop admission then.
    case auditUnavailable
    /// The verifier's queue is full.
    case overloaded
    /// As many requests are under way as may be.
    case crowded
}

/// What a refusal looks like on the wire; `Proxy.RefusalWriter` puts it into bytes.
package struct RefusalAnswer: Sendable {
    /// `WWW-Authenticate` of a 400, 401 or 403 (RFC 6750 §3).
    package enum Challenge: Sendable, Equatable {
        case none
        /// Nothing was sent: no error code.
        case bare
        case invalidRequest
        case invalidToken(StaticString)
        /// The secret of Basic was wrong (RFC 7617).
        case invalidSecret(StaticString)
        case insufficientScope

        package static func == (a: Challenge, b: Challenge) -> Bool {
            switch (a, b) {
            case (.none, .none), (.bare, .bare), (.invalidRequest, .invalidRequest): true
            case (.insufficientScope, .insufficientScope), (.invalidToken, .invalidToken): true
            case (.invalidSecret, .invalidSecret): true
            case (.none, _), (.bare, _), (.invalidRequest, _), (.insufficientScope, _), (.invalidToken, _): false
            case (.invalidSecret, _): false
            }
        }
    }

    package var status: Int
    package var outcome: Outcome
    /// A short name for the audit record; a sentence where the codec gives one.
    package var reason: StaticString
    /// One sentence for the client: what is wrong and the way out. Reveals no key, policy or other tenant.
    package var detail: StaticString
    package var challenge = Challenge.none
    /// Seconds, of 429 and 503.
    package var retryAfter: Int?
    /// Whether the connection must be closed, because what follows on it cannot be told apart (RFC 9112 §6.3, §9.6).
    package var mustClose = false
    /// The value of the Allow field of a 405.
    package var allow: [UInt8]?

    /// The status for a client of gRPC, which looks at this one where it is given (gRPC, "HTTP to gRPC status code mapping").
    /// A quota that is used up and a message that is too large are RESOURCE_EXHAUSTED.
    package var grpcStatus: Int {
        switch status {
        case 401: 16
        case 403: 7
        case 404, 405: 12
        case 413, 429: 8
        case 408, 504: 4
        case 502, 503: 14
        case 400..<500: 3
        case _: 13
        }
    }
}

extension Refusal {
    /// The one translation of a refusal into an answer.
    package var answer: RefusalAnswer {
        switch self {
        case .malformed(let reason): Self.answer(to: reason)
        case .malformedBody(let reason): Self.answer(to: reason)
        case .path(let defect):
            RefusalAnswer(status: 400, outcome: .malformed, reason: "path", detail: defect.detail)
        case .misdirected:
            RefusalAnswer(
                status: 421, outcome: .malformed, reason: "not-encrypted",
                detail: "The target is an https URI, and this connection is not encrypted.")
        case .unrouted:
            RefusalAnswer(status: 404, outcome: .unrouted, reason: "no-route", detail: "No route serves this path.")
        case .methodNotAllowed(let allow):
            RefusalAnswer(
                status: 405, outcome: .unrouted, reason: "method",
                detail: "This path does not take this method; see Allow.", allow: allow)
        case .unauthenticated(let failure): Self.answer(to: failure)
        case .guessing(let verdict):
            RefusalAnswer(
                status: 429, outcome: .limited, reason: "failed-authentications",
                detail: "Too many failed authentications from this address. Wait as long as Retry-After says.",
                retryAfter: verdict.secondsUntilMore)
        case .solutionRequired:
            RefusalAnswer(
                status: 403, outcome: .forbidden, reason: "solution-required",
                detail: "This route must know the calling solution. Send its API token as x-cr-api-token.",
                challenge: .insufficientScope)
        case .limited(let verdict):
            RefusalAnswer(
                status: 429, outcome: .limited, reason: "rate-limit",
                detail: "The client's quota is used up. Wait as long as Retry-After says.",
                retryAfter: verdict.secondsUntilMore)
        case .forbidden:
            RefusalAnswer(
                status: 403, outcome: .forbidden, reason: "policy",
                detail: "The policy of this resource does not grant this to the caller.",
                challenge: .insufficientScope)
        case .headTimeout:
            RefusalAnswer(
                status: 408, outcome: .malformed, reason: "head-timeout",
                detail: "The request head did not arrive in time.", mustClose: true)
        case .bodyTimeout:
            RefusalAnswer(
                status: 408, outcome: .malformed, reason: "body-timeout",
                detail: "The request body stopped arriving.", mustClose: true)
        case .bodyTooSlow:
            RefusalAnswer(
                status: 408, outcome: .malformed, reason: "body-too-slow",
                detail: "The request body arrived too slowly.", mustClose: true)
        case .upstream(let failure): Self.answer(to: failure)
        case .auditUnavailable:
            RefusalAnswer(
                status: 503, outcome: .upstreamError, reason: "audit-unavailable",
                detail: "The gateway cannot write its audit log and is configured to admit nothing then.",
                retryAfter: 5)
        case .overloaded:
            RefusalAnswer(
                status: 503, outcome: .upstreamError, reason: "verifier-overloaded",
                detail: "Too many credentials are being verified at once. Try again shortly.", retryAfter: 1)
        case .crowded:
            RefusalAnswer(
                status: 503, outcome: .upstreamError, reason: "requests-in-flight",
                detail: "The gateway has as many requests under way as it may. Try again shortly.", retryAfter: 1)
        }
    }

    private static func answer(to reason: MalformedRequest) -> RefusalAnswer {
        let status =
            switch reason.category {
            case .syntax, .contradictoryCredentials: 400
            case .targetTooLong: 414
            case .headTooLarge: 431
            case .methodUnsupported: 501
            case .versionUnsupported: 505
            case .codingUnsupported: 501
            case .expectationUnsupported: 417
            }
        var isCredential = false
        if case .contradictoryCredentials = reason.category { isCredential = true }
        return RefusalAnswer(
            status: status, outcome: .malformed, reason: reason.detail, detail: reason.detail,
            challenge: isCredential ? .invalidRequest : .none, mustClose: true)
    }

    private static func answer(to reason: MalformedBody) -> RefusalAnswer {
        let status =
            switch reason.category {
            case .syntax: 400
            case .contentTooLarge: 413
            case .trailersTooLarge: 431
            }
        return RefusalAnswer(
            status: status, outcome: .malformed, reason: reason.detail, detail: reason.detail, mustClose: true)
    }

    private static func answer(to failure: AuthenticationFailure) -> RefusalAnswer {
        switch failure {
        case .missing:
            RefusalAnswer(
                status: 401, outcome: .unauthenticated, reason: "no-credential",
                detail: "This route needs a credential of a kind that it takes; there is none in the request.",
                challenge: .bare)
        case .malformed(let detail):
            RefusalAnswer(
                status: 400, outcome: .unauthenticated, reason: "malformed-credential", detail: detail,
                challenge: .invalidRequest)
        case .contradictory:
            RefusalAnswer(
                status: 400, outcome: .unauthenticated, reason: "contradictory-credentials",
                detail: "The credentials name different solutions. Send those of one.", challenge: .invalidRequest)
        case .invalid(let token):
            RefusalAnswer(
                status: 401, outcome: .unauthenticated, reason: token.code, detail: token.detail,
                challenge: token == .badSecret ? .invalidSecret(token.detail) : .invalidToken(token.detail))
        case .keysUnavailable:
            RefusalAnswer(
                status: 503, outcome: .unauthenticated, reason: "keys-unavailable",
                detail: "The keys of the token's issuer could not be fetched yet. Try again shortly.", retryAfter: 5)
        case .overloaded:
            RefusalAnswer(
                status: 503, outcome: .unauthenticated, reason: "verifier-overloaded",
                detail: "Too many credentials are being verified at once. Try again shortly.", retryAfter: 1)
        }
    }

    private static func answer(to failure: UpstreamFailure) -> RefusalAnswer {
        let (status, reason, detail, retryAfter): (Int, StaticString, StaticString, Int?) =
            switch failure {
            case .refused: (502, "upstream-refused", "The upstream refused the connection.", nil)
            case .unresolved: (502, "upstream-unresolved", "The name of the upstream has no address.", nil)
            case .connectTimeout: (504, "upstream-connect-timeout", "The upstream took no connection in time.", nil)
            case .handshakeFailed: (502, "upstream-tls", "No TLS session with the upstream could be made.", nil)
            case .wrongProtocol: (502, "upstream-protocol", "The upstream does not speak HTTP/2.", nil)
            case .noHealthyEndpoint(let seconds):
                (503, "no-healthy-endpoint", "No upstream server is reachable at present.", seconds)
            case .overloaded: (503, "upstream-queue-full", "Too many requests wait for the upstream.", 1)
            case .noConnectionFree:
                (504, "upstream-queue-timeout", "No connection to the upstream became free in time.", nil)
            case .closedEarly: (502, "upstream-closed", "The upstream closed the connection without an answer.", nil)
            case .malformedAnswer(let reason): (502, reason, "The upstream's answer was not valid HTTP.", nil)
            case .responseTimeout: (504, "upstream-timeout", "The upstream did not answer in time.", nil)
            case .truncatedAnswer: (502, "upstream-truncated", "The upstream's answer broke off.", nil)
            }
        return RefusalAnswer(
            status: status, outcome: .upstreamError, reason: reason, detail: detail, retryAfter: retryAfter)
    }
}

extension RefusalAnswer {
    /// The reason phrase, and the title of the problem document (RFC 9457 §3.1).
    package var title: StaticString {
        switch status {
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 417: "Expectation Failed"
        case 421: "Misdirected Request"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case _: "Refused"
        }
    }

    /// The type of the problem document.
    package var type: StaticString {
        status == 429 ? "https://iana.org/assignments/http-problem-types#quota-exceeded" : "about:blank"
    }
}
