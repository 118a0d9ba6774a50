import Glibc
import NIOCore
import Reactor
import TestKit
import Testing

/// What a stream does with bytes that its socket does not take, and with a peer that takes none.
@Suite("Stream: writing")
struct StreamWriteTests {
    @Test("writes that the socket takes in parts arrive whole and in order")
    func partialWrites() async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor, sendBuffer: 8192, receiveBuffer: 8192)
            let sizes = [700_000, 1, 0, 300_001, 65_536, 3]
            let tails = [0, 299_999, 17, 1, 70_000, 100_000]
            await connection.act(reactor) { stream in
                var start = 0
                for (size, tail) in zip(sizes, tails) {
                    let first = ByteBuffer(bytes: pattern(size, from: start))
                    let second = ByteBuffer(bytes: pattern(tail, from: start + size))
                    stream.write(first, tail == 0 ? nil : second)
                    start += size + tail
                }
                stream.finishOutput()
            }
            let total = sizes.reduce(0, +) + tails.reduce(0, +)
            #expect(connection.readToEnd() == pattern(total))
        }
    }

    @Test("a peer that never reads: one word at the high mark, one at the low mark, nothing lost")
    func highAndLowMark() async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor, sendBuffer: 8192, receiveBuffer: 8192)
            let written = await connection.act(reactor) { stream in
                var written = 0
                while stream.isWritable, written < 10_000_000 {
                    stream.write(ByteBuffer(bytes: pattern(10_000, from: written)), nil)
                    written += 10_000
                }
                // A writer that does not heed the mark is not told again.
                stream.write(ByteBuffer(bytes: pattern(50_000, from: written)), nil)
                return written + 50_000
            }
            let total = try #require(written)
            #expect(total < 1_000_000)
            #expect(connection.journal.entries == [.writable(false)])
            await connection.act(reactor) { $0.finishOutput() }
            #expect(connection.readToEnd() == pattern(total))
            #expect(connection.journal.entries == [.writable(false), .writable(true)])
        }
    }

    @Test("bytes that the peer has not taken count, whether they wait here or with the kernel")
    func untakenBytes() async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor, receiveBuffer: 8192)
            let untaken = await connection.act(reactor) { stream in
                stream.write(ByteBuffer(bytes: pattern(100_000)), nil)
                return stream.delivery.untaken
            }
            #expect(try (50_000...100_000).contains(#require(untaken)))
            await connection.act(reactor) { $0.finishOutput() }
            #expect(connection.readToEnd() == pattern(100_000))
            #expect(await connection.act(reactor) { $0.delivery.untaken } ?? 0 <= 1)
        }
    }

    @Test("what was sent is not kept while the peer lags behind")
    func sentBytesAreLetGo() async {
        // In a process of its own, whose memory is nobody else's.
        await #expect(processExitsWith: .success) {
            try await withReactor { reactor in
                let chunk = ByteBuffer(repeating: 65, count: 65536)
                let total = 128 << 20
                let connection = try await Connection(reactor, sendBuffer: 32768, receiveBuffer: 32768) { recorder in
                    var left = total
                    recorder.onWritability = { recorder in
                        while let stream = recorder.stream, stream.isWritable, left > 0 {
                            left -= chunk.readableBytes
                            // Storage of its own, as a relay's buffers have.
                            stream.write(ByteBuffer(bytes: chunk.readableBytesView), nil)
                        }
                    }
                }
                let before = residentMemory()
                await connection.act(reactor) { stream in
                    while stream.isWritable { stream.write(chunk, nil) }
                }
                var received = 0
                // A step at a time, so that the stream's socket is full throughout and something always waits.
                while received < total,
                    case .bytes(let bytes) = connection.peer.receive(atMost: 16384, by: .now + .seconds(30))
                {
                    received += bytes.count
                    await reactor.submit { _ in }
                }
                #expect(received >= total)
                let growth = residentMemory() - before
                #expect(growth < 65536, "\(growth) KiB more")
            }
        }
    }

    @Test("a few bytes that wait do not keep the large buffer they lie in")
    func smallSlicesAreCopied() async {
        await #expect(processExitsWith: .success) {
            try await withReactor { reactor in
                let connection = try await Connection(reactor, sendBuffer: 8192, receiveBuffer: 8192)
                await connection.act(reactor) { stream in
                    while stream.isWritable { stream.write(ByteBuffer(repeating: 65, count: 65536), nil) }
                }
                let before = residentMemory()
                await connection.act(reactor) { stream in
                    for _ in 0..<4096 {
                        var large = ByteBuffer(repeating: 65, count: 65536)
                        if let slice = large.readSlice(length: 10) { stream.write(slice, nil) }
                    }
                }
                let growth = residentMemory() - before
                #expect(growth < 65536, "\(growth) KiB more")
            }
        }
    }

    @Test("finishOutput with bytes that wait: they come first, then the end")
    func finishBehindQueue() async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor, sendBuffer: 8192, receiveBuffer: 8192)
            await connection.act(reactor) { stream in
                stream.write(ByteBuffer(bytes: pattern(500_000)), nil)
                stream.finishOutput()
                stream.finishOutput()
            }
            #expect(connection.readToEnd() == pattern(500_000))
            // The other direction is open as before.
            connection.peer.send([1, 2, 3])
            #expect(eventually { connection.journal.bytes == [1, 2, 3] })
            #expect(!connection.journal.entries.contains(.closed))
        }
    }

    @Test("a write after finishOutput is nothing, whether bytes wait or not", arguments: [0, 500_000])
    func writeAfterFinish(_ count: Int) async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor, sendBuffer: 8192, receiveBuffer: 8192)
            await connection.act(reactor) { stream in
                stream.write(ByteBuffer(bytes: pattern(count)), nil)
                stream.finishOutput()
                stream.write(ByteBuffer(string: "too late"), nil)
            }
            #expect(connection.readToEnd() == pattern(count))
            connection.peer.send([1, 2, 3])
            connection.peer.finishSending()
            #expect(connection.journal.has(.closed))
            #expect(connection.journal.bytes == [1, 2, 3])
            #expect(connection.journal.entries.suffix(3) == [.received, .ended, .closed])
        }
    }

    @Test("a reset while bytes wait closes the stream, once")
    func resetWhileWaiting() async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor, sendBuffer: 8192, receiveBuffer: 8192) { recorder in
                // Must not be asked for more by a stream that is broken.
                recorder.onWritability = { $0.stream?.write(ByteBuffer(repeating: 65, count: 10), nil) }
            }
            await connection.act(reactor) { $0.write(ByteBuffer(repeating: 65, count: 1_000_000), nil) }
            connection.peer.reset()
            #expect(connection.journal.has(.closed))
            await reactor.submit { _ in }
            #expect(connection.journal.entries == [.writable(false), .closed])
        }
    }

    @Test("a reset that a write learns of first closes the stream, once")
    func resetWhileWriting() async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor)
            await connection.act(reactor) { stream in
                connection.peer.reset()
                for _ in 0..<3 { stream.write(ByteBuffer(string: "anybody"), ByteBuffer(string: " there?")) }
                #expect(stream.isOpen)
                connection.journal.note("written")
            }
            #expect(connection.journal.has(.closed))
            await reactor.submit { _ in }
            #expect(connection.journal.entries == [.note("written"), .closed])
        }
    }

    @Test("a peer that ended its side and then is gone: the write that fails closes the stream")
    func resetAfterHalfClose() async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor)
            connection.peer.finishSending()
            #expect(connection.journal.has(.ended))
            await connection.act(reactor) { stream in
                connection.peer.reset()
                stream.write(ByteBuffer(string: "anybody there?"), nil)
            }
            #expect(connection.journal.has(.closed))
        }
    }

    @Test("a write that fails for want of room in the system closes the stream, though nothing is wrong with reading")
    func failureOfTheWriteAlone() async throws {
        try await withReactor { reactor in
            // A socket of packets refuses one that is too large (EMSGSIZE) and goes on: the stream must not linger.
            var pair: [Int32] = [-1, -1]
            let kind = Int32(SOCK_SEQPACKET.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
            let isMade = unsafe socketpair(AF_UNIX, kind, 0, &pair) == 0
            try #require(isMade)
            let (near, far) = (pair[0], pair[1])
            defer { close(far) }
            let journal = Journal()
            await reactor.submit { reactor in
                let stream = Stream(reactor, descriptor: near, handler: Recorder(journal))
                stream?.write(ByteBuffer(repeating: 65, count: 16 << 20), nil)
            }
            #expect(journal.has(.closed))
        }
    }
}
