import Foundation
import HTTP2
import StrictJSON
import TestKit
import Testing

extension Conformance {
    @Suite("HTTP/2 clients that take nothing, or little", .serialized)
    struct UntakenAnswerTests {
        private static func configuration(_ origin: RawOrigin, _ limits: Literal) -> Literal {
            Configuration.contract(origin).merging([
                "workers": 1, "limits": limits, "routes": [Configuration.route("public", "/public/**", [])],
            ])
        }

        private static let preface =
            Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + [0, 0, 0, 4, 0, 0, 0, 0, 0]

        /// HEAD of /n with an authority, for which there is no route, so many times.
        private static func requests(_ count: Int, from first: Int) -> [UInt8] {
            let block: [UInt8] =
                [0x02, 0x04] + Array("HEAD".utf8) + [0x86, 0x04, 0x02] + Array("/n".utf8) + [0x01, 0x01, 0x61]
            var bytes: [UInt8] = []
            for number in first..<first + count {
                bytes += [0, 0, UInt8(block.count), 1, 5] + UInt32(2 * number + 1).bigEndianBytes + block
            }
            return bytes
        }

        @Test(
            "an event stream ends for it, whether windows or the connection are full; with a full connection all of it ends",
            arguments: [true, false])
        func stalledConnection(_ opensWindows: Bool) throws {
            let latch = Latch()
            let fixture = try Fixture({
                Self.configuration($0, ["bodyTimeout": "1s", "minimumAnswerRate": 0])
            }) { request in
                guard request.target != "/public/poll" else { return .afterBody { _ in [.await(latch)] } }
                return .afterBody { _ in
                    [
                        .text("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"),
                        .sendMany([UInt8](repeating: 0x3a, count: 65_536), times: 4_096), .hang,
                    ]
                }
            }
            var limits = HTTP2Limits()
            if opensWindows {
                limits.streamWindow = 1 << 30
                limits.connectionWindow = 1 << 30
            }
            let client = try HTTP2Client(port: fixture.gateway.port, limits: limits, receiveBuffer: 4_096)
            // One that waits for its answer keeps the connection from being idle.
            _ = try #require(client.request("GET", "/public/poll"))
            _ = try #require(client.request("GET", "/public/events"))
            if opensWindows {
                #expect(
                    try eventually {
                        try fixture.hasMetric(#"tollgate_http2_connection_errors_total{reason="timeout"} 1"#)
                    })
            }
            #expect(try fixture.closeReason() == "client-stalled")
            #expect(try fixture.hasMetric(#"tollgate_http2_connection_errors_total{reason="flood"} 0"#))
            latch.open()
            withExtendedLifetime(client) {}
        }

