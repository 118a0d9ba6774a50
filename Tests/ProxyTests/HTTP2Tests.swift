import Gate
import HTTP2
import NIOCore
import Proxy
import RateLimit
import TestKit
import Testing

@Suite("HTTP/2 in front, HTTP/1.1 behind") struct HTTP2Tests {
    private static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    private static let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]

    @Test("A request is forwarded as HTTP/1.1 and its answer comes back") func request() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        let client = try HTTP2Client(port: gateway.port)
        let answer = client.answer(client.request("GET", "/public/a?b=c", "cookie: a=1\r\ncookie: b=2\r\n"))
        #expect(answer.status == 200 && answer.isWhole)
        #expect(answer.has("x-origin: 1"))
        #expect(answer.has("ratelimit: \"default\";r=359;t=1"))
        let seen = try #require(gateway.origin.requests.first)
        #expect(seen.startLine == "GET /public/a?b=c HTTP/1.1")
        #expect(seen.value("host") == "api.example")
        #expect(seen.value("cookie") == "a=1; b=2")
        #expect(seen.value("via") == "2 tollgate")
        await gateway.stop()
    }

    @Test("The preface is recognised byte by byte, and what only begins like it is not") func preface() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        let client = try Socket.connect(port: gateway.port)
        for byte in Self.preface + Self.settings { #expect(client.send([byte])) }
        guard case .bytes(let said) = client.receive(by: .now + .seconds(20)) else {
            Issue.record("nothing was said")
            return
        }
        #expect(said.count > 9 && said[3] == 4)
        client.close()
        let other = try RawClient(port: gateway.port)
        other.send("PRI * HTTP/3.0\r\n\r\nSM\r\n\r\n")
        #expect(other.answer()?.status == 505)
        await gateway.stop()
    }

    @Test("A line of which nothing is HTTP/1.1's is a wrong preface; one with a version or a target is not")
    func wrongPreface() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        let client = try Socket.connect(port: gateway.port)
        #expect(client.send(Array("INVALID CONNECTION PREFACE\r\n\r\n".utf8)))
        var said: [UInt8] = []
        while case .bytes(let bytes) = client.receive(by: .now + .seconds(20)) { said += bytes }
        // SETTINGS first, and at the end GOAWAY of stream 0 with PROTOCOL_ERROR, and nothing behind its text.
        #expect(said.count > 9 && said[3] == 4)
        let goAway: [UInt8] = [7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
        #expect(said.indices.contains { said[$0...].starts(with: goAway) }, "\(said)")
        client.close()
        for line in ["INVALID CONNECTION HTTP/1.1", "GET a http/1.1", "GET /a PREFACE", "GET a", "A B C D"] {
            let other = try RawClient(port: gateway.port)
            other.send("\(line)\r\n\r\n")
            #expect(other.answer()?.status == 400, "\(line)")
        }
        await gateway.stop()
    }

    @Test("A second request of HTTP/1.1 is not where HTTP/2 begins") func lateJump() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        let client = try RawClient(port: gateway.port)
        client.send("GET /public/a HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(client.answer()?.status == 200)
        client.send(Self.preface)
        #expect(client.answer()?.status == 505)
        await gateway.stop()
    }

    @Test("Content goes through in both directions, with a length and without") func content() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        let client = try HTTP2Client(port: gateway.port)
        let body = (0..<700_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let chunked = client.request("POST", "/public/a", body: body)
        #expect(client.answer(chunked).status == 200)
        let sized = client.request("POST", "/public/a", "content-length: \(body.count)\r\n", body: body)
        #expect(client.answer(sized).status == 200)
        let requests = gateway.origin.requests
        #expect(requests.map(\.body) == [body, body])
        #expect(requests.map { $0.value("transfer-encoding") } == ["chunked", nil])
        await gateway.stop()
    }

    @Test("Many streams at a time, each with its own answer") func concurrency() async throws {
        let gateway = try await Gateway(
            origin: RawOrigin { request in
                .answer("HTTP/1.1 200 OK\r\nContent-Length: \(request.target.utf8.count)\r\n\r\n\(request.target)")
            })
        let client = try HTTP2Client(port: gateway.port)
        for _ in 0..<3 {
            let streams = (0..<80).map { client.request("GET", "/public/\($0)") }
            for (index, stream) in streams.enumerated() {
                let answer = client.answer(stream)
                #expect(answer.status == 200)
                #expect(answer.body == Array("/public/\(index)".utf8))
            }
        }
        await gateway.stop()
    }

    @Test("Refusals are of the stream alone, HEAD has no content, 1xx passes") func refusals() async throws {
        let gateway = try await Gateway(
            origin: RawOrigin { _ in
                .answer("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            })
        let client = try HTTP2Client(port: gateway.port)
        #expect(client.answer(client.request("GET", "/guarded/open")).status == 401)
        let refused = client.answer(client.request("POST", "/guarded/open", body: [UInt8](repeating: 1, count: 1000)))
        #expect(refused.status == 401 && refused.isWhole)
        let head = client.answer(client.request("HEAD", "/nowhere"))
        #expect(head.status == 404 && head.isWhole && head.body.isEmpty)
        let hinted = client.answer(client.request("GET", "/public/a"))
        #expect(hinted.heads.map { String($0.dropFirst(9).prefix(3)) } == ["103", "200"])
        #expect(hinted.body == Array("ok".utf8))
        #expect(client.goAways.isEmpty)
        await gateway.stop()
    }

    @Test("A refused body that ends is waited for: no reset") func refusedBodyEnds() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        let client = try HTTP2Client(port: gateway.port)
        // More than is swallowed for the sake of a connection of HTTP/1.1.
        let stream = try #require(
            client.request("POST", "/guarded/open", body: [UInt8](repeating: 1, count: 150_000)))
        #expect(client.wait { client.soFar(stream).isWhole })
        #expect(client.answer(client.request("GET", "/public/a")).status == 200)
        #expect(client.soFar(stream).status == 401 && client.soFar(stream).reset == nil)
        await gateway.stop()
    }

    @Test("An https URI is not answered in the clear") func misdirected() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        let client = try HTTP2Client(port: gateway.port)
        client.isSecure = true
        let answer = client.answer(client.request("GET", "/public/a"))
        #expect(answer.status == 421 && answer.isWhole)
        #expect(gateway.origin.requests.isEmpty)
        client.isSecure = false
        #expect(client.answer(client.request("GET", "/public/a")).status == 200)
        await gateway.stop()
    }

    @Test("A refused body that goes on and on ends with NO_ERROR") func endlessRefused() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        let client = try HTTP2Client(port: gateway.port)
        let stream = try #require(client.request("POST", "/guarded/open", body: [1], ends: false))
        #expect(client.wait { client.soFar(stream).isWhole })
        #expect(client.soFar(stream).status == 401)
        // Swallowing has its bound, as in HTTP/1.1.
        client.send([UInt8](repeating: 1, count: 200_000), on: stream, ends: false)
        #expect(client.wait { client.soFar(stream).reset == .noError })
        #expect(client.answer(client.request("GET", "/public/a")).status == 200)
        await gateway.stop()
    }

    @Test("An answer that breaks off resets its stream, and the others go on") func broken() async throws {
        let gateway = try await Gateway(
            origin: RawOrigin { request in
                request.target == "/public/cut"
                    ? .afterBody { _ in [.text("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), .close] }
                    : .answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            })
        let client = try HTTP2Client(port: gateway.port)
        let cut = client.answer(client.request("GET", "/public/cut"))
        #expect(cut.reset == .internalError && !cut.isWhole)
        #expect(client.answer(client.request("GET", "/public/a")).status == 200)
        await gateway.stop()
    }

    @Test("A client that does not take its answer holds the origin back") func backPressure() async throws {
        let size = 8 << 20
        let gateway = try await Gateway(
            origin: RawOrigin { _ in
                .afterBody { _ in
                    [
                        .text("HTTP/1.1 200 OK\r\nContent-Length: \(size)\r\n\r\n"),
                        .send([UInt8](repeating: 7, count: size)),
                    ]
                }
            })
        var limits = HTTP2Limits()
        (limits.streamWindow, limits.connectionWindow) = (4096, 65535)
        let client = try HTTP2Client(port: gateway.port, limits: limits)
        client.consumes = false
        let slow = try #require(client.request("GET", "/public/a"))
        #expect(client.wait { client.soFar(slow).body.count == 4096 })
        // Others pass meanwhile.
        #expect(client.answer(client.request("GET", "/nowhere")).status == 404)
        client.consumes = true
        client.consume(4096, of: slow)
        let whole = client.answer(slow)
        #expect(whole.isWhole && whole.body.count == size && whole.body.allSatisfy { $0 == 7 })
        await gateway.stop()
    }

    @Test("Trailers of the client's do not break its request") func trailers() async throws {
        let gateway = try await Gateway(origin: RawOrigin())
        let client = try HTTP2Client(port: gateway.port)
        let stream = try #require(client.request("POST", "/public/a", body: Array("abc".utf8), ends: false))
        client.sendTrailers("x-sum: 1\r\n", on: stream)
        #expect(client.answer(stream).status == 200)
        #expect(gateway.origin.requests.first?.body == Array("abc".utf8))
        await gateway.stop()
    }

    @Test("Each stream takes from the client's quota") func quota() async throws {
        let gateway = try await Gateway(origin: RawOrigin(), quota: Quota(requestsPerMinute: 60, burst: 3))
        let client = try HTTP2Client(port: gateway.port)
        let credential = "x-cr-api-token: \(Gateway.token)\r\n"
        let streams = (0..<5).map { _ in client.request("GET", "/guarded/open", credential) }
        #expect(streams.map { client.answer($0).status }.sorted() == [200, 200, 200, 429, 429])
        await gateway.stop()
    }

    @Test("A drain lets streams finish, and says which was the last") func drain() async throws {
        let gate = Latch()
        let gateway = try await Gateway(
            origin: RawOrigin { _ in
                .afterBody { _ in [.await(gate), .text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")] }
            })
        let client = try HTTP2Client(port: gateway.port)
        let stream = try #require(client.request("GET", "/public/a"))
        #expect(eventually { !gateway.origin.requests.isEmpty })
        async let drained = gateway.server.drain(timeout: 3_600_000_000_000)
        // What waits here holds a thread that the drain may need.
        let deadline = ContinuousClock.now + .seconds(300)
        while client.goAways.isEmpty, !client.isOver, ContinuousClock.now < deadline {
            _ = client.wait(by: .now + .milliseconds(20)) { !client.goAways.isEmpty }
            await Task.yield()
        }
        #expect(!client.goAways.isEmpty)
        gate.open()
        let answer = client.answer(stream)
        #expect(answer.status == 200 && answer.isWhole)
        #expect(client.wait { client.isOver })
        #expect(client.goAways.map(\.lastStream) == [0x7FFF_FFFF, stream])
        #expect(client.goAways.allSatisfy { $0.code == .noError })
        #expect(await drained)
        await gateway.stop()
    }

    @Test("Rapid reset ends the connection and no other") func rapidReset() async throws {
        let gate = Latch()
        let gateway = try await Gateway(
            origin: RawOrigin { request in
                request.target == "/public/slow"
                    ? .afterBody { _ in [.await(gate), .close] } : .answer("HTTP/1.1 204 No Content\r\n\r\n")
            })
        let attacker = try HTTP2Client(port: gateway.port)
        for _ in 0..<400 {
            guard let stream = attacker.request("GET", "/public/slow"), !attacker.isOver else { break }
            attacker.reset(stream)
        }
        #expect(attacker.wait { attacker.isOver })
        #expect(attacker.goAways.last?.code == .enhanceYourCalm)
        let client = try HTTP2Client(port: gateway.port)
        #expect(client.answer(client.request("GET", "/public/a")).status == 204)
        gate.open()
        await gateway.stop()
    }

    @Test("Who has all of its answer there stands behind those who wait, too") func turnOfTheLast() async throws {
        let gateway = try await Gateway(
            origin: RawOrigin { request in
                let count = request.target == "/public/early" ? 3000 : 200_000
                let body = String(repeating: "a", count: count)
                return .beforeBody([.text("HTTP/1.1 200 OK\r\nContent-Length: \(count)\r\n\r\n" + body)])
            })
        let socket = try Socket.connect(port: gateway.port)
        var (unread, heads, content): (ByteBuffer, Set<UInt32>, [UInt32: Int]) = (ByteBuffer(), [], [:])
        func read(until holds: () -> Bool) {
            while !holds(), case .bytes(let bytes) = socket.receive(by: .now + .seconds(20)) {
                unread.writeBytes(bytes)
                while let word = unread.getInteger(at: unread.readerIndex, as: UInt32.self),
                    var frame = unread.readSlice(length: 9 + Int(word >> 8))
                {
                    frame.moveReaderIndex(forwardBy: 5)
                    guard let stream = frame.readInteger(as: UInt32.self) else { continue }
                    if word & 255 == 0 { content[stream, default: 0] += frame.readableBytes }
                    if word & 255 == 1 { heads.insert(stream) }
                }
            }
        }
        func head(_ stream: UInt8, _ flags: UInt8, _ method: UInt8, _ path: String, _ fields: [UInt8] = []) -> [UInt8] {
            let block = [method, 0x86, 4, UInt8(path.utf8.count)] + Array(path.utf8) + [1, 1, 0x61] + fields
            return [0, 0, UInt8(block.count), 1, flags, 0, 0, 0, stream] + block
        }
        // The window of the connection is what streams share.
        let settings: [UInt8] = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4, 0x40, 0, 0, 0]
        #expect(socket.send(Self.preface + settings + head(1, 5, 0x82, "/public/first")))
        read { content[1] == 65_535 }
        // Its answer is there before the last of the request.
        let length: [UInt8] = [0x0f, 0x0d, 2, 0x31, 0x30]
        #expect(
            socket.send(
                head(3, 4, 0x83, "/public/early", length) + [0, 0, 5, 0, 0, 0, 0, 0, 3, 1, 2, 3, 4, 5]))
        read { heads.contains(3) }
        #expect(content == [1: 65_535])
        // In one piece: the last of the request, and a window for three thousand bytes.
        let last: [UInt8] = [0, 0, 5, 0, 1, 0, 0, 0, 3, 6, 7, 8, 9, 10]
        #expect(socket.send(last + [0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0x0b, 0xb8]))
        read { content.values.reduce(0, +) == 68_535 }
        #expect(content == [1: 68_535])
        socket.close()
        await gateway.stop()
    }
}
