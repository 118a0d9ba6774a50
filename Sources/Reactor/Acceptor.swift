import CLinux
import Glibc

/// Takes the connections of a listening socket, on one reactor. Others may do so from the same socket.
package final class Acceptor: EventSource {
    /// Connections taken at a time before others get their turn: each costs as much as two requests.
    private static let maximumAccepts = 2
    /// Pause after the process ran out of descriptors or memory.
    static let pause: Int64 = 100_000_000

    private static let events = Events.input | Events.exclusive

    private let reactor: Reactor
    private var socket: ListeningSocket?
    private var slot: Int?
    private let accepted: (Int32, StreamAddress) -> Void

    /// Starts to take connections. `accepted` takes each connected descriptor over.
    package init(
        _ reactor: Reactor, on socket: ListeningSocket, accepted: @escaping (Int32, StreamAddress) -> Void
    ) throws(ReactorError) {
        self.reactor = reactor
        self.socket = socket
        self.accepted = accepted
        slot = try reactor.add(self, descriptor: socket.descriptor, events: Self.events)
    }

    /// Takes the connections that wait, and then no more.
    package func close() {
        guard let socket else { return }
        self.socket = nil
        stopWatching(socket)
        for _ in 0..<ListeningSocket.backlog {
            guard accept(from: socket) else { return }
        }
    }

    /// Explicitly: who else has the socket keeps it open, and with that in the epoll set.
    private func stopWatching(_ socket: ListeningSocket) {
        guard let slot else { return }
        reactor.remove(slot)
        self.slot = nil
        tollgate_epoll_remove(reactor.poll, socket.descriptor)
    }

    func ready(_ events: UInt32) {
        for _ in 0..<Self.maximumAccepts {
            guard let socket, accept(from: socket) else { return }
        }
    }

    /// Takes one connection. False when there is none, or no descriptor for it.
    private func accept(from socket: ListeningSocket) -> Bool {
        while true {
            var peer = tollgate_address()
            // Unsafe: fills the structure during the call.
            let result = unsafe tollgate_accept(socket.descriptor, &peer)
            if result >= 0 {
                accepted(result, StreamAddress(peer))
                return true
            }
            if result == -EAGAIN { return false }
            if result == -EMFILE || result == -ENFILE || result == -ENOBUFS || result == -ENOMEM {
                pauseAccepting(from: socket)
                return false
            }
            // Anything else belongs to the one connection that was lost (accept(2)): on to the next.
        }
    }

    /// The socket stays readable while the process is out of descriptors: not to spin, it is not watched for a moment.
    private func pauseAccepting(from socket: ListeningSocket) {
        guard slot != nil else { return }
        stopWatching(socket)
        resumeLater()
    }

    private func resumeLater() {
        reactor.schedule(at: reactor.now + Self.pause) { [self] in
            guard let socket else { return }
            slot = try? reactor.add(self, descriptor: socket.descriptor, events: Self.events)
            // The kernel may be short of memory for this, too.
            if slot == nil { resumeLater() }
        }
    }
}

/// One attempt to connect.
package final class Connector: EventSource {
    /// How an attempt ended.
    package enum Outcome {
        case connected(Int32)
        case failed
        case timedOut
    }

    private let reactor: Reactor
    private var descriptor: Int32 = -1
    private var slot: Int?
    private var timer: UInt64?
    private var completion: ((Outcome) -> Void)?

    /// Starts an attempt that may take `timeout` nanoseconds. `completion` is called once, never from within this call.
    package init(_ reactor: Reactor, to address: StreamAddress, timeout: Int64, completion: @escaping (Outcome) -> Void)
    {
        self.reactor = reactor
        self.completion = completion
        var raw = address.raw
        // Unsafe: reads the structure during the call.
        let descriptor = unsafe tollgate_connect(&raw)
        guard descriptor >= 0 else {
            reactor.schedule(at: reactor.now) { self.finish(.failed) }
            return
        }
        self.descriptor = descriptor
        do {
            slot = try reactor.add(self, descriptor: descriptor, events: Events.output)
            timer = reactor.schedule(at: reactor.now + timeout) { self.finish(.timedOut) }
        } catch {
            reactor.schedule(at: reactor.now) { self.finish(.failed) }
        }
    }

    func ready(_ events: UInt32) {
        finish(tollgate_connect_result(descriptor) == 0 ? .connected(descriptor) : .failed)
    }

    private func finish(_ outcome: Outcome) {
        guard let completion else { return }
        self.completion = nil
        if let timer { reactor.cancel(timer) }
        if let slot { reactor.remove(slot) }
        if descriptor >= 0 { tollgate_epoll_remove(reactor.poll, descriptor) }
        if case .connected = outcome {} else if descriptor >= 0 { Glibc.close(descriptor) }
        completion(outcome)
    }
}