        @Test(
            "heads of answers that nobody takes do not pile up: who asks on and reads nothing is not read, and then ended"
        )
        func untakenHeads() throws {
            let fixture = try Fixture({ Self.configuration($0, ["bodyTimeout": "3s"]) })
            // Who reads asks for more first: what records of so many requests need is in memory then, and not what is measured.
            let reader = try Socket.connect(port: fixture.gateway.port)
            #expect(reader.send(Self.preface))
            Thread.detachNewThread {
                while case .bytes = reader.receive(by: .now + .seconds(60)) {}
            }
            for batch in 0..<15 { #expect(reader.send(Self.requests(1_000, from: batch * 1_000))) }
            var count = 0.0
            _ = try eventually(within: .seconds(120)) {
                count = try fixture.gateway.metric("tollgate_requests_total", #"outcome="unrouted""#)
                return count >= 15_000
            }
            #expect(count == 15_000)
            reader.interrupt()
            let client = try Socket.connect(port: fixture.gateway.port, receiveBuffer: 4_096)
            #expect(client.send(Self.preface))
            let before = try #require(fixture.gateway.memory("VmHWM"))
            // More of them than the kernel's buffers hold on both sides.
            let isTaken = (0..<3_000).allSatisfy { client.send(Self.requests(1_000, from: $0 * 1_000)) }
            #expect(!isTaken, "everything was read")
            let after = try #require(fixture.gateway.memory("VmHWM"))
            #expect(after - before < 16_384, "\(before) KiB before, \(after) KiB")
            #expect(
                try eventually {
                    try fixture.hasMetric(#"tollgate_http2_connection_errors_total{reason="timeout"} 1"#)
                })
            client.close()
        }

        /// An origin whose answers have as many times 64 KiB as the path says.
        private static func sized(_ request: Message) -> RawOrigin.Plan {
            .afterBody { _ in
                let count = Int(request.target.dropFirst(8)) ?? 0
                return [
                    .text("HTTP/1.1 200 OK\r\nContent-Length: \(count * 65_536)\r\n\r\n"),
                    .sendMany([UInt8](repeating: 0x3a, count: 65_536), times: count),
                ]
            }
        }

        private static func windows(_ size: Int) -> HTTP2Limits {
            var limits = HTTP2Limits()
            limits.streamWindow = size
            limits.connectionWindow = 1 << 30
            return limits
        }

        /// Takes some more of an answer after a pause, which is the client's pace.
        private static func readSlowly(_ client: HTTP2Client, _ stream: UInt32) {
            Thread.sleep(forTimeInterval: 0.2)
            let count = client.soFar(stream).body.count
            _ = client.wait { client.soFar(stream).body.count > count }
        }

        @Test("answers that are sent to their end go to who reads them late, beyond the time of idle connections")
        func lateReaders() throws {
            let fixture = try Fixture({ Self.configuration($0, ["idleTimeout": "1s"]) }, script: Self.sized)
            // How much the kernel takes is its own affair: of some of these a part waits in the gateway, and is all that waits.
            let counts = Array(stride(from: 4, through: 48, by: 4))
            let readers = try counts.map { count in
                let client = try HTTP2Client(
                    port: fixture.gateway.port, limits: Self.windows(1 << 30), receiveBuffer: 4_096)
                return (client, try #require(client.request("GET", "/public/\(count)")), count)
            }
            // One more for whom everything but its window is open.
            let shut = try HTTP2Client(port: fixture.gateway.port, limits: Self.windows(10_000))
            let stream = try #require(shut.request("GET", "/public/1"))
            let others = try counts.map { count in
                let client = try fixture.gateway.connect(receiveBuffer: 4_096)
                client.send("GET /public/\(count) HTTP/1.1\r\nHost: a\r\n\r\n")
                return (client, count)
            }
            Thread.sleep(forTimeInterval: 6)
            for (client, stream, count) in readers {
                #expect(client.answer(stream).body.count == count * 65_536)
                client.socket.close()
            }
            #expect(shut.answer(stream).body.count == 65_536)
            for (client, count) in others { #expect(client.answer()?.body.count == count * 65_536) }
        }

        @Test("who takes an answer at its own steady pace, above the minimum, gets all of it")
        func steadyReader() throws {
            let fixture = try Fixture({ Self.configuration($0, ["bodyTimeout": "2s"]) }, script: Self.sized)
            let client = try HTTP2Client(
                port: fixture.gateway.port, limits: Self.windows(1 << 30), receiveBuffer: 4_096)
            let stream = try #require(client.request("GET", "/public/96"))
            for _ in 0..<40 { Self.readSlowly(client, stream) }
            #expect(client.answer(stream, within: .seconds(60)).body.count == 96 * 65_536)
        }

        @Test("HTTP/1.1: who has read all is idle and served again, who is answered early and reads late gets all")
        func backlogsOfHTTP1() throws {
            let fixture = try Fixture({ Self.configuration($0, ["bodyTimeout": "3s"]) }) { request in
                guard case .afterBody(let steps) = Self.sized(request), request.method == "POST" else {
                    return Self.sized(request)
                }
                return .beforeBody(steps(request))
            }
            let counts = [2, 4, 6, 8, 12, 16, 24, 32]
            let readers = try counts.map { count in
                let client = try fixture.gateway.connect(receiveBuffer: 4_096)
                client.send("GET /public/\(count) HTTP/1.1\r\nHost: a\r\n\r\n")
                return client
            }
            let early = try counts.prefix(3).map { count in
                let client = try fixture.gateway.connect(receiveBuffer: 4_096)
                client.send("POST /public/\(count) HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
                return (client, count)
            }
            for (client, count) in zip(readers, counts) {
                Thread.sleep(forTimeInterval: 0.1)
                #expect(client.answer()?.body.count == count * 65_536)
            }
            Thread.sleep(forTimeInterval: 1.5)
            for (client, count) in early { #expect(client.answer()?.body.count == count * 65_536) }
            // Longer than the time for reading: it has nothing to read.
            Thread.sleep(forTimeInterval: 3)
            for client in readers {
                client.send("GET /public/1 HTTP/1.1\r\nHost: a\r\n\r\n")
                #expect(client.answer()?.body.count == 65_536)
            }
        }

        @Test("who is cut for its pace has a record that says so")
        func slowReader() throws {
            let limits: Literal = ["bodyTimeout": "2s", "minimumAnswerRate": "1MiB"]
            let fixture = try Fixture({ Self.configuration($0, limits) }, script: Self.sized)
            let client = try HTTP2Client(
                port: fixture.gateway.port, limits: Self.windows(1 << 30), receiveBuffer: 4_096)
            let stream = try #require(client.request("GET", "/public/9999"))
            while !client.isOver { Self.readSlowly(client, stream) }
            #expect(
                try eventually {
                    try fixture.gateway.auditLines.contains { line in
                        let record = try JSON.parse(line, limits: .configuration)
                        return record.member("outcome")?.string == "client-gone"
                            && record.member("reason")?.string == "answer-too-slow"
                    }
                })
        }

        @Test("streams take turns: downloads without end leave room for others, whatever a window opens for")
        func turns() throws {
            let fixture = try Fixture({ Self.configuration($0, [:]) }) { request in
                guard request.target != "/public/endless" else {
                    return .afterBody { _ in
                        [
                            .text("HTTP/1.1 200 OK\r\n\r\n"),
                            .sendMany([UInt8](repeating: 0x3a, count: 65_536), times: 1_000_000),
                        ]
                    }
                }
                return Self.sized(request)
            }
            // The window of the connection is what they share.
            var limits = HTTP2Limits()
            limits.streamWindow = 1 << 30
            limits.connectionWindow = 65_535
            let client = try HTTP2Client(port: fixture.gateway.port, limits: limits, receiveBuffer: 4_096)
            let endless = try (0..<2).map { _ in try #require(client.request("GET", "/public/endless")) }
            #expect(client.wait { endless.allSatisfy { client.soFar($0).body.count > 16_384 } })
            let others = try (0..<3).map { _ in try #require(client.request("GET", "/public/1")) }
            let all = endless + others
            for _ in 0..<300 where !others.allSatisfy({ client.soFar($0).isWhole }) {
                Thread.sleep(forTimeInterval: 0.03)
                let count = all.reduce(0) { $0 + client.soFar($1).body.count }
                #expect(client.wait { all.reduce(0) { $0 + client.soFar($1).body.count } > count })
            }
            for stream in others { #expect(client.soFar(stream).body.count == 65_536) }
        }

        @Test("the idle time begins with the end of an answer, also of one without content")
        func idleAfterHEAD() throws {
            let fixture = try Fixture({ Self.configuration($0, ["idleTimeout": "2s"]) }) { _ in
                .afterBody { _ in [.pause(.seconds(3)), .text("HTTP/1.1 204 No Content\r\n\r\n")] }
            }
            let client = try HTTP2Client(port: fixture.gateway.port)
            #expect(client.answer(client.request("HEAD", "/public/poll")).status == 204)
            Thread.sleep(forTimeInterval: 0.5)
            #expect(client.answer(client.request("HEAD", "/public/poll")).status == 204)
            #expect(client.goAways.isEmpty)
        }

        @Test("an event stream that is taken bit by bit goes on")
        func steadyEvents() throws {
            let fixture = try Fixture({ Self.configuration($0, ["bodyTimeout": "1s"]) }) { _ in
                .afterBody { _ in
                    [
                        .text("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"),
                        .sendMany([UInt8](repeating: 0x3a, count: 65_536), times: 64), .hang,
                    ]
                }
            }
            let client = try HTTP2Client(port: fixture.gateway.port, limits: Self.windows(10_000))
            client.consumes = false
            let stream = try #require(client.request("GET", "/public/events"))
            var taken = 10_000
            for _ in 0..<10 {
                try #require(client.wait { client.soFar(stream).body.count >= taken })
                Thread.sleep(forTimeInterval: 0.4)
                client.consume(6_000, of: stream)
                taken += 6_000
            }
            #expect(client.soFar(stream).reset == nil)
        }

        @Test("who opens no window is not kept for PINGs, of which there is always one on its way; nor who is idle")
        func pings() throws {
            let limits: Literal = ["bodyTimeout": "1s", "idleTimeout": "1s"]
            let fixture = try Fixture({ Self.configuration($0, limits) }, script: Self.sized)
            let client = try HTTP2Client(port: fixture.gateway.port, limits: Self.windows(10_000))
            client.consumes = false
            let stream = try #require(client.request("GET", "/public/1"))
            let deadline = ContinuousClock.now + .seconds(20)
            while !client.isOver, ContinuousClock.now < deadline {
                _ = client.socket.send([0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8])
                _ = client.wait(by: .now + .milliseconds(30)) { client.isOver }
            }
            #expect(client.soFar(stream).reset != nil)
            #expect(client.isOver)
        }

        @Test("events have no rate on a full connection either, and where it stands still their record says so")
        func eventsOfFullConnections() throws {
            let limits: Literal = ["bodyTimeout": "2s", "minimumAnswerRate": "1MiB"]
            let fixture = try Fixture({ Self.configuration($0, limits) }) { request in
                guard request.target != "/public/tick" else {
                    return .afterBody { _ in
                        [.text("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n"), .hang]
                    }
                }
                guard request.target == "/public/events" else { return Self.sized(request) }
                return .afterBody { _ in
                    [
                        .text("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"),
                        .sendMany([UInt8](repeating: 0x3a, count: 65_536), times: 4_096), .hang,
                    ]
                }
            }
            let client = try HTTP2Client(
                port: fixture.gateway.port, limits: Self.windows(1 << 30), receiveBuffer: 4_096)
            let events = try #require(client.request("GET", "/public/events"))
            for _ in 0..<25 { Self.readSlowly(client, events) }
            #expect(!client.isOver && client.soFar(events).reset == nil)
            let other = try HTTP2Client(
                port: fixture.gateway.port, limits: Self.windows(1 << 30), receiveBuffer: 4_096)
            let tick = try #require(other.request("GET", "/public/tick"))
            #expect(other.wait { !other.soFar(tick).body.isEmpty })
            _ = try #require(other.request("GET", "/public/9999"))
            #expect(try fixture.closeReason() == "client-stalled")
            client.socket.close()
            withExtendedLifetime(other) {}
        }

        @Test(
            "one stream that is not taken ends alone, with its handler or without; what is waited for beside it comes")
        func shutStreams() throws {
            let latch = Latch()
            let fixture = try Fixture({ Self.configuration($0, ["bodyTimeout": "1s"]) }) { request in
                if request.target == "/public/poll" {
                    return .afterBody { _ in [.await(latch), .text("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")] }
                }
                let answer: [RawOrigin.Step] = [
                    .text("HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"),
                    .send([UInt8](repeating: 0x3a, count: 60_000)),
                ]
                return request.target == "/public/early" ? .beforeBody(answer) : .afterBody { _ in answer }
            }
            let client = try HTTP2Client(port: fixture.gateway.port, limits: Self.windows(10_000))
            client.consumes = false
            let poll = try #require(client.request("GET", "/public/poll"))
            let shut = try #require(client.request("GET", "/public/shut"))
            let early = try #require(client.request("POST", "/public/early", body: [1], ends: false))
            #expect(client.answer(shut).reset != nil)
            #expect(client.answer(early).reset != nil)
            latch.open()
            #expect(client.answer(poll).status == 200)
        }

        @Test("header blocks have their time one by one, also those of requests that are none")
        func brokenBlocks() throws {
            let fixture = try Fixture({ Self.configuration($0, ["headerTimeout": "1s"]) })
            let client = try Socket.connect(port: fixture.gateway.port)
            #expect(client.send(Self.preface))
            // GETs without a path, each in two frames: the end of one comes with the beginning of the next.
            let beginning: [UInt8] = [0, 0, 1, 1, 1]
            let end: [UInt8] = [0, 0, 1, 9, 4]
            var stream = UInt32(1)
            #expect(client.send(beginning + stream.bigEndianBytes + [0x82]))
            for _ in 0..<12 {
                Thread.sleep(forTimeInterval: 0.2)
                let rest = end + stream.bigEndianBytes + [0x86]
                stream += 2
                #expect(client.send(rest + beginning + stream.bigEndianBytes + [0x82]))
            }
            #expect(try fixture.hasMetric(#"tollgate_http2_connection_errors_total{reason="timeout"} 0"#))
            client.close()
        }
    }
}

extension UInt32 {
    fileprivate var bigEndianBytes: [UInt8] { (0..<4).reversed().map { UInt8(truncatingIfNeeded: self >> ($0 * 8)) } }
}
