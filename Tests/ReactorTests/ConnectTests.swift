import CLinux
import Glibc
import NIOCore
import TestKit
import Testing

@testable import Reactor

/// Taking connections, and making them.
@Suite("Acceptor and Connector")
struct ConnectTests {
    static func loopback(_ port: Int = 0) throws -> StreamAddress {
        try #require(StreamAddress(literal: "127.0.0.1", port: port))
    }

    // MARK: Acceptor

    @Test("more connections than are taken at a time, each with its peer's address")
    func acceptMany() async throws {
        try await withReactor { reactor in
            let (address, journal) = (try ConnectTests.loopback(), Journal())
            let acceptor = try await ConnectTests.listen(on: reactor, address) { _, descriptor, peer in
                journal.note(peer.host)
                close(descriptor)
            }
            let peers = try (0..<150).map { _ in try Socket.connect(port: acceptor.port) }
            #expect(eventually { journal.entries.count == peers.count })
            #expect(journal.entries.allSatisfy { $0 == .note("127.0.0.1") })
        }
    }

    @Test("a listener that is closed from within takes what waits, and nothing more")
    func closeFromWithin() async throws {
        try await withReactor { reactor in
            let (address, journal) = (try ConnectTests.loopback(), Journal())
            let latch = Latch()
            let acceptor = try await ConnectTests.listen(on: reactor, address) { acceptor, descriptor, _ in
                journal.note("accepted")
                acceptor.close()
                acceptor.close()
                close(descriptor)
            }
            reactor.execute { _ in latch.wait() }
            let peers = try (0..<3).map { _ in try Socket.connect(port: acceptor.port) }
            latch.open()
            for peer in peers { #expect(peer.receive(by: .now + .seconds(30)) == .end) }
            #expect(journal.entries == Array(repeating: .note("accepted"), count: 3))
            // Others may have the socket still: here nobody takes from it.
            let late = try Socket.connect(port: acceptor.port)
            await reactor.submit { _ in }
            #expect(journal.entries.count == 3)
            late.close()
        }
    }

    @Test("out of descriptors: a pause, not the end; and nothing is lost", arguments: [false, true])
    func outOfDescriptors(_ isRefusedOnce: Bool) async {
        // The bound is the process's: in one of its own.
        await #expect(processExitsWith: .success) { [isRefusedOnce] in
            let reactor = try ReactorHandle(name: "test")
            let journal = Journal()
            let acceptor = try await ConnectTests.listen(on: reactor, try ConnectTests.loopback()) { _, _, _ in
                journal.note("accepted")
            }
            // Everything that is needed later is opened now; then every number below the bound is taken.
            let clients = (0..<3).map { _ in socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }
            var bound = rlimit(rlim_cur: 256, rlim_max: 256)
            let isBound = unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &bound) == 0
            try #require(isBound)
            var fillers: [Int32] = []
            while case let filler = dup(STDERR_FILENO), filler >= 0 { fillers.append(filler) }
            close(fillers.removeLast())
            for client in clients { try #require(ConnectTests.connect(client, port: acceptor.port)) }
            #expect(journal.has(.note("accepted")))
            // The one descriptor is gone, two connections wait. The listener pauses in the round that finds out.
            await reactor.submit { _ in }
            let descriptor = acceptor.socket.descriptor
            if isRefusedOnce {
                // What is watched already cannot be added: the first attempt after the pause fails.
                await reactor.submit { reactor in
                    func occupy() {
                        guard tollgate_epoll_add(reactor.poll, descriptor, 0, .max) == 0 else {
                            reactor.schedule(at: reactor.now, occupy)
                            return
                        }
                        reactor.schedule(at: reactor.now + Acceptor.pause) {
                            tollgate_epoll_remove(reactor.poll, descriptor)
                        }
                    }
                    occupy()
                }
            }
            #expect(journal.entries == [.note("accepted")])
            for filler in fillers { close(filler) }
            let accepted = { journal.entries.count { $0 == .note("accepted") } }
            #expect(eventually { accepted() == 3 })
        }
    }

    /// A listener and who takes from it.
    struct Listening: Sendable {
        let acceptor: ReactorBound<Acceptor>
        let socket: ListeningSocket
        var port: Int { socket.address.port }
    }

