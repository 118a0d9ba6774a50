import StrictJSON
import Upstream

extension UpstreamSettings {
    /// `Balancer.Policy` in this file's spelling.
    enum BalanceChoice: String, Sendable, CaseIterable {
        case roundRobin, leastRequest, consistentHash

        var value: Balancer.Policy {
            switch self {
            case .roundRobin: .roundRobin
            case .leastRequest: .leastRequest
            case .consistentHash: .consistentHash
            }
        }

        init(_ value: Balancer.Policy) {
            switch value {
            case .roundRobin: self = .roundRobin
            case .leastRequest: self = .leastRequest
            case .consistentHash: self = .consistentHash
            }
        }
    }
}

extension Kind where Value == Endpoint {
    /// An endpoint as a text, or as an object with its weight.
    static var weightedEndpoint: Kind {
        Kind(
            schema: { definitions in
                .members([
                    "anyOf": .list([
                        Kind<Endpoint>.endpoint.schema(&definitions),
                        WeightedEndpoint.shape.reference(in: &definitions),
                    ])
                ])
            },
            read: { json, reading in
                if case .object = json.value {
                    guard let weighted = WeightedEndpoint.shape.read(json, &reading), var endpoint = weighted.url else {
                        return nil
                    }
                    endpoint.weight = weighted.weight
                    return endpoint
                }
                return Kind<Endpoint>.endpoint.read(json, &reading)
            },
            write: { Kind<Endpoint>.endpoint.write($0) })
    }
}

/// A server and its share of the requests.
struct WeightedEndpoint: Sendable {
    var url: Endpoint?
    var weight = 1

    static let shape = Shape<WeightedEndpoint>(
        "Endpoint", "A server and its share of the requests.", prototype: WeightedEndpoint(),
        [
            Field(
                "url", \.url, Kind<Endpoint>.endpoint.map({ endpoint, _, _ in .some(endpoint) }, back: { $0 }),
                required: true, "\"http://host:port\" or \"https://host:port\"."),
            Field("weight", \.weight, .integer(1...1000), "How many requests it takes beside one of weight 1."),
        ])
}

extension HealthCheck {
    static let shape = Shape<HealthCheck>(
        "HealthCheck", "How endpoints are asked whether they are well: by one event loop for all.",
        prototype: HealthCheck(),
        [
            Field("path", \.path, .origin, "What is asked for with GET."),
            Field(
                "interval", \.interval, .nanoseconds(.milliseconds(100)...(.seconds(3_600))),
                "From the end of one check to the next."),
            Field(
                "timeout", \.timeout, .nanoseconds(.milliseconds(10)...(.seconds(300))),
                "How long connecting and the head of the answer may take."),
            Field("healthy", \.healthy, .integer(1...100), "Good answers in a row that bring an endpoint back."),
            Field("unhealthy", \.unhealthy, .integer(1...100), "Bad ones in a row that take it out of rotation."),
            Field("status", \.statuses, .statuses, "The statuses that are good."),
        ])
}

extension HealthStateMachine.Ejection {
    static let shape = Shape<HealthStateMachine.Ejection>(
        "Ejection",
        "When an endpoint gets no requests for a while because they fail there: with a server error, too late, or with"
            + " what is not HTTP. Each event loop finds out for itself.",
        prototype: HealthStateMachine.Ejection(),
        [
            Field("failures", \.failures, .integer(0...10_000), "Failed requests in a row; 0 for no ejections."),
            Field(
                "time", \.time, .nanoseconds(.milliseconds(100)...(.seconds(86_400))),
                "How long the first one lasts; doubled with each that follows soon. Then one request tries again."),
            Field(
                "maximumTime", \.maximumTime, .nanoseconds(.milliseconds(100)...(.seconds(86_400))),
                "How long it lasts at most."),
            Field(
                "maximumPercent", \.maximumPercent, .integer(0...100),
                "The part of the endpoints that may be out of rotation with it; a single endpoint is ejected only at"
                    + " 100."),
        ],
        check: { ejection, json, reading in
            if ejection.maximumTime < ejection.time {
                reading.error("maximumTime is shorter than time; make it at least as long", at: json)
            }
        })
}

extension RetryBudget.Rules {
    static let shape = Shape<RetryBudget.Rules>(
        "RetryBudget",
        "How many requests may be sent a second time, for each event loop; a hundred may be saved up.",
        prototype: RetryBudget.Rules(),
        [
            Field("percent", \.percent, .integer(0...100), "Retries per hundred requests."),
            Field("perSecond", \.perSecond, .integer(0...10_000), "Retries a second beside these."),
        ])
}

extension Kind where Value == String {
    /// A path, and perhaps a query, as it stands in a request line (RFC 9112 §3.2.1).
    static var origin: Kind {
        Kind<String>.text.map(
            { text, json, reading in
                guard text.utf8.first == UInt8(ascii: "/"), text.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else {
                    reading.error("\"\(text)\" is no path; it begins with / and holds no spaces", at: json)
                    return nil
                }
                return text
            }, back: { $0 })
    }
}

extension Kind where Value == ClosedRange<Int> {
    /// A status, or the first and the last of several: `200-399`.
    static var statuses: Kind {
        Kind<String>.text.map(
            { text, json, reading in
                let parts = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
                guard parts.count <= 2, let first = parts.first ?? nil, let last = parts.last ?? nil,
                    (100...599).contains(first), (first...599).contains(last)
                else {
                    reading.error("\"\(text)\" names no statuses; write such as \"200\" or \"200-399\"", at: json)
                    return nil
                }
                return first...last
            }, back: { $0.lowerBound == $0.upperBound ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" })
    }
}
