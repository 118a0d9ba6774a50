import Reactor
import TLS
import Wire

/// A connection to an endpoint whose TLS handshake is under way.
final class UpstreamHandshake: HandshakeObserver {
    private let connection: UpstreamConnection
    private let reactor: Reactor
    private var completion: ((UpstreamFailure?) -> Void)?
    private var stream: TLSStream?
    private var timer: UInt64?
    private var isLate = false

    private init(
        _ connection: UpstreamConnection, _ reactor: Reactor, _ completion: @escaping (UpstreamFailure?) -> Void
    ) {
        self.connection = connection
        self.reactor = reactor
        self.completion = completion
    }

    /// Takes a connected descriptor over and gives the connection its stream once there is a session. `completion` is
    /// called once, with nil when there is, and never from within this call; `deadline` in monotonic nanoseconds.
    static func begin(
        _ connection: UpstreamConnection, _ descriptor: Int32, _ settings: UpstreamSettings, on reactor: Reactor,
        deadline: Int64, completion: @escaping (UpstreamFailure?) -> Void
    ) {
        let handshake = UpstreamHandshake(connection, reactor, completion)
        handshake.start(descriptor, settings, deadline)
    }

    private func start(_ descriptor: Int32, _ settings: UpstreamSettings, _ deadline: Int64) {
        guard let context = settings.tls else {
            Stream.discard(descriptor)
            return fail("no TLS is configured")
        }
        let host = settings.endpoints[connection.endpoint].host
        stream = TLSStream(reactor, connected: descriptor, context, host: host, observer: self)
        guard let stream else { return fail("the host cannot be asked for") }
        timer = reactor.schedule(at: deadline) { [weak stream] in
            self.isLate = true
            stream?.close()
        }
    }

    private func fail(_ reason: String) {
        reactor.schedule(at: reactor.now) { self.finish(.handshakeFailed(reason)) }
    }

    func handshakeCompleted(_ stream: TLSStream) -> (any StreamHandler)? {
        connection.open(stream)
        // Before the request is written, which `finish` may lead to, the stream has to know its handler.
        reactor.afterEvent { self.finish(nil) }
        return connection
    }

    func handshakeFailed(_ reason: String) {
        finish(isLate ? .connectTimeout : .handshakeFailed(reason))
    }

    private func finish(_ failure: UpstreamFailure?) {
        if let timer { reactor.cancel(timer) }
        stream = nil
        let completion = self.completion
        self.completion = nil
        completion?(failure)
    }
}
