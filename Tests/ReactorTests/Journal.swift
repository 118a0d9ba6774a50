import Glibc
import NIOConcurrencyHelpers
import NIOCore
import TestKit
import Testing

@testable import Reactor

/// What a reactor told a test, in order. Written on the reactor's thread, read on the test's.
final class Journal: Sendable {
    enum Entry: Hashable, Sendable {
        case received
        case ended
        case closed
        case writable(Bool)
        case note(String)
    }

    private struct Pages {
        var entries: [Entry] = []
        var bytes: [UInt8] = []
    }

    private let pages = NIOLockedValueBox(Pages())

    /// Everything so far; reads that follow one another are one `.received`.
    var entries: [Entry] { pages.withLockedValue { $0.entries } }

    /// All bytes so far.
    var bytes: [UInt8] { pages.withLockedValue { $0.bytes } }

    func note(_ text: String) { add(.note(text)) }

    func add(_ entry: Entry, _ bytes: ByteBuffer = ByteBuffer()) {
        pages.withLockedValue { pages in
            if entry != .received || pages.entries.last != .received { pages.entries.append(entry) }
            pages.bytes += bytes.readableBytesView
        }
    }

    /// Waits until the entry stands there; false when it never does.
    func has(_ entry: Entry) -> Bool { eventually { entries.contains(entry) } }
}

/// A handler that writes everything down and then does what the test says. Lives on the reactor.
final class Recorder: StreamHandler {
    let journal: Journal
    /// The stream it is the handler of; nil before it is made and after it is gone.
    var stream: Stream?
    var onReceived: (Recorder, ByteBuffer) -> Void = { _, _ in }
    var onEnded: (Recorder) -> Void = { _ in }
    var onWritability: (Recorder) -> Void = { _ in }
    var onClosed: () -> Void = {}

    init(_ journal: Journal) {
        self.journal = journal
    }

    func received(_ bytes: inout ByteBuffer) {
        journal.add(.received, bytes)
        onReceived(self, bytes)
    }

    func ended() {
        journal.add(.ended)
        onEnded(self)
    }

    func closed() {
        journal.add(.closed)
        stream = nil
        onClosed()
    }

    func writabilityChanged() {
        journal.add(.writable(stream?.isWritable ?? false))
        onWritability(self)
    }
}

/// A connection with both ends in the test: a stream on the reactor, and its peer, a socket with blocking calls.
struct Connection: Sendable {
    let peer: Socket
    let journal: Journal
    let recorder: ReactorBound<Recorder>

    /// `sendBuffer` and `receiveBuffer` in bytes make the stream's, and the peer's, socket fill up early.
    init(
        _ reactor: ReactorHandle, sendBuffer: Int32? = nil, receiveBuffer: Int32? = nil,
        _ prepare: @escaping @Sendable (Recorder) -> Void = { _ in }
    ) async throws {
        let (listener, port) = try Socket.listen()
        peer = try Socket.connect(port: port, receiveBuffer: receiveBuffer)
        let descriptor = try #require(listener.accept()).release()
        listener.close()
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        if var size = sendBuffer {
            _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        let journal = Journal()
        self.journal = journal
        recorder = await reactor.submit { reactor in
            let recorder = Recorder(journal)
            prepare(recorder)
            recorder.stream = Stream(reactor, descriptor: descriptor, handler: recorder)
            return ReactorBound(recorder, on: reactor)
        }
    }

    /// Does something with the stream on its reactor; `nil` when the stream is gone.
    @discardableResult
    func act<Value: Sendable>(
        _ reactor: ReactorHandle, _ body: @escaping @Sendable (Stream) -> Value
    ) async -> Value? {
        let recorder = self.recorder
        return await reactor.submit { recorder.value(on: $0)?.stream.map(body) }
    }

    /// The bytes the peer is sent, as soon as there are `count`; fewer when the stream ends or nothing comes.
    func read(_ count: Int) -> [UInt8] {
        var all: [UInt8] = []
        while all.count < count,
            case .bytes(let bytes) = peer.receive(atMost: count - all.count, by: .now + .seconds(30))
        {
            all += bytes
        }
        return all
    }

    /// Everything the peer is sent until the end of the stream; nil when it ends otherwise.
    func readToEnd() -> [UInt8]? {
        var all: [UInt8] = []
        while true {
            switch peer.receive(by: .now + .seconds(30)) {
            case .bytes(let bytes): all += bytes
            case .end: return all
            case .reset, .timeout: return nil
            }
        }
    }
}

/// A reactor for one test, ended with it.
func withReactor(_ body: (ReactorHandle) async throws -> Void) async throws {
    let reactor = try ReactorHandle(name: "test")
    defer { reactor.join() }
    try await body(reactor)
}

/// Bytes in which a part that is lost, doubled or moved shows.
func pattern(_ count: Int, from start: Int = 0) -> [UInt8] {
    (start..<start + count).map { UInt8(truncatingIfNeeded: $0 ^ $0 >> 8 ^ $0 >> 16) }
}

/// Memory of the process that is resident, in KiB.
func residentMemory() -> Int {
    var usage = rusage()
    unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss
}
