import StrictJSON
import TLS
package import Upstream

extension UpstreamSettings: Named {
    /// What stands in the Host field; `UpstreamSettings.HostField` in this file's spelling.
    enum HostChoice: String, Sendable, CaseIterable {
        case preserve, endpoint

        var value: HostField {
            switch self {
            case .preserve: .preserve
            case .endpoint: .endpoint
            }
        }

        init(_ value: HostField) {
            switch value {
            case .preserve: self = .preserve
            case .endpoint: self = .endpoint
            }
        }
    }

    /// What its servers speak; `UpstreamSettings.speaksHTTP2` in this file's spelling.
    enum ProtocolChoice: String, Sendable, CaseIterable {
        case http1, http2
    }

    static let shape = Shape<UpstreamSettings>(
        "Upstream", "A group of equal servers behind the gateway.",
        prototype: UpstreamSettings(
            name: "", endpoints: [], connectTimeout: 5_000_000_000, responseTimeout: 30_000_000_000,
            idleTimeout: 60_000_000_000, maximumIdle: 512, maximumConnections: 1024, maximumPending: 1024),
        [
            Field(
                "endpoints", \.endpoints,
                .list(
                    .weightedEndpoint, atLeast: 1, orElse: "name an endpoint",
                    check: { endpoint, earlier, json, reading in
                        if earlier.contains(where: { $0.authority == endpoint.authority }) {
                            reading.error("the endpoint stands twice; remove one", at: json)
                        }
                    }), required: true,
                "The servers: \"http://host:port\", or \"https://host:port\" for all of them."),
            Field(
                "tls", \.tls, UpstreamTLSSettings.kind,
                "TLS towards https:// endpoints; null verifies them with the system's authorities."),
            Field(
                "protocol", \.speaksHTTP2,
                Kind<ProtocolChoice>.choice().map({ choice, _, _ in choice == .http2 }, back: { $0 ? .http2 : .http1 }),
                "What the servers speak. \"http2\" is for gRPC: over TLS by ALPN, else with prior knowledge. A connection"
                    + " then carries many requests, and those that the other settings count are requests."),
            Field(
                "balance", \.balance,
                Kind<BalanceChoice>.choice().map({ choice, _, _ in choice.value }, back: { .init($0) }),
                "Who takes the next request: each in its turn, the less busy of two drawn by chance, or always the same"
                    + " for a client. All heed the weights."),
            Field(
                "connectTimeout", \.connectTimeout, .nanoseconds(.milliseconds(10)...(.seconds(300))),
                "How long connecting may take; a refused connection is tried again within it."),
            Field(
                "responseTimeout", \.responseTimeout, .nanoseconds(.milliseconds(10)...(.seconds(86_400))),
                "How long an answer's head may take, all of it; then 504. And how long its body may pause; then it is cut."
            ),
            Field(
                "idleTimeout", \.idleTimeout, .nanoseconds(.milliseconds(10)...(.seconds(86_400))),
                "How long an unused connection is kept; less than the server itself keeps it."),
            Field(
                "maximumIdlePerWorker", \.maximumIdle, .integer(0...1_000_000),
                "Unused connections that each event loop keeps."),
            Field(
                "maximumConnectionsPerWorker", \.maximumConnections, .integer(1...1_000_000),
                "Connections that each event loop may have open."),
            Field(
                "maximumPendingPerWorker", \.maximumPending, .integer(0...1_000_000),
                "Requests of each event loop that may wait for a connection; the next is answered 503."),
            Field(
                "host", \.hostField,
                Kind<HostChoice>.choice().map({ choice, _, _ in choice.value }, back: { .init($0) }),
                "What stands in the Host field: what the client asked for, or the endpoint's host and port."),
            Field(
                "healthCheck", \.healthCheck, .optional(.object(HealthCheck.shape)),
                "How endpoints are asked whether they are well; null for not at all."),
            Field(
                "ejection", \.ejection, .object(HealthStateMachine.Ejection.shape),
                "When an endpoint gets no requests for a while because they fail there."),
            Field(
                "retries", \.retries, .object(RetryBudget.Rules.shape),
                "How many requests may be sent a second time."),
            Field(
                "resolveEvery", \.resolveEvery, .nanoseconds(.seconds(1)...(.seconds(86_400))),
                "How often the addresses of host names are looked up again."),
        ],
        check: { upstream, json, reading in
            checkSecurity(&upstream, json, &reading)
            // Who bounds the connections alone has bounded these as well.
            if upstream.maximumIdle > upstream.maximumConnections, json.member("maximumIdlePerWorker") != nil {
                reading.error(
                    "maximumIdlePerWorker (\(upstream.maximumIdle)) is more than maximumConnectionsPerWorker"
                        + " (\(upstream.maximumConnections))", at: json)
            }
        })

    /// All endpoints are secure or none is: a request that may go to either would be no better than cleartext.
    private static func checkSecurity(_ upstream: inout UpstreamSettings, _ json: JSON, _ reading: inout Reading) {
        let secure = upstream.endpoints.count(where: \.isSecure)
        if secure > 0, secure < upstream.endpoints.count {
            reading.error(
                "some endpoints are https:// and some http://; make two upstreams of them", below: ["endpoints"],
                of: json)
        }
        if secure > 0, upstream.tls == nil, !reading.hasErrors(at: reading.path.member("tls")) {
            upstream.tls = UpstreamTLSSettings.context(TLSClientSettings(), at: json, &reading) ?? nil
        }
        if upstream.speaksHTTP2, let tls = upstream.tls {
            upstream.tls = UpstreamTLSSettings.context(tls.settings, protocols: ["h2"], at: json, &reading) ?? nil
        }
        if secure == 0, upstream.tls != nil, !upstream.endpoints.isEmpty {
            reading.error("\"tls\" is for https:// endpoints, and these are http://", below: ["tls"], of: json)
        }
    }
}
