import CLinux
import Glibc

/// An address to connect to or to listen on.
package struct StreamAddress: @unchecked Sendable {
    // `@unchecked` only because the imported C structure says nothing of Sendable: it is plain bytes.
    fileprivate var raw: tollgate_address

    fileprivate init(_ raw: tollgate_address) {
        self.raw = raw
    }

    /// Addresses of one host that are looked at.
    private static let maximumAddresses = 16

    /// An address literal. `nil` when the host is a name.
    package init?(literal host: String, port: Int) {
        guard let first = Self.addresses(host, port, resolves: false).first else { return nil }
        self = first
    }

    /// The first address of a host. Blocks for as long as the resolver takes: never on a reactor.
    package init?(resolving host: String, port: Int) {
        guard let first = Self.all(resolving: host, port: port).first else { return nil }
        self = first
    }

    /// The addresses of a host, at most 16, in the order of the resolver. Blocks as `init(resolving:port:)` does.
    package static func all(resolving host: String, port: Int) -> [StreamAddress] {
        addresses(host, port, resolves: true)
    }

    private static func addresses(_ host: String, _ port: Int, resolves: Bool) -> [StreamAddress] {
        guard let port = UInt16(exactly: port) else { return [] }
        var found = [tollgate_address](repeating: tollgate_address(), count: maximumAddresses)
        // Unsafe: reads the string and fills at most the elements of the array during the call.
        let count = unsafe found.withUnsafeMutableBufferPointer { buffer -> Int32 in
            guard let base = buffer.baseAddress else { return 0 }
            return unsafe tollgate_resolve(host, port, resolves ? 1 : 0, base, Int32(maximumAddresses))
        }
        return found.prefix(max(0, Int(count))).map { StreamAddress($0) }
    }

    /// The address without its port, as text.
    package var host: String {
        var text = [CChar](repeating: 0, count: 46)
        var raw = raw
        // Unsafe: writes at most the 46 bytes of the array.
        unsafe text.withUnsafeMutableBufferPointer { buffer in
            guard let base = buffer.baseAddress else { return }
            _ = unsafe tollgate_describe(&raw, base)
        }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// A listening socket of one reactor. Several may share an address (SO_REUSEPORT): the kernel spreads connections.
package final class Acceptor: EventSource {
    /// Connections taken at a time before others get their turn.
    private static let maximumAccepts = 64
    /// Pause after the process ran out of descriptors or memory.
    static let pause: Int64 = 100_000_000

    /// The port that is listened on.
    package let port: Int
    private let reactor: Reactor
    private(set) var descriptor: Int32
    private var slot: Int?
    private let accepted: (Int32, StreamAddress) -> Void

    /// Listens. `accepted` takes each connected descriptor over.
    package init(
        _ reactor: Reactor, address: StreamAddress, accepted: @escaping (Int32, StreamAddress) -> Void
    ) throws(ReactorError) {
        var raw = address.raw
        let descriptor = unsafe tollgate_listen(&raw, 1024)
        guard descriptor >= 0 else { throw ReactorError(call: "listen", code: -descriptor) }
        self.reactor = reactor
        self.descriptor = descriptor
        self.port = Int(max(0, tollgate_local_port(descriptor)))
        self.accepted = accepted
        do {
            slot = try reactor.add(self, descriptor: descriptor, events: Events.input)
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    /// Stops listening. Connections that wait in the kernel are refused.
    package func close() {
        guard descriptor >= 0 else { return }
        if let slot { reactor.remove(slot) }
        slot = nil
        Glibc.close(descriptor)
        descriptor = -1
    }

    func ready(_ events: UInt32) {
        for _ in 0..<Self.maximumAccepts {
            guard descriptor >= 0 else { return }
            var peer = tollgate_address()
            // Unsafe: fills the structure during the call.
            let result = unsafe tollgate_accept(descriptor, &peer)
            if result >= 0 {
                accepted(result, StreamAddress(peer))
            } else if result == -EAGAIN {
                return
            } else if result == -EMFILE || result == -ENFILE || result == -ENOBUFS || result == -ENOMEM {
                return pauseAccepting()
            }
            // Anything else belongs to the one connection that was lost (accept(2)): on to the next.
        }
    }

    /// The socket stays readable while the process is out of descriptors: not to spin, it is not watched for a moment.
    private func pauseAccepting() {
        guard let slot else { return }
        reactor.remove(slot)
        self.slot = nil
        tollgate_epoll_remove(reactor.poll, descriptor)
        resumeLater()
    }

    private func resumeLater() {
        reactor.schedule(at: reactor.now + Self.pause) { [self] in
            guard descriptor >= 0 else { return }
            slot = try? reactor.add(self, descriptor: descriptor, events: Events.input)
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
