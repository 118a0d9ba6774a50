import Foundation
import Glibc
import NIOConcurrencyHelpers
import NIOCore
import Reactor
import TestKit
import Testing

/// What a stream makes of its peer's bytes, ends and resets.
@Suite("Stream: reading and ending")
struct StreamReadTests {
    @Test("the peer's end is told once, the other direction lives on, and the stream closes with our end")
    func peerEnds() async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor) { recorder in
                recorder.onEnded = { recorder in
                    recorder.stream?.write(ByteBuffer(string: "answer"), nil)
                    recorder.stream?.finishOutput()
                }
            }
            connection.peer.send(pattern(200_000))
            connection.peer.finishSending()
            #expect(connection.readToEnd() == Array("answer".utf8))
            #expect(connection.journal.has(.closed))
            #expect(connection.journal.bytes == pattern(200_000))
            #expect(connection.journal.entries == [.received, .ended, .closed])
        }
    }

    @Test("our end leaves the peer its own, with which the stream closes")
    func weEnd() async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor)
            await connection.act(reactor) { $0.finishOutput() }
            #expect(connection.readToEnd() == [])
            connection.peer.send(pattern(100_000))
            connection.peer.finishSending()
            #expect(connection.journal.has(.closed))
            #expect(connection.journal.bytes == pattern(100_000))
            #expect(connection.journal.entries == [.received, .ended, .closed])
        }
    }

    @Test("a peer that is reset while reading is paused: what came before it, then the end of the stream")
    func resetWhilePaused() async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor)
            await connection.act(reactor) { $0.setReading(false) }
            connection.peer.send(pattern(1000))
            connection.peer.reset()
            #expect(connection.journal.has(.closed))
            #expect(connection.journal.bytes == pattern(1000))
            #expect(connection.journal.entries == [.received, .closed])
        }
    }

    @Test("a peer that is reset after its end closes the stream, paused or not", arguments: [true, false])
    func resetAfterEnd(_ reads: Bool) async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor)
            connection.peer.finishSending()
            #expect(connection.journal.has(.ended))
            // Bytes that the peer has not read make its close a reset.
            await connection.act(reactor) { stream in
                stream.setReading(reads)
                stream.write(ByteBuffer(string: "unread"), nil)
            }
            connection.peer.close()
            #expect(connection.journal.has(.closed))
            #expect(connection.journal.entries == [.ended, .closed])
        }
    }

    @Test("who always has more to read has one turn in a round, however often the kernel and the handler ask for it")
    func alwaysFull() async throws {
        try await withReactor { reactor in
            let most = NIOLockedValueBox(0)
            let connection = try await Connection(reactor) { recorder in
                let reads = ReadsInRound { count in most.withLockedValue { $0 = max($0, count) } }
                recorder.onReceived = { recorder, _ in
                    guard let stream = recorder.stream else { return }
                    reads.note(on: stream.reactor)
                    stream.setReading(false)
                    stream.reactor.afterEvent { stream.setReading(true) }
                }
            }
            connection.peer.send([UInt8](repeating: 0, count: 32 << 20))
            connection.peer.finishSending()
            #expect(connection.journal.has(.ended))
            #expect(connection.journal.bytes.count == 32 << 20)
            #expect(most.withLockedValue { $0 } <= 4)
        }
    }

    @Test("nothing is read while reading is paused, and nothing is lost by it")
    func pauseAndResume() async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor) { recorder in
                recorder.onReceived = { recorder, _ in
                    recorder.stream?.setReading(false)
                    recorder.journal.note("paused")
                }
            }
            connection.peer.send(pattern(10))
            #expect(connection.journal.has(.note("paused")))
            connection.peer.send(pattern(300_000, from: 10))
            connection.peer.finishSending()
            while connection.journal.bytes.count < 300_010 {
                let before = connection.journal.bytes.count
                await connection.act(reactor) { stream in
                    // Once is as good as often.
                    for _ in 0..<3 {
                        stream.setReading(true)
                        stream.setReading(false)
                    }
                    stream.setReading(true)
                }
                try #require(eventually { connection.journal.bytes.count > before })
                // A pause within `received` holds at once: one read for each resumption.
                #expect(connection.journal.bytes.count - before <= 65536)
            }
            #expect(connection.journal.bytes == pattern(300_010))
            #expect(!connection.journal.entries.contains(.ended))
            await connection.act(reactor) { $0.setReading(true) }
            #expect(connection.journal.has(.ended))
        }
    }

    @Test("close from within a call of the handler's: `closed` comes after that call, and nothing else does")
    func closeFromWithin() async throws {
        for event in [Journal.Entry.received, .ended, .writable(false)] {
            try await withReactor { reactor in
                let connection = try await Connection(reactor, sendBuffer: 8192, receiveBuffer: 8192) { recorder in
                    let leave = { (recorder: Recorder) in
                        let stream = recorder.stream
                        stream?.close()
                        recorder.journal.note("left")
                        // A closed stream takes every call and does nothing.
                        stream?.setReading(false)
                        stream?.setReading(true)
                        stream?.write(ByteBuffer(string: "ignored"), nil)
                        stream?.finishOutput()
                        stream?.close()
                        stream?.reset()
                    }
                    recorder.onReceived = { recorder, _ in if event == .received { leave(recorder) } }
                    recorder.onEnded = leave
                    recorder.onWritability = leave
                }
                switch event {
                case .writable:
                    await connection.act(reactor) { $0.write(ByteBuffer(repeating: 65, count: 1_000_000), nil) }
                case .received, .ended, .closed, .note:
                    connection.peer.send(event == .received ? pattern(200_000) : [])
                    connection.peer.finishSending()
                }
                #expect(connection.journal.has(.closed))
                await reactor.submit { _ in }
                #expect(connection.journal.entries == [event, .note("left"), .closed])
            }
        }
    }

    @Test("close from a task: `closed` comes after the task")
    func closeFromTask() async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor)
            await connection.act(reactor) { stream in
                stream.close()
                connection.journal.note("left")
            }
            #expect(connection.journal.has(.closed))
            #expect(connection.journal.entries == [.note("left"), .closed])
            #expect(connection.readToEnd() == [])
        }
    }

    @Test("reset is told from an orderly end by the peer")
    func reset() async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor)
            await connection.act(reactor) { stream in
                stream.write(ByteBuffer(string: "half"), nil)
                stream.reset()
            }
            #expect(connection.readToEnd() == nil)
            #expect(connection.journal.has(.closed))
        }
    }

    @Test("a connection that always has bytes does not keep others waiting")
    func fairness() async throws {
        try await withReactor { reactor in
            let quiet = try await Connection(reactor)
            var pair: [Int32] = [-1, -1]
            let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
            let isMade = unsafe socketpair(AF_UNIX, kind, 0, &pair) == 0
            try #require(isMade)
            let (near, far) = (pair[0], pair[1])
            defer { close(far) }
            let filling = [UInt8](repeating: 65, count: 65536)
            let busy = Journal()
            await reactor.submit { reactor in
                let recorder = Recorder(busy)
                var reads = 0
                // Fills its own socket again from within the read, until the other connection is heard.
                recorder.onReceived = { _, bytes in
                    reads += 1
                    if reads == 2 { quiet.peer.send([1]) }
                    guard quiet.journal.bytes.isEmpty, reads < 1000 else { return busy.note("\(reads)") }
                    _ = unsafe write(far, filling, bytes.readableBytes)
                }
                _ = Stream(reactor, descriptor: near, handler: recorder)
                _ = unsafe write(far, filling + filling, 2 * filling.count)
            }
            var reads = 0
            #expect(eventually { busy.entries.contains { $0 != .received } })
            for case .note(let text) in busy.entries where reads == 0 { reads = Int(text) ?? 0 }
            // Eight at a time, and a round or two until the other's event is in a batch.
            #expect((1...100).contains(reads), "heard after \(reads) reads")
        }
    }

    @Test("signals interrupt the wait and nothing else")
    func interruptions() async throws {
        try await withReactor { reactor in
            // Without SA_RESTART, so that every system call that can be interrupted is.
            var action = sigaction()
            unsafe action.__sigaction_handler.sa_handler = { _ in }
            let isSet = unsafe sigaction(SIGUSR2, &action, nil) == 0
            try #require(isSet)
            let connection = try await Connection(reactor, sendBuffer: 8192) { recorder in
                recorder.onReceived = { recorder, bytes in recorder.stream?.write(bytes, nil) }
                recorder.onEnded = { $0.stream?.finishOutput() }
            }
            let thread = await reactor.submit { _ in pthread_self() }
            let (start, fired) = (Clocks.monotonic(), Journal())
            _ = await reactor.submit { reactor in
                reactor.schedule(at: start + 20_000_000) {
                    fired.note(reactor.now < start + 20_000_000 ? "early" : "due")
                }
            }
            // On threads of their own: the test's waits for them, and there may be no third for tasks.
            let finished = Journal()
            Thread.detachNewThread {
                connection.peer.send(pattern(2_000_000))
                connection.peer.finishSending()
                finished.note("sending")
            }
            Thread.detachNewThread {
                // Not without end: where a signal takes longer than a read (under a sanitizer), nothing else would be done.
                for _ in 0..<200_000 where fired.entries.isEmpty || !connection.journal.entries.contains(.ended) {
                    pthread_kill(thread, SIGUSR2)
                    sched_yield()
                }
                finished.note("signalling")
            }
            #expect(connection.readToEnd() == pattern(2_000_000))
            #expect(eventually { finished.entries.count == 2 })
            #expect(fired.entries == [.note("due")])
        }
    }
}

/// Counts what is read in each round.
private final class ReadsInRound: RoundParticipant {
    private var count = 0
    private let tell: (Int) -> Void

    init(_ tell: @escaping (Int) -> Void) {
        self.tell = tell
    }

    func note(on reactor: Reactor) {
        if count == 0 { reactor.atRoundEnd(self) }
        count += 1
    }

    func roundEnded() {
        tell(count)
        count = 0
    }
}
