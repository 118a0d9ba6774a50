import NIOCore
import Reactor
import TestKit
import Testing

/// Short writes wait for the end of the round and leave together.
@Suite("Stream: gathering")
struct StreamGatherTests {
    @Test("short and long writes of one round arrive whole and in order")
    func shortAndLong() async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor, sendBuffer: 8192, receiveBuffer: 8192)
            let sizes = [1, 500, 8192, 8193, 20, 40_000, 3, 4000, 4000, 4000, 1, 100_000, 7]
            await connection.act(reactor) { stream in
                var start = 0
                for size in sizes {
                    let head = min(size, 10)
                    stream.write(
                        ByteBuffer(bytes: pattern(head, from: start)),
                        ByteBuffer(bytes: pattern(size - head, from: start + head)))
                    start += size
                }
                stream.finishOutput()
            }
            #expect(connection.readToEnd() == pattern(sizes.reduce(0, +)))
        }
    }

    @Test("what many streams write by turns in one round reaches each of them", arguments: [1, 2, 31, 32, 33, 100])
    func manyStreams(_ count: Int) async throws {
        try await withReactor { reactor in
            var connections: [Connection] = []
            for _ in 0..<count { connections.append(try await Connection(reactor)) }
            let recorders = connections.map(\.recorder)
            await reactor.submit { reactor in
                for turn in 0..<3 {
                    for (index, recorder) in recorders.enumerated() {
                        let text = ByteBuffer(string: "\(turn): stream \(index); ")
                        recorder.value(on: reactor)?.stream?.write(text, nil)
                    }
                }
                for recorder in recorders { recorder.value(on: reactor)?.stream?.finishOutput() }
            }
            for (index, connection) in connections.enumerated() {
                let text = (0..<3).map { "\($0): stream \(index); " }.joined()
                #expect(connection.readToEnd() == Array(text.utf8))
            }
        }
    }

    @Test("bytes that are only gathered are drained and taken by nobody yet")
    func gatheredBytesCount() async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor)
            let seen = await connection.act(reactor) { stream in
                stream.write(ByteBuffer(string: "hello"), nil)
                return (stream.isDrained, stream.delivery.untaken, stream.isWritable)
            }
            #expect(seen?.0 == false)
            #expect(seen?.1 == 5)
            #expect(seen?.2 == true)
            #expect(connection.read(5) == Array("hello".utf8))
            #expect(await connection.act(reactor) { $0.isDrained } == true)
        }
    }

    @Test("a stream that is closed behind a short write ends in order")
    func closeBehindWrite() async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor)
            await connection.act(reactor) { stream in
                stream.write(ByteBuffer(string: "last words"), nil)
                stream.close()
                stream.write(ByteBuffer(string: "too late"), nil)
            }
            #expect(connection.readToEnd() == Array("last words".utf8))
            #expect(connection.journal.has(.closed))
        }
    }

    @Test("a stream that is reset behind a short write does not end in order")
    func resetBehindWrite() async throws {
        try await withReactor { reactor in
            let connection = try await Connection(reactor)
            await connection.act(reactor) { stream in
                stream.write(ByteBuffer(string: "last words"), nil)
                stream.reset()
            }
            #expect(connection.readToEnd() == nil)
            #expect(connection.journal.has(.closed))
        }
    }

    /// The second stream is written to while the first one sends: nothing else wakes the loop for it.
    @Test("what is gathered while others send is sent as well")
    func gatheredWhileSending() async throws {
        try await withReactor { reactor in
            let (first, second) = (try await Connection(reactor), try await Connection(reactor))
            await reactor.submit { reactor in
                let other = second.recorder.value(on: reactor)
                first.recorder.value(on: reactor)?.onClosed = {
                    other?.stream?.write(ByteBuffer(string: "it is gone"), nil)
                }
            }
            first.peer.finishSending()
            #expect(first.journal.has(.ended))
            await first.act(reactor) { stream in
                stream.write(ByteBuffer(string: "bye"), nil)
                stream.finishOutput()
            }
            #expect(first.readToEnd() == Array("bye".utf8))
            #expect(second.read(10) == Array("it is gone".utf8))
        }
    }
}
