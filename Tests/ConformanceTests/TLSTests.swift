import Foundation
import StrictJSON
import TLS
import TestKit
import Testing

extension Conformance {
    @Suite("TLS on listeners", .serialized)
    struct TLSTests {
        @Test("the certificate is chosen by name, and the upstream is told of https")
        func names() throws {
            let tls = try TLSGateway()
            for (host, name) in [("a.test", "a.test"), ("b.test", "b.test"), ("127.0.0.1", "a.test")] {
                let client = try tls.connect(host: host)
                #expect(client.handshake?.isOpen == true, "\(host): \(client.handshake?.failure ?? "")")
                #expect(client.handshake?.certificate?.names[.dns]?.first == name)
                #expect(client.handshake?.applicationProtocol == "http/1.1")
                #expect(client.get("/public/x")?.status == 200)
                #expect(client.get("/public/y")?.status == 200)
            }
            let seen = try #require(tls.origin.requests.last)
            #expect(seen.value("x-forwarded-proto") == "https")
            #expect(seen.value("forwarded")?.contains("proto=https") == true)
            #expect(try eventually { try tls.handshakes("full") == 3 })
            tls.stop()
        }

        @Test("of two certificates with the same names each client gets the one whose key it can use")
        func twoKeys() throws {
            let tls = try TLSGateway()
            func signature(_ arguments: String...) throws -> String? {
                let place = ["-connect", "127.0.0.1:\(tls.ports["tls"] ?? 0)", "-servername", "b.test"]
                let said = try Certificates.openssl(["s_client"] + place + arguments)
                let lines = String(decoding: said, as: UTF8.self).split(separator: "\n")
                return lines.first { $0.hasPrefix("Peer signature type: ") }.map { String($0.dropFirst(21)) }
            }
            #expect(try signature("-sigalgs", "rsa_pss_rsae_sha256") == "RSA-PSS")
            #expect(try signature("-sigalgs", "ecdsa_secp256r1_sha256") == "ECDSA")
            #expect(try signature("-sigalgs", "rsa_pss_rsae_sha256:ecdsa_secp256r1_sha256") == "ECDSA")
            #expect(try signature("-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256") == "RSA-PSS")
            #expect(try signature("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256") == "ECDSA")
            tls.stop()
        }

