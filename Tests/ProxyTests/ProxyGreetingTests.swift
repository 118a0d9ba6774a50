import Gate
import Proxy
import RateLimit
import TestKit
import Testing

/// Connections of load balancers that say whom they speak for.
@Suite("The PROXY protocol in front") struct ProxyGreetingTests {
    private static let line = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 80\r\n"
    private static let get = "GET /public/a HTTP/1.1\r\nHost: a\r\n\r\n"
    /// Version 2, PROXY, TCP over IPv6 from 2001:db8::7, with an addition of three bytes.
    private static let binary: [UInt8] =
        [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A, 0x21, 0x21, 0, 39]
        + [0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7] + [UInt8](repeating: 0, count: 16)
        + [0x12, 0x67, 0, 80, 4, 0, 0]

    private func gateway(trusting block: String = "127.0.0.0/8", quota: Quota = .standard) async throws -> Gateway {
        try await Gateway(origin: RawOrigin(), quota: quota, proxyPeers: [try #require(AddressBlock(block))])
    }

    @Test("the client is who the header names, at once, byte by byte and in version 2") func named() async throws {
        let gateway = try await gateway()
        for (bytes, client) in [
            (Array((Self.line + Self.get).utf8), "192.0.2.7"), (Self.binary + Array(Self.get.utf8), "2001:db8::7"),
            (Array(("PROXY TCP6 ::ffff:192.0.2.8 ::1 4711 80\r\n" + Self.get).utf8), "192.0.2.8"),
        ] {
            for pieces in [[bytes], bytes.map { [$0] }] {
                let raw = try RawClient(port: gateway.port)
                for piece in pieces { raw.send(piece) }
                #expect(raw.answer()?.status == 200)
                raw.send(Self.get)
                #expect(raw.answer()?.status == 200)
                let seen = gateway.origin.takeRequests()
                #expect(seen.map { $0.value("x-forwarded-for") } == [client, client])
            }
        }
        await gateway.stop()
    }

    @Test("each client behind one balancer has a bucket of its own") func buckets() async throws {
        let gateway = try await gateway(quota: Quota(requestsPerMinute: 1, burst: 1))
        for client in 1...3 {
            let raw = try RawClient(port: gateway.port)
            raw.send("PROXY TCP4 192.0.2.\(client) 198.51.100.1 4711 80\r\n" + Self.get + Self.get)
            #expect([raw.answer()?.status, raw.answer()?.status] == [200, 429])
        }
        await gateway.stop()
    }

    @Test("a balancer that speaks for itself is its own client") func unnamed() async throws {
        let gateway = try await gateway()
        let local: [UInt8] = Array(Self.binary.prefix(12)) + [0x20, 0, 0, 0]
        for preamble in [Array("PROXY UNKNOWN\r\n".utf8), local] {
            let raw = try RawClient(port: gateway.port)
            raw.send(preamble + Array(Self.get.utf8))
            #expect(raw.answer()?.status == 200)
            #expect(gateway.origin.takeRequests().first?.value("x-forwarded-for") == "127.0.0.1")
        }
        await gateway.stop()
    }

    @Test("a trusted peer without a whole header is closed, and nothing is answered") func missing() async throws {
        let gateway = try await gateway()
        for bytes in [
            Array(Self.get.utf8), Array("PROXY TCP4 192.0.2.300 1.1.1.1 1 2\r\n\(Self.get)".utf8),
            Array("PROXY TCP4 192.0.2.7".utf8), [UInt8](repeating: 0x0D, count: 100),
            Array(Self.binary.prefix(14)) + [0xFF, 0xFF] + [UInt8](repeating: 0, count: 3000),
        ] {
            let socket = try Socket.connect(port: gateway.port)
            _ = socket.send(bytes)
            socket.finishSending()
            let end = socket.receive(by: .now + .seconds(60))
            #expect(end == .end || end == .reset)
            socket.close()
        }
        #expect(gateway.origin.requests.isEmpty)
        // A balancer that only looks whether somebody is there has done nothing wrong.
        try Socket.connect(port: gateway.port).close()
        let last = try RawClient(port: gateway.port)
        last.send(Self.line + Self.get)
        #expect(last.answer()?.status == 200)
        #expect(gateway.server.metrics.map(\.badProxyHeaders.value) == [5])
        await gateway.stop()
    }

    @Test("one that says nothing is closed when a head would be late") func silent() async throws {
        let gateway = try await Gateway(
            origin: RawOrigin(), adjust: { $0.headTimeout = 200_000_000 },
            proxyPeers: [try #require(AddressBlock("127.0.0.0/8"))])
        let socket = try Socket.connect(port: gateway.port)
        #expect(socket.receive(by: .now + .seconds(60)) == .end)
        socket.close()
        await gateway.stop()
    }

    @Test("from anybody else the header is no request") func untrusted() async throws {
        let gateway = try await gateway(trusting: "192.0.2.0/24")
        let raw = try RawClient(port: gateway.port)
        raw.send(Self.line + Self.get)
        #expect(raw.answer()?.status == 400)
        #expect(gateway.origin.requests.isEmpty)
        await gateway.stop()
    }

    @Test("HTTP/2 begins behind it") func http2() async throws {
        let gateway = try await gateway()
        let client = try HTTP2Client(port: gateway.port, preamble: Array(Self.line.utf8))
        #expect(client.answer(client.request("GET", "/public/a")).status == 200)
        #expect(gateway.origin.requests.first?.value("x-forwarded-for") == "192.0.2.7")
        await gateway.stop()
    }
}
