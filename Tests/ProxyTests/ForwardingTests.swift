import Gate
import Proxy
import RateLimit
import TestKit
import Testing

@Suite struct ForwardingTests {
    @Test func aPublicRequestIsForwardedAndAnswered() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        let client = try RawClient(port: gateway.port)
        client.send("GET /public/a?b=c HTTP/1.1\r\nHost: api.example\r\n\r\n")
        let answer = try #require(client.answer())
        #expect(answer.status == 200)
        #expect(answer.value("x-origin") == "1")
        #expect(answer.value("ratelimit") == "\"default\";r=359;t=1")
        let seen = try #require(gateway.origin.requests.first)
        #expect(seen.startLine == "GET /public/a?b=c HTTP/1.1")
        #expect(seen.value("host") == "api.example")
        #expect(seen.value("x-forwarded-for") == "127.0.0.1")
        #expect(seen.value("x-request-id") == answer.value("x-request-id"))
        await gateway.stop()
    }

    @Test func anAPITokenIsAdmittedAndItsIdentityTold() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        let client = try RawClient(port: gateway.port)
        for _ in 0..<3 {
            client.send(
                "GET /guarded/open/door HTTP/1.1\r\nHost: a\r\nx-cr-api-token: \(Gateway.token)\r\n"
                    + "X_Tollgate_Subject: admin\r\nX-Tollgate-Subject: admin\r\n\r\n")
            #expect(client.answer()?.status == 200)
        }
        let seen = try #require(gateway.origin.requests.last)
        #expect(seen.value("x-tollgate-subject") == "integration:lamps")
        #expect(seen.value("x-tollgate-solution") == "lamps")
        #expect(seen.values("x_tollgate_subject").isEmpty)
        #expect(seen.values("x-cr-api-token").isEmpty)
        await gateway.stop()
    }

    @Test func refusalsSayWhy() async throws {
        let gateway = try await Gateway(origin: RawOrigin(), quota: Quota(requestsPerMinute: 60, burst: 2))
        let client = try RawClient(port: gateway.port)
        client.send("GET /guarded/open HTTP/1.1\r\nHost: a\r\n\r\n")
        let missing = try #require(client.answer())
        #expect(missing.status == 401)
        #expect(missing.value("www-authenticate") == "Bearer realm=\"api\"")
        let credential = "x-cr-api-token: \(Gateway.token)\r\n\r\n"
        client.send("PUT /guarded/open HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n" + credential + "hello")
        #expect(client.answer()?.status == 403)
        client.send("GET /guarded/open HTTP/1.1\r\nHost: a\r\n" + credential)
        #expect(client.answer()?.status == 200)
        client.send("GET /guarded/open HTTP/1.1\r\nHost: a\r\n" + credential)
        let limited = try #require(client.answer())
        #expect(limited.status == 429)
        #expect(limited.value("retry-after") == "1")
        client.send("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.answer()?.status == 404)
        client.send("GET /small HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.answer()?.value("allow") == "POST")
        await gateway.stop()
    }

    @Test func bodiesGoBothWaysInEitherFraming() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        let client = try RawClient(port: gateway.port)
        client.send("POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
        #expect(client.answer()?.text == "hello")
        client.send("POST /public/x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
        #expect(client.answer()?.text == "hello")
        let large = [UInt8](repeating: 7, count: 300_000)
        client.send("POST /public/x HTTP/1.1\r\nHost: a\r\nContent-Length: \(large.count)\r\n\r\n")
        client.send(large)
        #expect(client.answer()?.body == large)
        client.send("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 17\r\n\r\n12345678901234567")
        #expect(client.answer()?.status == 413)
        await gateway.stop()
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        let client = try RawClient(port: gateway.port)
        let requests = (0..<100).map {
            "POST /public/\($0) HTTP/1.1\r\nHost: a\r\nContent-Length: \("\($0)".count)\r\n\r\n\($0)"
        }
        client.send(requests.joined())
        for index in 0..<100 { #expect(client.answer()?.text == "\(index)") }
        await gateway.stop()
    }

    @Test func anUpstreamThatIsNotThereIsA502() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        gateway.origin.stop()
        let client = try RawClient(port: gateway.port)
        client.send("GET /public/a HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.answer()?.status == 502)
        await gateway.stop()
    }

    @Test func aRefusedBodyThatStopsComingIsAnsweredOnce() async throws {
        let gateway = try await Gateway(origin: RawOrigin(), adjust: { $0.bodyTimeout = 200_000_000 })
        let client = try RawClient(port: gateway.port)
        client.send("POST /guarded/x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
        #expect(client.answer()?.status == 401)
        #expect(client.answer() == nil, "a second answer to one request")
        #expect(client.isEnded)
        let metrics = gateway.server.metrics.flatMap { $0.allRoutes.values }
        #expect(metrics.flatMap(\.outcomes).map(\.value).reduce(0, +) == 1)
        await gateway.stop()
    }

    @Test("An address has its places, on every loop together, and gets them back") func placesOfAnAddress() async throws
    {
        let gateway = try await Gateway(
            origin: RawOrigin(), adjust: { $0.maximumConnectionsPerAddress = 3 }, workers: 2)
        func opens() throws -> RawClient? {
            let client = try RawClient(port: gateway.port)
            client.send("GET /public/a HTTP/1.1\r\nHost: a\r\n\r\n")
            return client.answer()?.status == 200 ? client : nil
        }
        var open = try (0..<3).map { _ in try opens() }
        #expect(open.allSatisfy { $0 != nil })
        for _ in 0..<4 { #expect(try opens() == nil) }
        open.removeFirst()
        #expect(try eventually { try opens() != nil })
        await gateway.stop()
    }

    @Test("Beyond the bound on requests under way the next one is told to come again, and streams do not count")
    func requestsUnderWay() async throws {
        let latch = Latch()
        let origin = try RawOrigin { request in
            switch request.target {
            case "/public/held":
                .afterBody { _ in [.await(latch), .text("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nheld")] }
            case "/public/events":
                .afterBody { _ in
                    [.text("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"), .hang]
                }
            case _: .answer("HTTP/1.1 204 No Content\r\n\r\n")
            }
        }
        let gateway = try await Gateway(origin: origin, adjust: { $0.maximumRequests = 2 })
        func client(asking path: String) throws -> RawClient {
            let client = try RawClient(port: gateway.port)
            client.send("GET /public/\(path) HTTP/1.1\r\nHost: a\r\n\r\n")
            return client
        }
        let streams = try (0..<3).map { _ in
            let stream = try client(asking: "events")
            #expect(stream.head()?.status == 200)
            return stream
        }
        let held = try (0..<2).map { _ in try client(asking: "held") }
        #expect(eventually { origin.requests.count == 5 })
        let late = try client(asking: "late")
        let refused = try #require(late.answer())
        #expect(refused.status == 503)
        #expect(refused.value("retry-after") == "1")
        latch.open()
        for client in held { #expect(client.answer()?.text == "held") }
        late.send("GET /public/again HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(late.answer()?.status == 204)
        for stream in streams { stream.close() }
        await gateway.stop()
    }
}
