import Foundation
import HTTP2
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
            let fixture = try Fixture({ Self.configuration($0, ["bodyTimeout": "1s"]) })
            // Who reads asks for more first: what records of so many requests need is in memory then, and not what is measured.
            let reader = try Socket.connect(port: fixture.gateway.port)
            #expect(reader.send(Self.preface))
            Thread.detachNewThread {
                while case .bytes = reader.receive(by: .now + .seconds(60)) {}
            }
            for batch in 0..<30 { #expect(reader.send(Self.requests(1_000, from: batch * 1_000))) }
            #expect(
                try eventually {
                    try fixture.hasMetric(#"tollgate_requests_total{route="-",outcome="unrouted"} 30000"#)
                })
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

        @Test("answers that are sent to their end go to who reads them late, beyond the time of idle connections")
        func lateReaders() throws {
            let fixture = try Fixture({ Self.configuration($0, ["idleTimeout": "1s"]) }) { request in
                .afterBody { _ in
                    let count = Int(request.target.dropFirst(8)) ?? 0
                    return [
                        .text("HTTP/1.1 200 OK\r\nContent-Length: \(count * 65_536)\r\n\r\n"),
                        .sendMany([UInt8](repeating: 0x3a, count: 65_536), times: count),
                    ]
                }
            }
            var limits = HTTP2Limits()
            limits.streamWindow = 1 << 30
            limits.connectionWindow = 1 << 30
            // How much the kernel takes is its own affair: of some of these a part waits in the gateway, and is all that waits.
            let readers = try stride(from: 4, through: 48, by: 4).map { count in
                let client = try HTTP2Client(port: fixture.gateway.port, limits: limits, receiveBuffer: 4_096)
                return (client, try #require(client.request("GET", "/public/\(count)")), count)
            }
            Thread.sleep(forTimeInterval: 6)
            for (client, stream, count) in readers {
                #expect(client.answer(stream).body.count == count * 65_536)
                client.socket.close()
            }
        }
    }
}

extension UInt32 {
    fileprivate var bigEndianBytes: [UInt8] { (0..<4).reversed().map { UInt8(truncatingIfNeeded: self >> ($0 * 8)) } }
}
