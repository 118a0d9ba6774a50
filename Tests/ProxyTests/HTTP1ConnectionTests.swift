import Gate
import Proxy
import RateLimit
import TestKit
import Testing
import Wire

/// Connections take turns at one handler: nothing of one may show on another.
@Suite("HTTP/1.1 connections that are idle between requests") struct HTTP1ConnectionTests {
    private static let get = "GET /public/a HTTP/1.1\r\nHost: a\r\n\r\n"
    private static let guarded = "GET /guarded/open HTTP/1.1\r\nHost: a\r\n"

    private func balanced(_ quota: Quota = .standard) async throws -> Gateway {
        try await Gateway(origin: RawOrigin(), quota: quota, proxyPeers: [try #require(AddressBlock("127.0.0.0/8"))])
    }

    @Test("each request is that of its own peer") func peers() async throws {
        let gateway = try await balanced()
        let clients = try ["192.0.2.7", "192.0.2.8", "2001:db8::7"].map { address in
            let client = try RawClient(port: gateway.port)
            client.send("PROXY TCP\(address.contains(":") ? 6 : 4) \(address) \(address) 4711 80\r\n")
            return (address, client)
        }
        for _ in 0..<3 {
            for (address, client) in clients {
                client.send(Self.get)
                #expect(client.answer()?.status == 200)
                let seen = gateway.origin.takeRequests()
                #expect(seen.map { $0.value("x-forwarded-for") } == [address])
                let node = address.contains(":") ? "\"[\(address)]\"" : address
                #expect(seen.map { $0.value("forwarded") } == ["for=\(node);proto=http;host=\"a\""])
            }
        }
        await gateway.stop()
    }

    @Test("each has the bucket of its own peer") func buckets() async throws {
        let gateway = try await balanced(Quota(requestsPerMinute: 1, burst: 2))
        let clients = try (1...3).map { client in
            let raw = try RawClient(port: gateway.port)
            raw.send("PROXY TCP4 192.0.2.\(client) 198.51.100.1 4711 80\r\n")
            return raw
        }
        for status in [200, 200, 429] {
            for client in clients {
                client.send(Self.get)
                #expect(client.answer()?.status == status)
            }
        }
        await gateway.stop()
    }

    @Test("a credential is that of its own request") func credentials() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        let (one, other) = (try RawClient(port: gateway.port), try RawClient(port: gateway.port))
        for _ in 0..<3 {
            one.send(Self.guarded + "x-cr-api-token: \(Gateway.token)\r\n\r\n")
            #expect(one.answer()?.status == 200)
            other.send(Self.guarded + "\r\n")
            #expect(other.answer()?.status == 401)
        }
        await gateway.stop()
    }

    @Test("a head that has begun is not disturbed by a request of somebody else") func halves() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        let (slow, quick) = (try RawClient(port: gateway.port), try RawClient(port: gateway.port))
        let request = Array("POST /public/slow HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello".utf8)
        for cut in request.indices {
            slow.send(Array(request[..<cut]))
            quick.send(Self.get)
            #expect(quick.answer()?.status == 200)
            slow.send(Array(request[cut...]))
            #expect(slow.answer()?.text == "hello")
        }
        await gateway.stop()
    }

    @Test("HTTP/2 begins where somebody else's requests went before") func http2() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        let first = try RawClient(port: gateway.port)
        for _ in 0..<2 {
            first.send(Self.get)
            #expect(first.answer()?.status == 200)
            let client = try HTTP2Client(port: gateway.port)
            #expect(client.answer(client.request("GET", "/public/a")).status == 200)
        }
        await gateway.stop()
    }

    @Test("an idle connection goes by the limits of a new configuration") func limits() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        let client = try RawClient(port: gateway.port)
        let padded = "GET /public/a HTTP/1.1\r\nHost: a\r\nX-Pad: \(String(repeating: "x", count: 3000))\r\n\r\n"
        client.send(padded)
        #expect(client.answer()?.status == 200)
        gateway.server.publish(
            try Gateway.publication(
                origin: gateway.origin.port, quota: .standard, adjust: { $0.head.maximumHeadBytes = 2048 }))
        // Adopted by the request that begins next, whose head is read already.
        client.send(Self.get)
        #expect(client.answer()?.status == 200)
        client.send(padded)
        #expect(client.answer()?.status == 431)
        await gateway.stop()
    }

    @Test("one that stays idle is closed, and so is one that has never said anything") func idle() async throws {
        let gateway = try await Gateway(origin: RawOrigin(), adjust: { $0.idleTimeout = 200_000_000 })
        let (silent, client) = (try RawClient(port: gateway.port), try RawClient(port: gateway.port))
        client.send(Self.get)
        #expect(client.answer()?.status == 200)
        #expect(silent.peerCloses())
        #expect(client.peerCloses())
        #expect(eventually { gateway.server.metrics.map(\.closedConnections.value) == [2] })
        await gateway.stop()
    }

    @Test("one that ends while it is idle is closed and counted") func ends() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        for _ in 0..<3 {
            let (orderly, cut) = (try RawClient(port: gateway.port), try RawClient(port: gateway.port))
            for client in [orderly, cut] {
                client.send(Self.get)
                #expect(client.answer()?.status == 200)
            }
            orderly.finishSending()
            #expect(orderly.peerCloses())
            cut.reset()
        }
        #expect(eventually { gateway.server.metrics.map(\.closedConnections.value) == [6] })
        await gateway.stop()
    }
}
