/// Whether a gateway takes new work, and if not, why.
package enum Readiness: Sendable, CaseIterable {
    case ready
    /// It is about to end.
    case draining
    /// It refuses requests because it could not record them.
    case auditUnavailable

    /// The name in the answer; that of the third is the `reason` of the refusals.
    var label: StaticString {
        switch self {
        case .ready: "ready"
        case .draining: "draining"
        case .auditUnavailable: "audit-unavailable"
        }
    }
}

/// What the admin listener answers, decided without a socket.
package struct AdminRoutes: Sendable {
    /// Whether the gateway takes new work.
    package let readiness: @Sendable () -> Readiness
    /// The counters at this moment.
    package let metrics: @Sendable () -> MetricsReport

    package init(readiness: @escaping @Sendable () -> Readiness, metrics: @escaping @Sendable () -> MetricsReport) {
        self.readiness = readiness
        self.metrics = metrics
    }

    /// Answers GET and HEAD of the three paths; 405 for other methods there, 404 elsewhere.
    ///
    /// - Parameters:
    ///   - method: the method token, compared as written (RFC 9110 §9.1).
    ///   - target: the request target; a query is ignored.
    package func answer(method: String, target: String) -> AdminAnswer {
        let path = target.prefix { $0 != "?" }
        guard let page = Page(rawValue: String(path)) else {
            return .problem(status: 404, title: "Not Found", detail: "The admin listener has no such path.")
        }
        guard method == "GET" || method == "HEAD" else {
            return .problem(
                status: 405, title: "Method Not Allowed", detail: "Only GET and HEAD are answered here.", allow: true)
        }
        switch page {
        case .live: return .json(status: 200, #"{"status":"live"}"#)
        case .ready:
            let readiness = readiness()
            return .json(status: readiness == .ready ? 200 : 503, #"{"status":"\#(readiness.label)"}"#)
        case .metrics:
            return AdminAnswer(status: 200, contentType: MetricsReport.contentType, body: metrics().render())
        }
    }

    private enum Page: String {
        case live = "/health/live"
        case ready = "/health/ready"
        case metrics = "/metrics"
    }
}

/// One answer of the admin listener.
package struct AdminAnswer: Sendable, Equatable {
    package let status: Int
    package let contentType: String
    package let body: [UInt8]
    /// Whether the answer carries `Allow: GET, HEAD`.
    package let allow: Bool

    init(status: Int, contentType: String, body: [UInt8], allow: Bool = false) {
        self.status = status
        self.contentType = contentType
        self.body = body
        self.allow = allow
    }

    static func json(status: Int, _ text: String) -> AdminAnswer {
        AdminAnswer(status: status, contentType: "application/json", body: Array((text + "\n").utf8))
    }

    /// An RFC 9457 problem; title and detail are literals of this file, so nothing needs escaping.
    static func problem(status: Int, title: StaticString, detail: StaticString, allow: Bool = false) -> AdminAnswer {
        let text = #"{"type":"about:blank","title":"\#(title)","status":\#(status),"detail":"\#(detail)"}"# + "\n"
        return AdminAnswer(
            status: status, contentType: "application/problem+json", body: Array(text.utf8), allow: allow)
    }
}
