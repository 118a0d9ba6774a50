package import Gate
import StrictJSON

/// One place where clients connect.
package struct ListenerSettings: Sendable {
    /// Unique among the listeners.
    package var name = "public"
    package var address = HostAndPort(host: "127.0.0.1", port: 8080)
    /// nil for cleartext.
    package var tls: ListenerTLSSettings?
    package var http2 = true
    /// nil where nobody speaks the PROXY protocol.
    var proxyProtocol: ProxyProtocolSettings?

    /// Peers whose connections begin with a header of the PROXY protocol.
    package var proxyPeers: [AddressBlock] {
        proxyProtocol?.trustedPeers.compactMap { AddressBlock($0.description) } ?? []
    }

    /// Whether a running listener is what this one says: all but its TLS, which can be changed meanwhile.
    package func isSamePlace(as other: ListenerSettings) -> Bool {
        name == other.name && address == other.address && http2 == other.http2
            && proxyProtocol?.trustedPeers == other.proxyProtocol?.trustedPeers
    }

    static let shape = Shape<ListenerSettings>(
        "Listener", "A place where clients connect with HTTP/1.1 or HTTP/2.", prototype: ListenerSettings(),
        [
            Field("name", \.name, .name, "Its name in logs; unique."),
            Field(
                "address", \.address, .address,
                "IP address or host name and port; IPv6 in brackets; port 0 lets the system choose."),
            Field("tls", \.tls, .optional(.object(ListenerTLSSettings.shape)), "Its TLS; null for cleartext."),
            Field(
                "http2", \.http2, .bool,
                "Whether clients may speak HTTP/2: by ALPN over TLS, else from their first byte on (prior knowledge)."),
            Field(
                "proxyProtocol", \.proxyProtocol, .optional(.object(ProxyProtocolSettings.shape)),
                "Load balancers in front that say with the PROXY protocol whom they speak for; null for none."),
        ])
}

/// Who speaks the PROXY protocol to a listener.
struct ProxyProtocolSettings: Sendable {
    var trustedPeers: [AddressRange] = []

    static let shape = Shape<ProxyProtocolSettings>(
        "ProxyProtocol", "Load balancers that begin each connection with the client's address, version 1 or 2.",
        prototype: ProxyProtocolSettings(),
        [
            Field(
                "trustedPeers", \.trustedPeers,
                .list(
                    .addressRange, atLeast: 1, orElse: "name the balancers' addresses",
                    check: { range, _, json, reading in
                        guard range.prefixLength == 0 else { return }
                        reading.warning("everybody can claim any address: name the balancers' networks", at: json)
                    }), required: true,
                "The balancers' addresses or blocks. Their connections have to begin with the header, and are closed"
                    + " without; nobody else's is read.")
        ])
}

/// Where operators connect.
package struct AdminSettings: Sendable {
    package var enabled = true
    package var address = HostAndPort(host: "127.0.0.1", port: 9090)

    static let shape = Shape<AdminSettings>(
        "Admin", "The listener for operators: /health/live, /health/ready, /metrics.", prototype: AdminSettings(),
        [
            Field("enabled", \.enabled, .bool, "Whether there is one."),
            Field("address", \.address, .address, "Keep it on loopback: it asks nobody who they are."),
        ],
        check: { admin, json, reading in
            guard admin.enabled, !admin.address.isLoopback, let address = json.member("address") else { return }
            reading.at(.member("address")) {
                $0.warning(
                    "\(admin.address) may be reached from other machines and asks nobody who they are;"
                        + " bind it to 127.0.0.1 unless the network keeps strangers away", at: address)
            }
        })
}

/// What the gateway says about itself.
package struct LoggingSettings: Sendable {
    /// From chatty to silent.
    package enum Level: String, Sendable, CaseIterable {
        case trace, debug, info, notice, warning, error, critical
    }

    /// How a line looks.
    package enum Format: String, Sendable, CaseIterable {
        case text, json
    }

    package var level = Level.info
    package var format = Format.text

    static let shape = Shape<LoggingSettings>(
        "Logging", "Lines on standard error about the gateway itself; requests go to the audit trail.",
        prototype: LoggingSettings(),
        [
            Field("level", \.level, .choice(), "The least severe level that is written."),
            Field("format", \.format, .choice(), "Text for people or one JSON object a line."),
        ])
}
