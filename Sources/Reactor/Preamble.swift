import CLinux
import Glibc
package import NIOCore

/// Looks at the first bytes of a connection for something that comes before all else on it, takes exactly that away, and gives
/// the descriptor back: whoever reads from it next finds a connection that begins behind it.
///
/// The bytes are looked at where the kernel holds them, so that none of what follows is ever in the wrong hands.
package final class Preamble: EventSource {
    /// What the bytes so far are.
    package enum Verdict: Sendable {
        case incomplete
        /// So many bytes are to be taken away.
        case complete(length: Int)
        case malformed
    }

    private let reactor: Reactor
    private let maximumBytes: Int
    private var descriptor: Int32
    private var slot: Int?
    private var look: ((ByteBuffer) -> Verdict)?
    private var completion: ((Int32?) -> Void)?

    /// Takes a connected descriptor over.
    ///
    /// - Parameters:
    ///   - maximumBytes: how many bytes are looked at; a preamble that is longer is malformed.
    ///   - look: called with all of the bytes so far whenever more have come.
    ///   - completion: called once, after the event that brought it about: with the descriptor, or with nil when there was no
    ///     such preamble and the connection is closed.
    package init(
        _ reactor: Reactor, descriptor: Int32, maximumBytes: Int, look: @escaping (ByteBuffer) -> Verdict,
        completion: @escaping (Int32?) -> Void
    ) {
        self.reactor = reactor
        self.maximumBytes = maximumBytes
        self.descriptor = descriptor
        self.look = look
        self.completion = completion
        do {
            slot = try reactor.add(
                self, descriptor: descriptor, events: Events.input | Events.peerEnded | Events.edge)
        } catch {
            close()
        }
    }

    /// Closes the connection.
    package func close() {
        guard descriptor >= 0 else { return }
        if let slot { reactor.remove(slot) }
        Glibc.close(descriptor)
        finish(nil)
    }

    func ready(_ events: UInt32) {
        guard descriptor >= 0, let look else { return }
        var bytes = ByteBufferAllocator().buffer(capacity: maximumBytes)
        var got = 0
        // Unsafe: the call fills at most the bytes it is given, and says how many.
        _ = unsafe bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: maximumBytes) { room in
            guard let base = room.baseAddress else { return 0 }
            got = unsafe tollgate_peek(descriptor, base, min(room.count, maximumBytes))
            return max(0, got)
        }
        if got == -Int(EAGAIN) { return }
        guard got > 0 else { return close() }
        switch look(bytes) {
        case .incomplete:
            if got >= maximumBytes || events & (Events.peerEnded | Events.hangUp | Events.error) != 0 { close() }
        case .malformed:
            close()
        case .complete(let length):
            take(length, into: &bytes)
        }
    }

    private func take(_ length: Int, into bytes: inout ByteBuffer) {
        bytes.clear()
        var taken = 0
        // Unsafe: as above.
        _ = unsafe bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: maximumBytes) { room in
            guard let base = room.baseAddress else { return 0 }
            taken = unsafe tollgate_receive(descriptor, base, min(room.count, length))
            return max(0, taken)
        }
        guard taken == length, let slot else { return close() }
        reactor.remove(slot)
        tollgate_epoll_remove(reactor.poll, descriptor)
        finish(descriptor)
    }

    private func finish(_ descriptor: Int32?) {
        self.descriptor = -1
        slot = nil
        look = nil
        guard let completion else { return }
        self.completion = nil
        reactor.afterEvent { completion(descriptor) }
    }
}
