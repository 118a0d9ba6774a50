import HTTP2
import Proxy
import TestKit
import Testing
import Upstream

@Suite("HTTP/2 behind") struct HTTP2UpstreamTests {
    private static let ok: @Sendable (HTTP2Origin.Request) -> [HTTP2Origin.Step] = { request in
        [
            .head("HTTP/1.1 200 OK\r\nx-path: \(request.path)\r\ncontent-length: \(request.body.count)\r\n\r\n"),
            .content(request.body, ends: true),
        ]
    }

    private func gateway(
        _ origin: HTTP2Origin, settings: (inout UpstreamSettings) -> Void = { _ in }
    ) async throws -> Gateway {
        try await Gateway(
            origin: RawOrigin(),
            settings: { upstream in
                upstream.endpoints = [Endpoint(host: "127.0.0.1", port: origin.port)]
                upstream.speaksHTTP2 = true
                settings(&upstream)
            })
    }

    @Test("A request of HTTP/1.1 is forwarded, again and again on one connection") func requests() async throws {
        let origin = try HTTP2Origin(script: Self.ok)
        let gateway = try await gateway(origin)
        let client = try RawClient(port: gateway.port)
        for number in 0..<300 {
            let body = number % 3 == 0 ? "" : String(repeating: "b", count: number * 100)
            client.send(
                "POST /public/\(number)?q HTTP/1.1\r\nHost: api.example\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            )
            let answer = client.answer()
            #expect(answer?.status == 200 && answer?.body == Array(body.utf8))
            #expect(answer?.value("x-path") == "/public/\(number)?q")
        }
        #expect(origin.connections == 1)
        let first = try #require(origin.requests.first)
        #expect(first.head.hasPrefix("POST /public/0?q HTTP/1.1\r\nhost: api.example\r\n"))
        #expect(first.has("via: 1.1 tollgate"))
        #expect(!first.head.contains("connection:"))
        await gateway.stop()
    }

    @Test("Requests of many clients at a time share a connection") func shared() async throws {
        let origin = try HTTP2Origin(script: Self.ok)
        let gateway = try await gateway(origin)
        let client = try HTTP2Client(port: gateway.port)
        for round in 0..<3 {
            let streams = (0..<90).map { client.request("GET", "/public/\(round)/\($0)") }
            for (index, stream) in streams.enumerated() {
                let answer = client.answer(stream)
                #expect(answer.status == 200 && answer.has("x-path: /public/\(round)/\(index)"))
            }
        }
        #expect(origin.connections == 1)
        await gateway.stop()
    }

    @Test("A server that takes few requests at a time gets no more, and all are answered") func narrow() async throws {
        var limits = HTTP2Limits()
        limits.maximumConcurrentStreams = 3
        let origin = try HTTP2Origin(limits: limits, script: Self.ok)
        let gateway = try await gateway(origin)
        let client = try HTTP2Client(port: gateway.port)
        for _ in 0..<2 {
            let streams = (0..<60).map { client.request("POST", "/public/\($0)", body: Array("abc".utf8)) }
            #expect(streams.allSatisfy { client.answer($0).status == 200 })
        }
        await gateway.stop()
    }

    @Test("Content goes both ways as the windows let it") func content() async throws {
        var limits = HTTP2Limits()
        (limits.streamWindow, limits.connectionWindow) = (5000, 65535)
        let origin = try HTTP2Origin(limits: limits, script: Self.ok)
        let gateway = try await gateway(origin)
        let body = (0..<900_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let client = try HTTP2Client(port: gateway.port)
        let sized = client.answer(
            client.request("POST", "/public/a", "content-length: \(body.count)\r\n", body: body))
        #expect(sized.isWhole && sized.body == body)
        let chunked = client.answer(client.request("POST", "/public/a", body: body))
        #expect(chunked.isWhole && chunked.body == body)
        await gateway.stop()
    }

    @Test("A client that does not take its answer holds the server back, and no other client") func backPressure()
        async throws
    {
        let size = 6 << 20
        let origin = try HTTP2Origin { request in
            request.path == "/public/big"
                ? [.head("HTTP/1.1 200 OK\r\n\r\n"), .content([UInt8](repeating: 7, count: size), ends: true)]
                : Self.ok(request)
        }
        let gateway = try await gateway(origin)
        var limits = HTTP2Limits()
        (limits.streamWindow, limits.connectionWindow) = (4096, 65535)
        let slow = try HTTP2Client(port: gateway.port, limits: limits)
        slow.consumes = false
        let stream = try #require(slow.request("GET", "/public/big"))
        #expect(slow.wait { slow.soFar(stream).body.count == 4096 })
        let other = try RawClient(port: gateway.port)
        other.send("GET /public/a HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(other.answer()?.status == 200)
        #expect(origin.connections == 1)
        slow.consumes = true
        slow.consume(4096, of: stream)
        let whole = slow.answer(stream)
        #expect(whole.isWhole && whole.body.count == size && whole.body.allSatisfy { $0 == 7 })
        await gateway.stop()
    }

    // MARK: Trailers

    @Test("A call of gRPC goes through: te, content without a length, trailers") func call() async throws {
        let origin = try HTTP2Origin { request in
            [
                .head("HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\n\r\n"), .content(request.body),
                .trailers("grpc-status: 0\r\ngrpc-message: fine\r\ncontent-length: 5\r\nx-tollgate-client: me\r\n"),
            ]
        }
        let gateway = try await gateway(origin)
        let client = try HTTP2Client(port: gateway.port)
        let message: [UInt8] = [0, 0, 0, 0, 3, 1, 2, 3]
        let stream = client.request(
            "POST", "/public/a.B/C", "content-type: application/grpc\r\nte: trailers\r\n", body: message)
        let answer = client.answer(stream)
        #expect(answer.status == 200 && answer.isWhole && answer.body == message)
        #expect(answer.trailers == "grpc-status: 0\r\ngrpc-message: fine\r\n")
        let seen = try #require(origin.requests.first)
        #expect(seen.has("te: trailers") && seen.has("content-type: application/grpc") && seen.body == message)
        await gateway.stop()
    }

    @Test("An answer of trailers alone, and one without content before them") func trailersOnly() async throws {
        let origin = try HTTP2Origin { request in
            request.path == "/public/only"
                ? [.head("HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 5\r\n\r\n", ends: true)]
                : [.head("HTTP/1.1 200 OK\r\n\r\n"), .trailers("grpc-status: 7\r\n")]
        }
        let gateway = try await gateway(origin)
        let client = try HTTP2Client(port: gateway.port)
        let only = client.answer(client.request("POST", "/public/only", "te: trailers\r\n", body: [1]))
        #expect(only.has("grpc-status: 5") && only.isWhole && only.body.isEmpty)
        let empty = client.answer(client.request("POST", "/public/empty", "te: trailers\r\n", body: [1]))
        #expect(empty.trailers == "grpc-status: 7\r\n" && empty.isWhole)
        let unasked = client.answer(client.request("POST", "/public/empty", body: [1]))
        #expect(unasked.trailers == nil && unasked.isWhole && unasked.status == 200)
        #expect(origin.requests.map { $0.has("te: trailers") } == [true, true, false])
        await gateway.stop()
    }

    @Test("A refused call is told so in gRPC's own terms, any other request is not") func refusedCall() async throws {
        let origin = try HTTP2Origin { _ in [.reset(.internalError)] }
        let gateway = try await gateway(origin)
        let client = try HTTP2Client(port: gateway.port)
        for (path, type, status, code) in [
            ("/guarded/open", "application/grpc", 401, "16"), ("/nowhere", "application/grpc+proto", 404, "12"),
            ("/public/a", "Application/gRPC; x=y", 502, "14"), ("/guarded/open", "application/grpc-web", 401, nil),
            ("/guarded/open", "application/grp", 401, nil), ("/guarded/open", "text/plain", 401, nil),
        ] {
            let answer = client.answer(
                client.request("POST", path, "content-type: \(type)\r\nte: trailers\r\n", body: [0, 0, 0, 0, 0]))
            #expect(answer.status == status && answer.isWhole)
            #expect(answer.has("grpc-status: \(code ?? "none")") == (code != nil), "\(type)")
            #expect(answer.body.isEmpty == (code != nil))
        }
        await gateway.stop()
    }

    @Test("A client of HTTP/1.1 that takes trailers gets them in its last chunk") func chunkedTrailers() async throws {
        let origin = try HTTP2Origin { _ in
            [.head("HTTP/1.1 200 OK\r\n\r\n"), .content([0x61]), .trailers("x-sum: 1\r\nset-cookie: a=b\r\n")]
        }
        let gateway = try await gateway(origin)
        let client = try RawClient(port: gateway.port)
        for (field, trailers) in [("TE: gzip, Trailers\r\n", ["x-sum"]), ("", [])] {
            client.send("GET /public/a HTTP/1.1\r\nHost: a\r\n\(field)\r\n")
            let answer = try #require(client.answer())
            #expect(answer.body == [0x61])
            #expect(answer.trailers.map(\.name) == trailers)
        }
        await gateway.stop()
    }

    // MARK: Ends

    @Test("A server that resets a stream fails that request alone") func reset() async throws {
        let origin = try HTTP2Origin { request in
            switch request.path {
            case "/public/early": [.reset(.internalError)]
            case "/public/late": [.head("HTTP/1.1 200 OK\r\n\r\n"), .content([1, 2, 3]), .reset(.cancel)]
            case _: Self.ok(request)
            }
        }
        let gateway = try await gateway(origin)
        let client = try HTTP2Client(port: gateway.port)
        #expect(client.answer(client.request("POST", "/public/early", body: [1])).status == 502)
        let late = client.answer(client.request("GET", "/public/late"))
        #expect(late.reset == .internalError && !late.isWhole)
        #expect(client.answer(client.request("GET", "/public/a")).status == 200)
        #expect(origin.connections == 1)
        await gateway.stop()
    }

    @Test("A server that goes away after an answer loses nothing: the next request opens another connection")
    func goAway() async throws {
        let origin = try HTTP2Origin { request in [.goAway] + Self.ok(request) }
        let gateway = try await gateway(origin)
        let client = try RawClient(port: gateway.port)
        for number in 1...5 {
            client.send("GET /public/a HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.answer()?.status == 200)
            #expect(origin.connections == number)
        }
        #expect(eventually { origin.openConnections == 0 })
        await gateway.stop()
    }

    @Test("An answer that was whole when the server left is whole for a client that was slow to take it")
    func closedBehindAnswer() async throws {
        let size = 200_000
        let origin = try HTTP2Origin { _ in
            [
                .head("HTTP/1.1 200 OK\r\n\r\n"), .content([UInt8](repeating: 7, count: size), ends: true), .close,
            ]
        }
        let gateway = try await gateway(origin)
        var limits = HTTP2Limits()
        limits.streamWindow = 4096
        let client = try HTTP2Client(port: gateway.port, limits: limits)
        client.consumes = false
        let stream = try #require(client.request("GET", "/public/a"))
        #expect(client.wait { client.soFar(stream).body.count == 4096 })
        #expect(eventually { origin.openConnections == 0 })
        client.consumes = true
        client.consume(4096, of: stream)
        let answer = client.answer(stream)
        #expect(answer.isWhole && answer.body.count == size)
        await gateway.stop()
    }

    @Test("A server that falls silent times out, and is asked on another connection then") func silent() async throws {
        let gate = Latch()
        let origin = try HTTP2Origin { request in request.path == "/public/slow" ? [.await(gate)] : Self.ok(request) }
        let gateway = try await gateway(origin, settings: { $0.responseTimeout = 300_000_000 })
        let client = try RawClient(port: gateway.port)
        client.send("GET /public/slow HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.answer()?.status == 504)
        let other = try RawClient(port: gateway.port)
        other.send("GET /public/a HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(other.answer()?.status == 200)
        #expect(origin.connections == 2)
        gate.open()
        await gateway.stop()
    }

    @Test("A server that takes no requests now is asked a few times, and no connection to it stays") func closedShop()
        async throws
    {
        var limits = HTTP2Limits()
        limits.maximumConcurrentStreams = 0
        let origin = try HTTP2Origin(limits: limits, script: Self.ok)
        let gateway = try await gateway(origin)
        let client = try RawClient(port: gateway.port)
        client.send("GET /public/a HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect([502, 503, 504].contains(client.answer()?.status))
        #expect((1...30).contains(origin.connections), "\(origin.connections)")
        #expect(eventually { origin.openConnections == 0 })
        await gateway.stop()
    }

    @Test("Answers that nobody reads hold back no other client's") func stalledReaders() async throws {
        let origin = try HTTP2Origin { request in
            request.path == "/public/big"
                ? [.head("HTTP/1.1 200 OK\r\n\r\n"), .content([UInt8](repeating: 7, count: 1 << 20), ends: true)]
                : Self.ok(request)
        }
        let gateway = try await gateway(origin)
        var limits = HTTP2Limits()
        limits.streamWindow = 0
        let stalled = try HTTP2Client(port: gateway.port, limits: limits)
        let streams = (0..<8).map { _ in stalled.request("GET", "/public/big") }
        for stream in streams {
            let stream = try #require(stream)
            #expect(stalled.wait { stalled.soFar(stream).status == 200 })
        }
        let other = try RawClient(port: gateway.port)
        for _ in 0..<3 {
            other.send("GET /public/a HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(other.answer()?.status == 200)
        }
        #expect(origin.connections == 1)
        await gateway.stop()
    }

    @Test("A head that is too large is refused, and the connection serves on") func largeHead() async throws {
        let fields = (0..<20).map { "set-cookie: \($0)=\(String(repeating: "c", count: 3000))\r\n" }.joined()
        let origin = try HTTP2Origin { request in
            request.path == "/public/big" ? [.head("HTTP/1.1 200 OK\r\n\(fields)\r\n", ends: true)] : Self.ok(request)
        }
        let gateway = try await gateway(origin)
        let client = try RawClient(port: gateway.port)
        for (path, status) in [("a", 200), ("big", 502), ("a", 200)] {
            client.send("GET /public/\(path) HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.answer()?.status == status)
        }
        #expect(origin.connections == 1)
        await gateway.stop()
    }

    @Test("A request whose stream was reset is sent again only if the server refused it unseen") func resending()
        async throws
    {
        let origin = try HTTP2Origin { request in
            switch request.path {
            case "/public/cancel": [.reset(.cancel)]
            case "/public/refused": [.reset(.refusedStream)]
            case _: Self.ok(request)
            }
        }
        let gateway = try await gateway(origin)
        let client = try RawClient(port: gateway.port)
        for (path, times) in [("cancel", 1), ("refused", 2)] {
            client.send("DELETE /public/\(path) HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.answer()?.status == 502)
            #expect(origin.requests.count { $0.path == "/public/\(path)" } == times)
        }
        await gateway.stop()
    }

    @Test("A server that speaks HTTP/1.1 is a bad gateway") func otherProtocol() async throws {
        let origin = try RawOrigin()
        let gateway = try await Gateway(origin: origin, settings: { $0.speaksHTTP2 = true })
        let client = try RawClient(port: gateway.port)
        client.send("POST /public/a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        #expect(client.answer()?.status == 502)
        await gateway.stop()
    }

    @Test("An upgrade is not asked of a server whose connection is shared") func upgrade() async throws {
        let origin = try HTTP2Origin(script: Self.ok)
        let gateway = try await gateway(origin)
        let client = try RawClient(port: gateway.port)
        client.send(
            "GET /public/a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        #expect(client.answer()?.status == 200)
        #expect(origin.requests.first?.head.lowercased().contains("upgrade:") == false)
        await gateway.stop()
    }
}
