import Reactor
import TLS
import Wire

/// A connection to an endpoint whose TLS handshake is under way.
final class UpstreamHandshake: HandshakeObserver {
    private let owner: any TransportOwner
    private let settings: UpstreamSettings
    private let reactor: Reactor
    private var completion: ((UpstreamFailure?) -> Void)?
    private var stream: TLSStream?
    private var timer: UInt64?
    private var isLate = false

    private init(
        _ owner: any TransportOwner, _ settings: UpstreamSettings, _ reactor: Reactor,
        _ completion: @escaping (UpstreamFailure?) -> Void
    ) {
        self.owner = owner
        self.settings = settings
        self.reactor = reactor
        self.completion = completion
    }

    /// Takes a connected descriptor over and gives the owner its stream once there is a session. `completion` is
    /// called once, with nil when there is, and never from within this call; `deadline` in monotonic nanoseconds.
    static func begin(
        _ owner: any TransportOwner, _ descriptor: Int32, to host: String, _ settings: UpstreamSettings,
        on reactor: Reactor, deadline: Int64, completion: @escaping (UpstreamFailure?) -> Void
    ) {
        let handshake = UpstreamHandshake(owner, settings, reactor, completion)
        handshake.start(descriptor, host, deadline)
    }

    private func start(_ descriptor: Int32, _ host: String, _ deadline: Int64) {
        guard let context = settings.tls else {
            Stream.discard(descriptor)
            return fail("no TLS is configured")
        }
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
        guard !settings.speaksHTTP2 || stream.applicationProtocol == "h2" else {
            reactor.afterEvent { self.finish(.wrongProtocol) }
            return nil
        }
        owner.open(stream)
        // Before the request is written, which `finish` may lead to, the stream has to know its handler.
        reactor.afterEvent { self.finish(nil) }
        return owner
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
