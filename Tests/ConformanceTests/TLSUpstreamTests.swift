import Foundation
import TLS
import TestKit
import Testing

extension Conformance {
    @Suite("TLS towards upstreams", .serialized)
    struct TLSUpstreamTests {
        private static let authority = Result { try Certificates() }

        /// A gateway before an origin that speaks TLS with a certificate of these names.
        private func gateway(
            names: String?, _ tls: Literal, files: [String: [UInt8]] = [:], asksForCertificates: Bool = false,
            host: String = "127.0.0.1"
        ) throws -> TLSGateway {
            let authority = try Self.authority.get()
            let pair = try authority.make("origin", subject: "/CN=localhost", names: names)
            let context = try TLSServerContext(
                TLSServerSettings(
                    certificates: [TLSKeyPair(chain: pair.chain, key: pair.keyBytes)],
                    clientCertificates: asksForCertificates
                        ? .init(authorities: authority.authority.chain, isRequired: true) : nil),
                protocols: ["http/1.1"], tickets: TLSTicketKeys(now: 0))
            let origin = try RawOrigin(tls: context)
            var upstream: Literal = [
                "endpoints": [.string("https://\(host):\(origin.port)")], "connectTimeout": "1s",
            ]
            upstream = upstream.merging(tls)
            return try TLSGateway(
                origin: origin, ["upstreams": ["origin": upstream]], files: files, authority: authority)
        }

        private func status(_ gateway: TLSGateway) throws -> Int? {
            defer { gateway.stop() }
            return try gateway.connect("clear").get("/public/x")?.status
        }

        private static let trusted: Literal = ["authorities": "tls/ca.pem"]

        @Test("a verified upstream answers, on kept connections")
        func verified() throws {
            let tls = try gateway(names: "IP:127.0.0.1", ["tls": Self.trusted])
            let client = try tls.connect()
            for _ in 0..<5 { #expect(client.get("/public/x")?.status == 200) }
            #expect(tls.origin.connections == 1)
            tls.stop()
            #expect(try status(gateway(names: "DNS:localhost", ["tls": Self.trusted], host: "localhost")) == 200)
        }

        @Test("an upstream that does not verify is 502, by authority, by address and by name")
        func unverified() throws {
            let tls = try gateway(names: "IP:127.0.0.1", [:])
            let answer = try tls.connect("clear").get("/public/x")
            #expect(answer?.status == 502)
            #expect(
                eventually {
                    tls.gateway.auditLines.contains { String(decoding: $0, as: UTF8.self).contains("upstream-tls") }
                })
            tls.stop()
            #expect(tls.origin.requests.isEmpty)
            #expect(try status(gateway(names: "IP:127.0.0.2", ["tls": Self.trusted])) == 502)
            #expect(try status(gateway(names: "DNS:other.test", ["tls": Self.trusted], host: "localhost")) == 502)
        }

        @Test("a common name is no host name")
        func commonName() throws {
            for (names, expected) in [("DNS:localhost", 200), (nil, 502)] as [(String?, Int)] {
                let tls = try gateway(names: names, ["tls": Self.trusted], host: "localhost")
                #expect(try status(tls) == expected)
            }
        }

        @Test("an upstream over HTTP/2 is asked for it by ALPN, and one that does not speak it is 502")
        func http2() throws {
            let authority = try Self.authority.get()
            let pair = try authority.make("origin", names: "IP:127.0.0.1")
            for (spoken, expected) in [("h2", 200), ("http/1.1", 502)] {
                let context = try TLSServerContext(
                    TLSServerSettings(certificates: [TLSKeyPair(chain: pair.chain, key: pair.keyBytes)]),
                    protocols: [spoken], tickets: TLSTicketKeys(now: 0))
                let origin = try HTTP2Origin(tls: context) { _ in
                    [.head("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"), .content([0x6F, 0x6B], ends: true)]
                }
                let upstream: Literal = [
                    "endpoints": [.string("https://127.0.0.1:\(origin.port)")], "connectTimeout": "1s",
                    "protocol": "http2", "tls": Self.trusted,
                ]
                let tls = try TLSGateway(
                    origin: RawOrigin(), ["upstreams": ["origin": upstream]], authority: authority)
                let client = try tls.connect("clear")
                for _ in 0..<(expected == 200 ? 3 : 1) { #expect(client.get("/public/x")?.status == expected) }
                if expected == 200 { #expect(origin.connections == 1 && origin.requests.count == 3) }
                tls.stop()
            }
        }

        @Test("the name can be given, verification be turned off, a certificate be shown")
        func settings() throws {
            let named: Literal = ["authorities": "tls/ca.pem", "serverName": "origin.test"]
            #expect(try status(gateway(names: "DNS:origin.test", ["tls": named])) == 200)
            #expect(try status(gateway(names: "DNS:other.test", ["tls": named])) == 502)
            #expect(try status(gateway(names: "DNS:other.test", ["tls": ["verify": false]])) == 200)
            let client = try Self.authority.get().make("gateway", subject: "/CN=gateway")
            let shown: Literal = ["authorities": "tls/ca.pem", "certificate": "g.pem", "key": "g.key"]
            let files = ["g.pem": client.chain, "g.key": client.keyBytes]
            #expect(
                try status(gateway(names: "IP:127.0.0.1", ["tls": shown], files: files, asksForCertificates: true))
                    == 200)
            #expect(try status(gateway(names: "IP:127.0.0.1", ["tls": Self.trusted], asksForCertificates: true)) == 502)
        }

        @Test(
            "an answer that lasts until the end is whole with close_notify and broken without",
            arguments: [true, false])
        func truncation(_ isCut: Bool) throws {
            let tls = try gateway(names: "IP:127.0.0.1", ["tls": Self.trusted])
            tls.origin.play { _ in
                .afterBody { _ in [.text("HTTP/1.1 200 OK\r\n\r\nhalf of it"), isCut ? .cut : .close] }
            }
            for listener in ["clear", "tls"] {
                let client = try tls.connect(listener)
                client.send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n")
                if isCut {
                    #expect(client.head()?.status == 200)
                    #expect(client.peerCloses() && client.wasReset, "\(listener)")
                    let text = String(decoding: client.rest, as: UTF8.self)
                    #expect(!text.contains("0\r\n\r\n"), "\(listener): \(text)")
                } else {
                    let answer = try #require(client.answer())
                    #expect(answer.status == 200 && answer.ending == .complete)
                    #expect(answer.text == "half of it" && answer.value("transfer-encoding") == "chunked")
                    #expect(!client.isEnded)
                }
            }
            tls.stop()
        }

        @Test("big answers arrive whole from an upstream with TLS")
        func bigAnswer() throws {
            let size = 16 << 20
            let piece = [UInt8](repeating: 0x61, count: 1 << 16)
            let tls = try gateway(names: "IP:127.0.0.1", ["tls": Self.trusted])
            tls.origin.play { _ in
                .afterBody { _ in
                    [
                        .text("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n"),
                        .sendMany(piece, times: size / piece.count),
                    ]
                }
            }
            let client = try tls.connect(receiveBuffer: 4096)
            client.send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.head()?.status == 200)
            let body = client.countBody(length: size, of: 0x61, within: .seconds(120))
            #expect(body.count == size && body.isRight)
            tls.stop()
        }
    }
}