    static func listen(
        on reactor: ReactorHandle, _ address: StreamAddress,
        _ accepted: @escaping @Sendable (Acceptor, Int32, StreamAddress) -> Void
    ) async throws -> Listening {
        try await reactor.submit { reactor in
            Result { () throws(ReactorError) in
                var own: Acceptor?
                let socket = try ListeningSocket(at: address)
                let acceptor = try Acceptor(reactor, on: socket) { descriptor, peer in
                    if let own { accepted(own, descriptor, peer) }
                }
                own = acceptor
                return Listening(acceptor: ReactorBound(acceptor, on: reactor), socket: socket)
            }
        }.get()
    }

    static func connect(_ descriptor: Int32, port: Int) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }

    // MARK: Connector

    static func attempt(
        _ reactor: ReactorHandle, port: Int, timeout: Int64 = 30_000_000_000, deaf: Bool = false,
        then connected: @escaping @Sendable (Reactor, Int32, Journal) -> Void = { _, descriptor, _ in close(descriptor)
        }
    ) async throws -> Journal {
        let (address, journal) = (try loopback(port), Journal())
        await reactor.submit { reactor in
            let begin = {
                _ = Connector(reactor, to: address, timeout: timeout) { outcome in
                    switch outcome {
                    case .connected(let descriptor):
                        journal.note("connected")
                        connected(reactor, descriptor, journal)
                    case .failed: journal.note("failed")
                    case .timedOut: journal.note("timed out")
                    }
                }
            }
            if deaf { reactor.deaf(begin) } else { begin() }
            journal.note("begun")
        }
        return journal
    }

    @Test("nobody listens: it fails, never from within the call")
    func refused() async throws {
        let (reserved, port) = try Socket.reserve()
        defer { reserved.close() }
        try await withReactor { reactor in
            let journal = try await ConnectTests.attempt(reactor, port: port)
            #expect(eventually { journal.entries.count > 1 })
            #expect(journal.entries == [.note("begun"), .note("failed")])
        }
    }

    @Test("a connection, which a stream takes over")
    func connected() async throws {
        try await withReactor { reactor in
            let (listener, port) = try Socket.listen()
            let journal = try await ConnectTests.attempt(reactor, port: port) { reactor, descriptor, journal in
                Stream(reactor, descriptor: descriptor, handler: Recorder(journal))?
                    .write(ByteBuffer(string: "hello"), nil)
            }
            let peer = try #require(listener.accept())
            #expect(peer.receive(by: .now + .seconds(30)) == .bytes(Array("hello".utf8)))
            peer.close()
            #expect(journal.has(.ended))
            #expect(journal.entries == [.note("begun"), .note("connected"), .ended])
        }
    }

    @Test("a peer that takes the connection and resets it: a failure, or a stream that closes")
    func connectedAndReset() async throws {
        try await withReactor { reactor in
            let (listener, port) = try Socket.listen()
            // The reset lies before the loop looks at the outcome in one case, after the stream was made in the other.
            for isEarly in [true, false] {
                let latch = Latch()
                let journal = try await ConnectTests.attempt(reactor, port: port) { reactor, descriptor, journal in
                    _ = Stream(reactor, descriptor: descriptor, handler: Recorder(journal))
                    latch.open()
                }
                if isEarly {
                    reactor.execute { _ in latch.wait() }
                } else {
                    latch.wait()
                }
                try #require(listener.accept()).reset()
                latch.open()
                #expect(journal.has(.closed) || journal.has(.note("failed")))
                #expect(!journal.entries.contains(.ended))
            }
        }
    }

    @Test("nobody answers: it times out")
    func timedOut() async throws {
        try await withReactor { reactor in
            // A listener whose queue of one is full drops whatever else knocks.
            let (full, port) = try Socket.listen(backlog: 0)
            let waiting = try Socket.connect(port: port)
            let journal = try await ConnectTests.attempt(reactor, port: port, timeout: 5_000_000)
            #expect(eventually { journal.entries.count > 1 })
            #expect(journal.entries == [.note("begun"), .note("timed out")])
            waiting.close()
            full.close()
        }
    }

    @Test("a socket that cannot be watched is a failure, not a time-out, and is closed")
    func notWatchable() async throws {
        try await withReactor { reactor in
            let (listener, port) = try Socket.listen()
            let journal = try await ConnectTests.attempt(reactor, port: port, deaf: true)
            #expect(eventually { journal.entries.count > 1 })
            #expect(journal.entries == [.note("begun"), .note("failed")])
            let peer = try #require(listener.accept())
            #expect(peer.receive(by: .now + .seconds(30)) == .end)
        }
    }
}
