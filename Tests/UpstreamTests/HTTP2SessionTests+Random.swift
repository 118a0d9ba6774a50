import NIOCore
import Reactor
import TestKit
import Testing

@testable import Upstream

/// Requests of all kinds on one session, and what each of them and the connection may still send. Lives on the reactor.
private final class Crowd {
    private struct Upload {
        let stream: HTTP2UpstreamStream
        let connection: UpstreamConnection
        let id: UInt32
        /// What is still to be written; nil when it comes in chunks.
        var length: Int?
        var isWhole: Bool
        var written = 0
        var window = 20_000
    }

    private final class Weak {
        weak var stream: HTTP2UpstreamStream?
        init(_ stream: HTTP2UpstreamStream) { self.stream = stream }
    }

    private let server = SessionServer()
    private let session: HTTP2Session
    private var uploads: [Upload] = []
    private var gone: [Weak] = []
    private var window = 65_535
    private var random: SeededGenerator
    /// What was not as it has to be.
    private(set) var faults: [String] = []
    private(set) var finished = 0

    init(_ reactor: Reactor, seed: UInt64) {
        random = SeededGenerator(seed: seed)
        session = HTTP2Session(reactor: reactor, host: "127.0.0.1", isSecure: false)
        session.open(server)
        session.received(ByteBuffer(bytes: [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4] + Self.bytes(20_000)))
    }

    private static func bytes(_ number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
    }

    private func receive(_ type: UInt8, _ stream: UInt32, _ number: Int) {
        session.received(
            ByteBuffer(bytes: [0, 0, 4, type, 0] + Self.bytes(stream) + Self.bytes(UInt32(number))))
    }

    private func begin() {
        guard !session.isRetired, uploads.count < 30 else { return }
        let connection = UpstreamConnection(endpoint: 0, host: session.host, pool: nil)
        let stream = session.makeStream(for: connection)
        connection.open(stream)
        let kind = Int.random(in: 0..<4, using: &random)
        let length: Int? = kind == 0 ? 0 : kind == 1 ? nil : Int.random(in: 1..<150_000, using: &random)
        let framing = kind == 0 ? "" : length.map { "content-length: \($0)\r\n" } ?? "transfer-encoding: chunked\r\n"
        stream.write(ByteBuffer(string: "POST /a HTTP/1.1\r\nhost: a\r\n\(framing)\r\n"), nil)
        if stream.id == 0 { faults.append("not opened") }
        uploads.append(
            Upload(stream: stream, connection: connection, id: stream.id, length: length, isWhole: length == 0))
    }

    private func write(_ index: Int) {
        guard !uploads[index].isWhole, uploads[index].stream.isWritable else { return }
        let some = Int.random(in: 1..<40_000, using: &random)
        if let length = uploads[index].length {
            let count = min(length, some)
            (uploads[index].length, uploads[index].isWhole) = (length - count, length == count)
            uploads[index].written += count
            uploads[index].stream.write(ByteBuffer(repeating: 0x61, count: count), nil)
        } else if Int.random(in: 0..<4, using: &random) == 0 {
            uploads[index].isWhole = true
            uploads[index].stream.write(ByteBuffer(string: "0\r\n\r\n"), nil)
        } else {
            uploads[index].written += some
            var chunk = ByteBuffer(string: String(some, radix: 16) + "\r\n")
            chunk.writeRepeatingByte(0x61, count: some)
            chunk.writeString("\r\n")
            uploads[index].stream.write(chunk, nil)
        }
    }

    private func leave(_ index: Int, isReset: Bool) {
        let upload = uploads.remove(at: index)
        gone.append(Weak(upload.stream))
        if isReset { receive(3, upload.id, 8) } else { upload.stream.close() }
    }

    private var connectionWindow: Int { window - server.content.values.reduce(0, +) }

    func setWritable(_ isWritable: Bool) {
        server.isWritable = isWritable
        if isWritable { session.writabilityChanged() }
    }

    /// Several things that happen in one round.
    func step() {
        for _ in 0..<Int.random(in: 1..<6, using: &random) {
            let index = uploads.indices.randomElement(using: &random)
            switch (Int.random(in: 0..<40, using: &random), index) {
            case (0..<6, _): begin()
            case (6..<22, let index?): write(index)
            case (22..<28, _):
                let count = Int.random(in: 1..<60_000, using: &random)
                window += count
                receive(8, 0, count)
            case (28..<34, let index?) where server.ended.isDisjoint(with: [uploads[index].id]):
                let count = Int.random(in: 1..<40_000, using: &random)
                uploads[index].window += count
                receive(8, uploads[index].id, count)
            case (34, let index?): leave(index, isReset: true)
            case (35, let index?) where Int.random(in: 0..<10, using: &random) == 0: leave(index, isReset: false)
            case (36..<38, _): setWritable(!server.isWritable)
            case (38, let index?) where server.ended.contains(uploads[index].id):
                finished += 1
                leave(index, isReset: true)
            default: break
            }
        }
    }

    func open() {
        setWritable(true)
        window += 1 << 28
        receive(8, 0, 1 << 28)
        for index in uploads.indices where !server.ended.contains(uploads[index].id) {
            uploads[index].window += 1 << 28
            receive(8, uploads[index].id, 1 << 28)
        }
    }

    /// When nothing is under way: whoever may send has sent.
    func check() {
        if connectionWindow < 0 { faults.append("connection window \(connectionWindow)") }
        guard server.isWritable else { return }
        for upload in uploads {
            let sent = server.content[upload.id] ?? 0
            if sent > upload.written || sent > upload.window { faults.append("\(upload.id) sent \(sent)") }
            if sent < upload.written, min(connectionWindow, upload.window - sent) > 0 {
                faults.append(
                    "\(upload.id) waits with \(upload.written - sent), \(connectionWindow), \(upload.window - sent)")
            }
            let isEnded = server.ended.contains(upload.id)
            if isEnded != (upload.isWhole && sent == upload.written) {
                faults.append("\(upload.id) ended \(isEnded), \(upload.isWhole), \(sent) of \(upload.written)")
            }
        }
        for weak in gone where weak.stream != nil { faults.append("kept") }
    }

    func close() {
        for upload in uploads { upload.stream.close() }
        session.retire()
        server.close()
        session.closed()
    }
}

extension HTTP2SessionTests {
    @Test("Whatever happens, who may send has sent when nothing is under way", arguments: 1...12 as ClosedRange<UInt64>)
    func random(_ seed: UInt64) async throws {
        let handle = try ReactorHandle(name: "test")
        let bound = await handle.submit { ReactorBound(Crowd($0, seed: seed), on: $0) }
        for step in 0..<400 {
            await handle.submit { bound.value(on: $0)?.step() }
            if step == 399 { await handle.submit { bound.value(on: $0)?.open() } }
            for _ in 0..<(step == 399 ? 60 : 4) { await handle.submit { _ in } }
            let faults = await handle.submit { reactor in
                bound.value(on: reactor)?.check()
                return bound.value(on: reactor)?.faults ?? []
            }
            #expect(faults.isEmpty, "step \(step)")
            guard faults.isEmpty else { break }
        }
        let finished = await handle.submit { reactor in
            bound.value(on: reactor)?.close()
            return bound.value(on: reactor)?.finished ?? 0
        }
        handle.join()
        #expect(finished > 0)
    }
}
