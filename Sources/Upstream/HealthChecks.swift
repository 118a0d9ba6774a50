import NIOCore
import Reactor
import Wire

/// When which endpoint is asked how it is, and what its answers in a row come to. Sans-IO.
struct HealthChecks: Sendable {
    private struct Check: Sendable {
        var isHealthy = true
        /// Answers in a row that speak against the verdict.
        var contrary = 0
        /// `nil` while one is under way.
        var next: Int64?
    }

    let rules: HealthCheck
    private var checks: [Check]

    /// All endpoints count as healthy until checks say otherwise. The first checks are spread over an interval.
    init(_ rules: HealthCheck, of endpoints: [Endpoint], now: Int64) {
        self.rules = rules
        self.checks = endpoints.indices.map { index in
            Check(next: now + rules.interval / Int64(endpoints.count) * Int64(index))
        }
    }

    func isHealthy(_ endpoint: Int) -> Bool { checks[endpoint].isHealthy }

    /// The endpoints to ask now; each is asked no more until `finished`.
    mutating func due(now: Int64) -> [Int] {
        var due: [Int] = []
        for index in checks.indices {
            guard let next = checks[index].next, next <= now else { continue }
            checks[index].next = nil
            due.append(index)
        }
        return due
    }

    /// A check came to an end. Returns whether the verdict changed with it.
    mutating func finished(_ endpoint: Int, isGood: Bool, now: Int64) -> Bool {
        checks[endpoint].next = now + rules.interval
        guard isGood != checks[endpoint].isHealthy else {
            checks[endpoint].contrary = 0
            return false
        }
        checks[endpoint].contrary += 1
        guard checks[endpoint].contrary >= (isGood ? rules.healthy : rules.unhealthy) else { return false }
        checks[endpoint].contrary = 0
        checks[endpoint].isHealthy = isGood
        return true
    }
}

/// One check: a connection of its own, a GET, and the status of the answer.
final class HealthProbe: UpstreamConsumer {
    private let request: ByteBuffer
    private let rules: HealthCheck
    private var answer = AnswerSkimmer()
    private var connection: UpstreamConnection?
    private var completion: ((Bool) -> Void)?
    private var timer: UInt64?
    private var reactor: Reactor?

    init(_ endpoint: Endpoint, _ rules: HealthCheck, completion: @escaping (Bool) -> Void) {
        var request = ByteBuffer(string: "GET \(rules.path) HTTP/1.1\r\nhost: ")
        request.writeBytes(endpoint.authority)
        request.writeStaticString("\r\nuser-agent: tollgate-health-check\r\nconnection: close\r\n\r\n")
        self.request = request
        self.rules = rules
        self.completion = completion
    }

    func start(_ connecting: EndpointConnecting, _ endpoint: Int, _ reactor: Reactor) {
        self.reactor = reactor
        // Holds on to the probe until the answer is there or the time is over.
        timer = reactor.schedule(at: reactor.now + rules.timeout) { self.finish(false) }
        connecting.connect(endpoint, timeout: rules.timeout, pool: nil) { [self] outcome in
            switch outcome {
            case .success(let connection): upstreamReady(connection)
            case .failure: finish(false)
            }
        }
    }

    func upstreamReady(_ connection: UpstreamConnection) {
        guard completion != nil else { return connection.close() }
        self.connection = connection
        connection.attach(self)
        connection.send(request)
    }

    func upstreamFailed(_ failure: UpstreamFailure) {
        finish(false)
    }

    func upstreamReceived(_ bytes: inout ByteBuffer) {
        // The status is what is asked for; whoever sent it need not finish its body.
        switch answer.received(bytes) {
        case .more:
            if let status = answer.status { finish(rules.statuses.contains(status)) }
        case .done(let status, _):
            finish(rules.statuses.contains(status))
        case .malformed:
            finish(false)
        }
    }

    func upstreamClosed(inOrder: Bool) -> RequestOutcome {
        connection = nil
        finish(false)
        return .unknown
    }

    func upstreamWritabilityChanged(_ isWritable: Bool) {}

    private func finish(_ isGood: Bool) {
        guard let completion else { return }
        self.completion = nil
        if let timer { reactor?.cancel(timer) }
        connection?.close()
        connection = nil
        completion(isGood)
    }
}
