import NIOCore
import Reactor
import Testing

@testable import Upstream

/// A session without sockets and its requests. Lives on the reactor.
private final class Uploads {
    /// What one stream sends in a turn.
    static let turn = 16384

    let server = SessionServer()
    let session: HTTP2Session
    private var connections: [UpstreamConnection] = []
    private var streams: [HTTP2UpstreamStream] = []

    /// The window that every connection begins with is used up by a first upload, which has more.
    init(_ reactor: Reactor) {
        session = HTTP2Session(reactor: reactor, host: "127.0.0.1", isSecure: false)
        session.open(server)
        session.received(SessionServer.settings)
        session.roundEnded()
        let first = begin()
        while stream(first).isWritable { write(Self.turn, to: first) }
        session.roundEnded()
    }

    private func stream(_ index: Int) -> HTTP2UpstreamStream { streams[index] }

    /// Begins an upload of so many bytes, of which none is there yet; in chunks where the length is nil.
    func begin(length: Int? = 1 << 30) -> Int {
        let connection = UpstreamConnection(endpoint: 0, host: session.host, pool: nil)
        let stream = session.makeStream(for: connection)
        connection.open(stream)
        connections.append(connection)
        streams.append(stream)
        let framing = length.map { "content-length: \($0)" } ?? "transfer-encoding: chunked"
        stream.write(ByteBuffer(string: "POST /a HTTP/1.1\r\nhost: a\r\n\(framing)\r\n\r\n"), nil)
        return streams.count - 1
    }

    func write(_ count: Int, to index: Int) {
        stream(index).write(ByteBuffer(repeating: 0x61, count: count), nil)
    }

    func end(_ index: Int) {
        stream(index).write(ByteBuffer(string: "0\r\n\r\n"), nil)
    }

    /// As a client does that has more than the gateway takes.
    func fill(_ index: Int) {
        while stream(index).isWritable { write(Self.turn, to: index) }
    }

    /// One round of events, in which the server opens the window and then something comes of clients.
    func round(opening count: Int, _ arrivals: () -> Void = {}) {
        session.received(SessionServer.windowUpdate(UInt32(count)))
        arrivals()
        session.roundEnded()
    }

    /// What the server has of an upload.
    func sent(_ index: Int) -> Int { server.content[UInt32(2 * index + 1)] ?? 0 }

    func isEnded(_ index: Int) -> Bool { server.ended.contains(UInt32(2 * index + 1)) }

    func close() {
        session.retire()
        for stream in streams { stream.close() }
        session.roundEnded()
    }
}

@Suite("Uploads that share a connection of HTTP/2") struct HTTP2SessionTests {
    private func onReactor<Value: Sendable>(_ body: @escaping @Sendable (Uploads) -> Value) async throws -> Value {
        let handle = try ReactorHandle(name: "test")
        let value = await handle.submit { reactor in
            let uploads = Uploads(reactor)
            let value = body(uploads)
            uploads.close()
            return value
        }
        handle.join()
        return value
    }

    @Test(
        "Those without end leave a third its turns, whatever a window opens for",
        arguments: [Uploads.turn / 4, Uploads.turn, 3 * Uploads.turn / 2, 2 * Uploads.turn])
    func turns(_ opening: Int) async throws {
        let (shares, before) = try await onReactor { uploads in
            _ = uploads.begin()
            uploads.fill(1)
            let third = uploads.begin()
            uploads.fill(third)
            let before = (0..<3).map { uploads.sent($0) }
            var rounds: [[Int]] = []
            for _ in 0..<12 {
                uploads.round(opening: opening)
                for index in 0..<3 { uploads.fill(index) }
                rounds.append((0..<3).map { uploads.sent($0) - before[$0] })
            }
            return (rounds, before)
        }
        #expect(before == [65535, 0, 0])
        for (round, share) in shares.enumerated() {
            #expect(share.reduce(0, +) == opening * (round + 1))
            // Nobody is ever two turns behind another.
            #expect((share.max() ?? 0) - (share.min() ?? 0) <= 2 * Uploads.turn, "round \(round): \(share)")
        }
        #expect(shares.last?.min() ?? 0 >= opening * 2)
    }

    @Test("Who comes later, or has something again, stands behind who waits already") func places() async throws {
        let rounds = try await onReactor { uploads in
            let paused = uploads.begin()
            var rounds: [[Int]] = []
            var later = 0
            for _ in 0..<3 {
                uploads.round(opening: Uploads.turn) {
                    guard later == 0 else { return }
                    uploads.write(Uploads.turn, to: paused)
                    later = uploads.begin(length: Uploads.turn)
                    uploads.write(Uploads.turn, to: later)
                }
                rounds.append([uploads.sent(0) - 65535, uploads.sent(paused), uploads.sent(later)])
            }
            return (rounds, uploads.isEnded(later))
        }
        #expect(
            rounds.0 == [
                [Uploads.turn, 0, 0], [Uploads.turn, Uploads.turn, 0], [Uploads.turn, Uploads.turn, Uploads.turn],
            ])
        #expect(rounds.1)
    }

    @Test("Who waits alone gets all that a window opens for") func alone() async throws {
        let sent = try await onReactor { uploads in
            uploads.round(opening: 65_536)
            return uploads.sent(0)
        }
        #expect(sent > 65_535 + 3 * Uploads.turn)
    }

    @Test("Who has only the end to send sends it, although those before it took all of the window and of one write")
    func onlyTheEnd() async throws {
        let handle = try ReactorHandle(name: "test")
        let (bound, last) = await handle.submit { reactor in
            let uploads = Uploads(reactor)
            for _ in 1..<16 { uploads.fill(uploads.begin()) }
            return (ReactorBound(uploads, on: reactor), uploads.begin(length: nil))
        }
        await handle.submit { reactor in
            guard let uploads = bound.value(on: reactor) else { return }
            uploads.session.received(SessionServer.windowUpdate(UInt32(16 * Uploads.turn)))
            uploads.end(last)
        }
        // Nothing else happens on the connection; each of these lets a round of the loop go by.
        for _ in 0..<3 { await handle.submit { _ in } }
        let (sent, isEnded) = await handle.submit { reactor in
            guard let uploads = bound.value(on: reactor) else { return ([Int](), false) }
            let result = ((0..<16).map { uploads.sent($0) }, uploads.isEnded(last))
            uploads.close()
            return result
        }
        handle.join()
        #expect(sent == [65_535 + Uploads.turn] + Array(repeating: Uploads.turn, count: 15))
        #expect(isEnded)
    }
}

extension HTTP2Session {
    /// Bytes in a buffer of their own.
    func received(_ bytes: ByteBuffer) {
        var lent = bytes
        received(&lent)
    }
}