        @Test("a balancer says whom it speaks for before the handshake")
        func balanced() throws {
            let tls = try TLSGateway()
            let client = try tls.connect(
                "balanced", preamble: "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n")
            #expect(client.handshake?.isOpen == true, "\(client.handshake?.failure ?? "")")
            #expect(client.get("/public/x")?.status == 200)
            #expect(tls.origin.requests.last?.value("x-forwarded-for") == "192.0.2.7")
            #expect(
                eventually {
                    tls.gateway.auditLines.contains {
                        String(decoding: $0, as: UTF8.self).contains("\"peer\":\"192.0.2.7\"")
                    }
                })
            let silent = try? tls.connect("balanced")
            #expect(silent?.handshake?.isOpen != true)
            #expect(
                try eventually {
                    try tls.gateway.admin("/metrics")?.text.contains("tollgate_bad_proxy_headers_total 1\n") == true
                })
            tls.stop()
        }

        @Test("TLS 1.1 is refused, 1.2 and 1.3 are resumed")
        func versions() throws {
            let tls = try TLSGateway()
            let place = ["-connect", "127.0.0.1:\(tls.ports["tls"] ?? 0)", "-servername", "a.test"]
            #expect(throws: Certificates.Failure.self) {
                try Certificates.openssl(["s_client", "-tls1_1", "-cipher", "ALL@SECLEVEL=0"] + place)
            }
            for version in ["-tls1_2", "-tls1_3"] {
                let file = tls.gateway.directory + "/session" + version
                let request = Array("GET /public/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8)
                // -ign_eof waits for the server to end, so that the ticket of TLS 1.3 has come.
                _ = try Certificates.openssl(
                    ["s_client", version, "-ign_eof", "-sess_out", file] + place, input: request)
                let again = try Certificates.openssl(
                    ["s_client", version, "-ign_eof", "-sess_in", file] + place, input: request)
                let text = String(decoding: again, as: UTF8.self)
                #expect(text.contains("Reused, TLSv"))
                // A ticket of TLS 1.3 is for one connection: the next one comes with it.
                #expect(version == "-tls1_2" || text.contains("New Session Ticket arrived"))
            }
            #expect(try eventually { try tls.handshakes("resumed") == 2 })
            #expect(try eventually { try tls.handshakes("failed") == 1 })
            tls.stop()
        }

        @Test("client certificates are demanded or taken, and name their holders")
        func clientCertificates() throws {
            let tls = try TLSGateway()
            let robot = try tls.authority.make("robot", subject: "/O=acme/CN=robot", names: "URI:urn:robot:1")
            let stranger = try Certificates("Another Authority").make("eve", subject: "/CN=robot")
            // In TLS 1.3 a client learns only after its own handshake that the server wants nothing of it.
            #expect(try tls.connect("mutual").get("/public/x") == nil)
            #expect(try tls.connect("mutual", certificate: stranger).get("/public/x") == nil)
            #expect(try tls.connect("asking", certificate: stranger).get("/public/x") == nil)
            #expect(try tls.connect("asking").get("/public/x")?.status == 200)
            #expect(try tls.connect("asking").get("/certificate/x")?.status == 401)
            #expect(try tls.connect("tls", certificate: robot).get("/certificate/x")?.status == 401)
            #expect(try tls.connect("clear").get("/certificate/x")?.status == 401)
            for listener in ["mutual", "asking"] {
                let client = try tls.connect(listener, certificate: robot)
                for _ in 0..<3 { #expect(client.get("/certificate/x")?.status == 200) }
                #expect(client.get("/jwt/x")?.status == 401)
                #expect(client.get("/either/x", "x-cr-api-token: nobody looks at it\r\n")?.status == 200)
                // Whoever shows a token is whom the token says.
                #expect(client.get("/either/x", try tls.bearer([:]))?.status == 200)
                #expect(tls.origin.requests.last?.value("x-tollgate-subject") == "auth:alice")
            }
            let seen = try #require(tls.origin.requests.last { $0.target.hasPrefix("/certificate") })
            #expect(seen.value("x-tollgate-subjects") == "certificate:robot,certificate:urn:robot:1")
            #expect(seen.value("x-tollgate-client") == "certificate:robot")
            #expect(
                eventually {
                    tls.gateway.auditLines.contains {
                        String(decoding: $0, as: UTF8.self).contains("\"credential\":\"certificate\"")
                    }
                })
            tls.stop()
        }

        @Test("an authority that is withdrawn vouches no more for those who are connected already, and others go on")
        func withdrawnAuthority() throws {
            let other = try Certificates("Another Authority")
            let tls = try TLSGateway()
            let (robot, stranger) = (
                try tls.authority.make("robot", subject: "/CN=robot"), try other.make("carol", subject: "/CN=carol")
            )
            let place = tls.gateway.directory + "/tls/ca.pem"
            let both = tls.authority.authority.chain + other.authority.chain
            try TemporaryDirectory.write(both, to: place)
            let isIn = try eventually {
                try tls.connect("asking", certificate: stranger).get("/certificate/x")?.status == 200
            }
            #expect(isIn)
            let bound = try tls.bearer(["cnf": ["x5t#S256": .string(try stranger.thumbprint())]])
            let (kept, left) = (
                try tls.connect("asking", certificate: robot), try tls.connect("asking", certificate: stranger)
            )
            #expect(kept.get("/certificate/x")?.status == 200)
            #expect(left.get("/certificate/x")?.status == 200)
            #expect(left.get("/jwt/x", bound)?.status == 200)
            try TemporaryDirectory.write(tls.authority.authority.chain, to: place)
            #expect(eventually { left.get("/certificate/x")?.status == 401 })
            #expect(left.get("/jwt/x", bound)?.status == 401)
            #expect(kept.get("/certificate/x")?.status == 200)
            // What does not go by the certificate is served on the same connection.
            #expect(left.get("/public/x")?.status == 200)
            try TemporaryDirectory.write(both, to: place)
            #expect(eventually { left.get("/certificate/x")?.status == 200 })
            #expect(left.get("/jwt/x", bound)?.status == 200)
            tls.stop()
        }

        @Test("a token that is bound to a certificate is good only where that is shown (RFC 8705)")
        func boundTokens() throws {
            let tls = try TLSGateway()
            let robot = try tls.authority.make("robot", subject: "/CN=robot")
            let other = try tls.authority.make("other", subject: "/CN=other")
            let field = try tls.bearer(["cnf": ["x5t#S256": .string(try robot.thumbprint())]])
            func refusal(_ client: RawClient) -> String? {
                let answer = client.get("/jwt/x", field)
                return answer?.status == 401 ? answer?.value("www-authenticate") : nil
            }
            // Before the token is known to any cache, and after it.
            for _ in 0..<2 {
                #expect(try refusal(tls.connect("clear"))?.contains("invalid_token") == true)
                #expect(try refusal(tls.connect("tls"))?.contains("invalid_token") == true)
                #expect(try refusal(tls.connect("asking"))?.contains("invalid_token") == true)
                #expect(try refusal(tls.connect("asking", certificate: other))?.contains("invalid_token") == true)
                let client = try tls.connect("asking", certificate: robot)
                for _ in 0..<3 { #expect(client.get("/jwt/x", field)?.status == 200) }
            }
            let client = try tls.connect("asking", certificate: robot)
            #expect(client.get("/jwt/x", try tls.bearer([:]))?.status == 200)
            for confirmation: Literal in ["text", ["x5t#S256": 7], ["x5t#S256": "AAAA"]] {
                #expect(client.get("/jwt/x", try tls.bearer(["cnf": confirmation]))?.status == 401)
            }
            tls.stop()
        }

        @Test("changed certificates serve new handshakes and leave connections alone; bad ones change nothing")
        func reload() throws {
            let tls = try TLSGateway()
            let folder = tls.gateway.directory + "/tls/"
            let old = try tls.connect()
            #expect(old.get("/public/x")?.status == 200)
            let before = try #require(old.handshake?.certificate?.thumbprint)
            let renewed = try tls.authority.make("renewed", names: "DNS:a.test")
            try TemporaryDirectory.write(Array("nonsense".utf8), to: folder + "a.pem")
            #expect(eventually { tls.gateway.standardError.contains("a.pem: there is no certificate in PEM in it") })
            #expect(try tls.connect().handshake?.certificate?.thumbprint == before)
            // The key comes a moment after its certificate: until then the old pair serves.
            try TemporaryDirectory.write(renewed.chain, to: folder + "a.pem")
            #expect(eventually { tls.gateway.standardError.contains("the key does not belong to the certificate") })
            #expect(try tls.connect().handshake?.certificate?.thumbprint == before)
            try TemporaryDirectory.write(renewed.keyBytes, to: folder + "a.key")
            let wanted = try TLSCertificate(pem: renewed.chain).thumbprint
            #expect(try eventually { try tls.connect().handshake?.certificate?.thumbprint == wanted })
            #expect(old.get("/public/x")?.status == 200)
            tls.stop()
        }

        @Test("a handshake that does not come to its end in time is cut")
        func slowHandshake() throws {
            let tls = try TLSGateway(["limits": ["headerTimeout": "1s"]])
            let silent = try RawClient(port: tls.ports["tls"] ?? 0)
            let halfway = try RawClient(port: tls.ports["tls"] ?? 0)
            halfway.send([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])
            #expect(halfway.peerCloses())
            #expect(silent.peerCloses())
            #expect(try eventually { try tls.handshakes("timed-out") == 2 })
            #expect(try tls.connect().get("/public/x")?.status == 200)
            tls.stop()
        }

        @Test("what is no TLS ends its connection and nothing else")
        func garbage() throws {
            let tls = try TLSGateway()
            for bytes in [latin1("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), [UInt8](repeating: 0xff, count: 70_000)] {
                let client = try RawClient(port: tls.ports["tls"] ?? 0)
                client.send(bytes)
                #expect(client.peerCloses())
            }
            #expect(try eventually { try tls.handshakes("failed") == 2 })
            #expect(try tls.connect().get("/public/x")?.status == 200)
            tls.stop()
        }

        @Test("an https target is right on TLS and misdirected in the clear (RFC 9110 §7.4)")
        func targets() throws {
            let tls = try TLSGateway()
            #expect(try tls.connect().get("https://gateway.test/public/x")?.status == 200)
            #expect(try tls.connect("clear").get("https://gateway.test/public/x")?.status == 421)
            #expect(try tls.connect("clear").get("http://gateway.test/public/x")?.status == 200)
            tls.stop()
        }

        @Test("a client that says it will send nothing more still gets its answer")
        func halfClose() throws {
            let tls = try TLSGateway()
            let client = try tls.connect()
            client.send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n")
            client.finishSending()
            #expect(client.answer()?.status == 200)
            #expect(client.peerCloses())
            #expect(!client.wasReset)
            tls.stop()
        }

        @Test("bodies of 24 MiB go both ways past slow readers, byte for byte")
        func bigBodies() throws {
            let size = 24 << 20
            let piece = [UInt8](repeating: 0x61, count: 1 << 16)
            let tls = try TLSGateway()
            tls.origin.play { _ in
                .afterBody { request in
                    let isRight = request.body.count == size && request.body.allSatisfy { $0 == 0x62 }
                    return [
                        .text("HTTP/1.1 200 OK\r\nX-Right: \(isRight)\r\nContent-Length: \(size)\r\n\r\n"),
                        .sendMany(piece, times: size / piece.count),
                    ]
                }
            }
            let client = try tls.connect(receiveBuffer: 4096)
            client.send("POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n")
            #expect(client.send([UInt8](repeating: 0x62, count: size)))
            let head = try #require(client.head(within: .seconds(60)))
            #expect(head.value("x-right") == "true")
            let body = client.countBody(length: size, of: 0x61, within: .seconds(120))
            #expect(body.count == size)
            #expect(body.isRight)
            // Back-pressure: nothing of this was held.
            #expect(try #require(tls.gateway.memory("VmHWM")) < 200_000)
            tls.stop()
        }

        @Test("a thousand handshakes leave no descriptor and no memory behind")
        func leaks() throws {
            let tls = try TLSGateway()
            let folder = "/proc/\(tls.gateway.processID)/fd"
            func descriptors() -> Int { (try? FileManager.default.contentsOfDirectory(atPath: folder).count) ?? -1 }
            func volley(_ count: Int) throws {
                for number in 0..<count {
                    let client = try tls.connect()
                    if number % 2 == 0 { #expect(client.get("/public/x")?.status == 200) }
                    if number % 3 == 0 { client.cut() }
                }
            }
            try volley(200)
            #expect(
                try eventually { try tls.gateway.admin("/metrics")?.text.contains("tollgate_connections 0") == true })
            let (open, memory) = (descriptors(), try #require(tls.gateway.memory("VmRSS")))
            try volley(1000)
            #expect(eventually { descriptors() <= open }, "\(descriptors()) instead of \(open)")
            // A session takes some 20 KiB: kept ones would be 20 MB. The thread sanitizer's own memory would count with it.
            if ProcessInfo.processInfo.environment["TSAN_OPTIONS"] == nil {
                #expect(try #require(tls.gateway.memory("VmRSS")) - memory < 8_000)
            }
            tls.stop()
        }
    }
}
