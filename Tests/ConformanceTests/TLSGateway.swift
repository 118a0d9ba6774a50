import Foundation
import TLS
import TestKit

/// A gateway with TLS listeners: `tls` with three certificates, two of them of the same names, `mutual`, which demands client certificates, `asking`,
/// which takes them, and `clear`.
final class TLSGateway: Sendable {
    let gateway: GatewayProcess
    let origin: RawOrigin
    let authority: Certificates
    let mint: TokenMint
    let ports: [String: Int]

    /// `members` replace those of the configuration; `files` are added to it.
    init(
        origin: RawOrigin? = nil, _ members: Literal = [:], files: [String: [UInt8]] = [:],
        authority: Certificates? = nil
    ) throws {
        let authority = try authority ?? Certificates()
        let origin = try origin ?? RawOrigin()
        mint = try TokenMint("RS256")
        var ports: [String: Int] = [:]
        for name in ["clear", "tls", "mutual", "asking", "balanced"] { ports[name] = try Socket.freePort() }
        let a = try authority.make("a", names: "DNS:a.test,IP:127.0.0.1")
        let b = try authority.make("b", names: "DNS:b.test,DNS:c.test")
        let rsa = try authority.make("rsa", names: "DNS:c.test,DNS:b.test", isRSA: true)
        let own: [String: [UInt8]] = [
            "tls/a.pem": a.chain, "tls/a.key": a.keyBytes, "tls/b.pem": b.chain, "tls/b.key": b.keyBytes,
            "tls/rsa.pem": rsa.chain, "tls/rsa.key": rsa.keyBytes,
            "tls/ca.pem": authority.authority.chain, "keys/auth.jwks.json": try TokenMint.jwks([mint]).bytes,
        ]
        gateway = try GatewayProcess(
            Self.configuration(ports, origin).merging(members), files: own.merging(files) { $1 })
        self.origin = origin
        self.authority = authority
        self.ports = ports
    }

    private static func configuration(_ ports: [String: Int], _ origin: RawOrigin) -> Literal {
        let certificate: Literal = ["certificate": "tls/a.pem", "key": "tls/a.key"]
        func listener(_ name: String, _ tls: Literal) -> Literal {
            ["name": .string(name), "address": .string("127.0.0.1:\(ports[name] ?? 0)"), "tls": tls]
        }
        func clients(_ required: Bool) -> Literal {
            [
                "certificates": [certificate],
                "clientCertificates": [
                    "authorities": "tls/ca.pem", "required": .bool(required),
                    "subjects": ["{{ cert:subject.CN }}", "{{ cert:san.uri }}"],
                ],
            ]
        }
        return [
            "workers": 2,
            "listeners": [
                ["name": "clear", "address": .string("127.0.0.1:\(ports["clear"] ?? 0)")],
                listener(
                    "tls",
                    [
                        "certificates": [
                            certificate, ["certificate": "tls/b.pem", "key": ["file": "tls/b.key"]],
                            ["certificate": "tls/rsa.pem", "key": "tls/rsa.key"],
                        ]
                    ]),
                listener("balanced", ["certificates": [certificate]]).merging([
                    "proxyProtocol": ["trustedPeers": ["127.0.0.0/8"]]
                ]),
                listener("mutual", clients(true)), listener("asking", clients(false)),
            ],
            "issuers": [
                "auth": [
                    "issuer": .string(Configuration.issuer), "audiences": [.string(Configuration.audience)],
                    "algorithms": ["RS256"], "keys": ["file": "keys/auth.jwks.json"],
                ]
            ],
            "rateLimit": ["requestsPerMinute": 1_000_000, "burst": 1_000_000],
            "limits": ["maximumBodyBytes": "1GiB"],
            "upstreams": ["origin": ["endpoints": [.string("http://127.0.0.1:\(origin.port)")]]],
            "routes": [
                Configuration.route("public", "/public/**", []),
                Configuration.route("certificate", "/certificate/**", ["clientCertificate"]),
                Configuration.route("persons", "/jwt/**", ["jwt"]),
                Configuration.route("either", "/either/**", ["jwt", "clientCertificate"]),
            ],
        ]
    }

    func stop() {
        gateway.kill()
        origin.stop()
    }

    /// A connection to one of the listeners; `certificate` is what the client shows.
    func connect(
        _ listener: String = "tls", host: String = "a.test", certificate: Certificates.Pair? = nil,
        receiveBuffer: Int32? = nil, preamble: String = ""
    ) throws -> RawClient {
        let port = ports[listener] ?? 0
        if listener == "clear" { return try RawClient(port: port) }
        let context = try TLSClientContext(
            TLSClientSettings(
                authorities: authority.authority.chain,
                certificate: certificate.map { TLSKeyPair(chain: $0.chain, key: $0.keyBytes) }),
            protocols: ["http/1.1"])
        return try RawClient(
            port: port, tls: context, host: host, receiveBuffer: receiveBuffer, preamble: Array(preamble.utf8))
    }

    /// The `Authorization` field of a token of ten minutes.
    func bearer(_ claims: Literal) throws -> String {
        let now = Int64(Date().timeIntervalSince1970)
        let standard: Literal = [
            "iss": .string(Configuration.issuer), "aud": .string(Configuration.audience), "sub": "alice",
            "iat": .integer(now - 5), "exp": .integer(now + 600),
        ]
        return "Authorization: Bearer " + (try mint.token(standard.merging(claims))) + "\r\n"
    }

    /// A sample of the metric of handshakes.
    func handshakes(_ result: String) throws -> Int {
        let text = try gateway.admin("/metrics")?.text ?? ""
        let line = text.split(separator: "\n").first {
            $0.hasPrefix("tollgate_tls_handshakes_total{result=\"\(result)\"}")
        }
        return line?.split(separator: " ").last.flatMap { Int($0) } ?? -1
    }
}

extension RawClient {
    /// One request and its answer.
    func get(_ target: String, _ fields: String = "") -> Message? {
        send("GET \(target) HTTP/1.1\r\nHost: gateway.test\r\n\(fields)\r\n")
        return answer()
    }
}
