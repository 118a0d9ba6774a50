import Gate
import NIOCore
import Reactor

/// One HTTP/1.1 connection of a client's, for as long as it lasts.
///
/// It holds what must outlast a request: the stream, what is known of the peer, and a deadline. Buffers, parsers and all else that
/// only a request needs are a `ClientHandler`'s, which the worker lends it from the first byte of a request until nothing is
/// under way any more, and the client has room for what it was sent. So an idle connection costs a few hundred bytes, and a request that finds a handler at rest allocates nothing.
final class HTTP1Connection: StreamHandler, Deadlined, ClientConnection {
    /// Nanoseconds that a peer has to close after it has ended.
    private static let farewell: Int64 = 2_000_000_000

    private let worker: Worker
    private var handler: ClientHandler?
    /// The stream and the client are the handler's while one is lent; what it had in their place is here.
    private var stream: (any MeasuredStream)?
    private var client: Client
    /// Whether it may turn out to begin with the preface of HTTP/2.
    private(set) var speaksHTTP2: Bool

    /// The end of being idle; while a handler is lent, the deadline is the handler's.
    var deadline = Int64.max
    var wheelPlace = WheelPlace()

    init(worker: Worker, peer: Peer, speaksHTTP2: Bool = false) {
        self.worker = worker
        self.client = Client(peer)
        self.speaksHTTP2 = speaksHTTP2
    }

    /// Takes an accepted descriptor over.
    func open(_ descriptor: Int32) {
        guard let stream = Stream(worker.reactor, descriptor: descriptor, handler: self) else { return }
        open(stream)
    }

    /// Takes a stream over whose handler this is.
    func open(_ stream: any MeasuredStream) {
        self.stream = stream
        worker.opened(self)
        idle(worker.now().monotonic)
    }

    // MARK: The handler

    private func lend() {
        guard handler == nil else { return }
        deadline = .max
        let handler = worker.handlers.take() ?? ClientHandler(worker: worker)
        handler.serve(self, &stream, &client)
        self.handler = handler
    }

    /// Nothing is under way any more, and the handler is not needed until the next request.
    func rest(_ now: Int64) {
        guard let handler = handler.take() else { return }
        handler.rest(&stream, &client)
        // One that goes by an earlier configuration serves nobody else.
        if handler.configuration == worker.configuration { worker.handlers.add(consume handler) }
        speaksHTTP2 = false
        idle(now)
    }

    private func idle(_ now: Int64) {
        deadline = now + (worker.isDraining ? worker.lastCall : worker.rules.idleTimeout)
        worker.noteDeadline(self)
    }

    /// The connection has ended, and with it what its handler did.
    func left() {
        handler = nil
        deadline = .max
        worker.forgetDeadline(self)
        worker.closed(self)
    }

    /// The stream and what came on it go to somebody who speaks HTTP/2.
    func becomeHTTP2(on stream: Stream, _ peer: Peer, _ bytes: consuming ByteBuffer) {
        let successor = HTTP2ServerConnection(worker: worker, peer: peer)
        handler = nil
        worker.forgetDeadline(self)
        worker.replaced(self, by: successor)
        stream.handOver(to: successor)
        successor.begin(on: stream)
        successor.received(&bytes)
    }

    // MARK: Events of the stream

    func received(_ bytes: inout ByteBuffer) {
        lend()
        handler?.received(&bytes)
    }

    func ended() {
        // Who has all of its answers and asks for nothing more needs no handler.
        if let stream, handler == nil, stream.isDrained {
            deadline = worker.now().monotonic + Self.farewell
            worker.noteDeadline(self)
            return stream.finishOutput()
        }
        lend()
        handler?.ended()
    }

    func closed() {
        if let handler { return handler.closed() }
        stream = nil
        client.peer.leave()
        left()
    }

    func writabilityChanged() {
        lend()
        handler?.writabilityChanged()
    }

    func deadlinePassed(now: Int64) {
        deadline = .max
        guard let stream, stream.delivery.untaken > 0 else {
            stream?.close()
            return
        }
        lend()
        handler?.awaitReading(now)
    }

    // MARK: ClientConnection

    func drain() {
        if let handler { handler.drain() } else { idle(worker.now().monotonic) }
    }

    func abandon() {
        if let handler { handler.abandon() } else { stream?.reset() }
    }

    var standing: [ClientHandler] { handler?.standing ?? [] }
}
