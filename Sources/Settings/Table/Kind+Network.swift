import StrictJSON
import Upstream

extension Kind where Value == HostAndPort {
    /// An address to listen on.
    static var address: Kind {
        Kind<String>.text.map(
            { text, json, reading in
                do throws(HostAndPort.Defect) {
                    return try HostAndPort(text)
                } catch {
                    switch error {
                    case .host:
                        reading.error(
                            "\"\(text)\" has no host to listen on; write \"127.0.0.1:8080\", \"0.0.0.0:8080\" or"
                                + " \"[::]:8080\"", at: json)
                    case .missingPort: reading.error("\"\(text)\" has no port; write \"\(text):8080\"", at: json)
                    case .port: reading.error("the port of \"\(text)\" is not in 0 to 65535", at: json)
                    }
                    return nil
                }
            }, back: { $0.description })
    }
}

extension Kind where Value == AddressRange {
    /// A range of IP addresses.
    static var addressRange: Kind {
        Kind<String>.text.map(
            { text, json, reading in
                do throws(AddressRange.Defect) {
                    return try AddressRange(text)
                } catch {
                    switch error {
                    case .address:
                        reading.error(
                            "\"\(text)\" is no range of IP addresses; write such as \"10.0.0.0/8\" or \"fd00::/8\"",
                            at: json)
                    case .prefix:
                        reading.error(
                            "the prefix length of \"\(text)\" is not in 0 to 32 (IPv4) or 128 (IPv6)", at: json)
                    case .hostBits(let meant):
                        reading.error(
                            "\"\(text)\" has bits set beyond its prefix; did you mean \"\(meant)\"?", at: json)
                    }
                    return nil
                }
            }, back: { $0.description })
    }
}

extension Kind where Value == Endpoint {
    /// A server to forward to: `http://host:port` or `https://host:port`.
    static var endpoint: Kind {
        Kind<String>.text.map(
            { text, json, reading in
                let lowercased = text.lowercased()
                let isSecure = lowercased.hasPrefix("https://")
                guard isSecure || lowercased.hasPrefix("http://") else {
                    reading.error("\"\(text)\" is no endpoint; write \"http://host:port\"", at: json)
                    return nil
                }
                var authority = String(text.dropFirst(isSecure ? "https://".count : "http://".count))
                if authority.utf8.last == UInt8(ascii: "/") { authority.removeLast() }
                guard !authority.utf8.contains(where: { "/?#@".utf8.contains($0) }) else {
                    reading.error(
                        "an endpoint is scheme, host and port only; the path is the route's business (\"rewrite\")",
                        at: json)
                    return nil
                }
                guard let place = try? HostAndPort(authority, defaultPort: isSecure ? 443 : 80), place.port > 0 else {
                    reading.error("\"\(text)\" has no valid host and port; write \"http://host:port\"", at: json)
                    return nil
                }
                return Endpoint(host: place.host, port: place.port, isSecure: isSecure)
            }, back: { "\($0.isSecure ? "https" : "http")://\(String(decoding: $0.authority, as: UTF8.self))" })
    }
}
