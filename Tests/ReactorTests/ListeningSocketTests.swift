import Glibc
import Reactor
import TestKit
import Testing

@Suite("Listening sockets")
struct ListeningSocketTests {
    private func loopback(_ port: Int = 0) throws -> StreamAddress {
        try #require(StreamAddress(literal: "127.0.0.1", port: port))
    }

    @Test("its address has the port that the system chose")
    func address() throws {
        let socket = try ListeningSocket(at: loopback())
        #expect(socket.address.port > 0)
        #expect(socket.address.host == "127.0.0.1")
        #expect(socket.isAt(try loopback(socket.address.port)))
        #expect(!socket.isAt(try loopback()))
        #expect(!socket.isAt(try #require(StreamAddress(literal: "127.0.0.2", port: socket.address.port))))
    }

    @Test("those that share their address may be several, others not")
    func sharing() throws {
        let shared = try ListeningSocket(at: loopback())
        let other = try ListeningSocket(at: shared.address)
        #expect(other.isAt(shared.address))
        let alone = try ListeningSocket(at: loopback(), shares: false)
        #expect(throws: ReactorError.self) { try ListeningSocket(at: alone.address) }
        #expect(throws: ReactorError.self) { try ListeningSocket(at: alone.address, shares: false) }
    }

    @Test("whether an address is free does not depend on who shares it")
    func free() throws {
        let taken = try ListeningSocket(at: loopback())
        #expect(throws: ReactorError.self) { try ListeningSocket.checkFree(taken.address) }
        let everywhere = try #require(StreamAddress(literal: "0.0.0.0", port: taken.address.port))
        #expect(throws: ReactorError.self) { try ListeningSocket.checkFree(everywhere) }
        try ListeningSocket.checkFree(try loopback())
    }

    @Test("a descriptor is taken over where it listens, and else left alone")
    func inheriting() throws {
        let first = try ListeningSocket(at: loopback())
        let copy = dup(first.descriptor)
        let second = try #require(ListeningSocket(inheriting: copy))
        #expect(second.isAt(first.address))
        #expect(fcntl(copy, F_GETFD) & FD_CLOEXEC != 0)
        #expect(fcntl(copy, F_GETFL) & O_NONBLOCK != 0)
        let peer = try Socket.connect(port: first.address.port)
        let connected = peer.release()
        let file = unsafe open("/dev/null", O_RDONLY)
        for descriptor in [connected, file, -1, 1_000_000] {
            #expect(ListeningSocket(inheriting: descriptor) == nil)
        }
        for descriptor in [connected, file] { #expect(close(descriptor) == 0, "it was closed by others") }
    }

    @Test("several loops take from one socket; one that stops leaves the rest to the others")
    func manyTakers() async throws {
        try await withReactor { first in
            try await withReactor { second in
                let socket = try ListeningSocket(at: loopback())
                let journal = Journal()
                var acceptors: [ReactorBound<Acceptor>] = []
                for reactor in [first, second] {
                    acceptors.append(
                        try await reactor.submit { reactor in
                            Result { () throws(ReactorError) in
                                ReactorBound(
                                    try Acceptor(reactor, on: socket) { descriptor, _ in
                                        journal.note("accepted")
                                        close(descriptor)
                                    }, on: reactor)
                            }
                        }.get())
                }
                for count in 1...40 {
                    if count == 20 {
                        let stopped = acceptors[0]
                        await first.submit { stopped.value(on: $0)?.close() }
                    }
                    let peer = try Socket.connect(port: socket.address.port)
                    #expect(peer.receive(by: .now + .seconds(30)) == .end)
                    #expect(journal.entries.count == count)
                }
            }
        }
    }
}
