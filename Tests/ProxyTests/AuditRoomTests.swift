import Audit
import Gate
import Glibc
import Proxy
import Synchronization
import TestKit
import Testing

/// A disk that can be full.
private final class Disk: Sendable {
    let isFull = Atomic(false)

    var calls: AuditFileCalls {
        AuditFileCalls(
            write: { descriptor, bytes, offset in
                self.isFull.load(ordering: .relaxed)
                    ? -Int(ENOSPC) : AuditFileCalls.system.write(descriptor, bytes, offset)
            }, sync: AuditFileCalls.system.sync)
    }
}

@Suite struct AuditRoomTests {
    private static let streams = 3

    private static let stream: RawOrigin.Script = { request in
        guard request.target.contains("events") else { return RawOrigin.echo(request) }
        return .afterBody { _ in
            [.text("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: x\n\n"), .hang]
        }
    }

    private func lines(_ directory: String) throws -> [String] {
        try TemporaryDirectory.files(directory).filter { $0.hasSuffix(".jsonl") }.flatMap { path in
            String(decoding: try TemporaryDirectory.read(path), as: UTF8.self).split(separator: "\n").map(String.init)
        }
    }

    @Test("while nothing can be written, refusals and broken requests leave the room of open streams alone")
    func reserve() async throws {
        let directory = try TemporaryDirectory.make()
        defer { TemporaryDirectory.remove(directory) }
        let disk = Disk()
        let audit = try AuditWriter(
            AuditSettings(directory: directory, onFull: .stopAdmission, ringBytes: 1 << 16), loops: 1,
            files: disk.calls)
        let gateway = try await Gateway(origin: RawOrigin(script: Self.stream), audit: audit)
        let metrics = try #require(gateway.server.metrics.first)
        var open: [RawClient] = []
        for number in 0..<Self.streams {
            let client = try RawClient(port: gateway.port)
            client.send("GET /public/events/\(number) HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(client.head()?.status == 200)
            open.append(client)
        }
        #expect(audit.flush())
        disk.isFull.store(true, ordering: .relaxed)

        let client = try RawClient(port: gateway.port)
        var (admitted, refused) = (0, 0)
        while refused < 500, admitted < 5_000 {
            client.send("GET /public/x HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = try #require(client.answer())
            if answer.status == 503 { refused += 1 } else { admitted += 1 }
        }
        #expect(refused == 500)
        #expect(metrics.auditRefusals.value == 500)
        let broken = 200
        for _ in 0..<broken {
            let client = try RawClient(port: gateway.port)
            client.send("GET /public/x HTTP/1.1\r\nHost : a\r\n\r\n")
            #expect(client.answer()?.status == 400)
        }
        gateway.origin.closeConnections()
        #expect(
            eventually {
                StreamEnd.allCases.reduce(0) { $0 + metrics.streams.closed(.events, $1).value } == Self.streams
            })

        withExtendedLifetime(open) {}
        disk.isFull.store(false, ordering: .relaxed)
        await gateway.stop()
        #expect(audit.stop() == 0)
        let all = try lines(directory)
        func count(_ text: String) -> Int { all.count { $0.contains(text) } }
        #expect(count(#""phase":"open""#) == Self.streams)
        #expect(count(#""phase":"close""#) == Self.streams)
        #expect(count(#""outcome":"admitted","reason":null,"subject""#) == admitted)
        let report = try AuditVerifier.verify(path: directory)
        #expect(report.isIntact)
        #expect(count(#""reason":"audit-unavailable""#) + Int(report.refusedRequests) == refused)
        #expect(count(#""outcome":"malformed""#) + Int(report.lostRecords) == broken)
        #expect(report.refusedRequests > 0 && report.lostRecords > 0)
    }
}
