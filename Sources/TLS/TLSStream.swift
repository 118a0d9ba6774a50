package import NIOCore
package import Reactor

/// Who began a handshake and hears how it ended: one of the two, once, and never from within the call that began it.
package protocol HandshakeObserver: AnyObject {
    /// The handshake is complete. Whoever is returned gets the bytes; nil closes the stream.
    func handshakeCompleted(_ stream: TLSStream) -> (any StreamHandler)?
    /// There will be no session: the reason, for a log.
    func handshakeFailed(_ reason: String)
}

/// TLS between a socket and whoever its bytes are for: a handler below, a stream above.
///
/// Those above notice no difference. A peer that ends its side with close_notify has `ended`; one whose TCP connection
/// ends without it is cut off, so that nobody takes what came for the whole (RFC 8446 §6.1): the handler hears `closed`
/// without `ended`.
package final class TLSStream: MeasuredStream, StreamHandler {
    private let reactor: Reactor
    private var session: TLSSession
    private var lower: Stream?
    private var observer: (any HandshakeObserver)?
    private var handler: (any StreamHandler)?

    /// Ciphertext that was not taken because reading is paused.
    private var pending = ByteBuffer()
    private var isReading = true
    private var isProcessing = false
    /// Whether the session may hold plaintext for which there was no room.
    private var hasMore = false
    private var isEstablished = false
    private var hasEnded = false
    private var hasLowerEnded = false
    private var endsOutput = false
    private var failure = ""

    /// Takes an accepted descriptor over. Nil when there is no memory or the kernel cannot watch it; it is closed then.
    package convenience init?(
        _ reactor: Reactor, accepting descriptor: Int32, _ context: TLSServerContext, observer: any HandshakeObserver
    ) {
        guard let session = TLSSession(server: context) else {
            Stream.discard(descriptor)
            return nil
        }
        self.init(reactor, descriptor, session, observer)
    }

    /// Takes a connected descriptor over and begins the handshake with the server of this name.
    package convenience init?(
        _ reactor: Reactor, connected descriptor: Int32, _ context: TLSClientContext, host: String,
        observer: any HandshakeObserver
    ) {
        guard let session = TLSSession(client: context, host: context.settings.serverName ?? host) else {
            Stream.discard(descriptor)
            return nil
        }
        self.init(reactor, descriptor, session, observer)
        var nothing = ByteBuffer()
        process(&nothing)
    }

    private init?(
        _ reactor: Reactor, _ descriptor: Int32, _ session: consuming TLSSession, _ observer: any HandshakeObserver
    ) {
        self.reactor = reactor
        self.session = session
        self.observer = observer
        guard let stream = Stream(reactor, descriptor: descriptor, handler: self) else { return nil }
        lower = stream
    }

    // MARK: What came of the handshake

    /// The protocol that ALPN has chosen; nil without.
    package var applicationProtocol: String? { session.applicationProtocol }

    /// Whether the handshake went on with an earlier session.
    package var wasResumed: Bool { session.wasResumed }

    /// The certificate that the peer has proven to hold; nil when it showed none. Read anew each time.
    package var peerCertificate: TLSCertificate? { session.peerCertificate }

    /// Whether the authorities of a context, which may be another than that of the handshake, vouch for that certificate.
    /// Verifies a chain: a tenth of a millisecond.
    package func isVouched(by context: TLSServerContext) -> Bool { session.isVouched(by: context) }

    // MARK: Events of the socket

    package func received(_ bytes: inout ByteBuffer) {
        guard pending.readableBytes > 0 else {
            process(&bytes)
            return keep(bytes)
        }
        var input = ByteBuffer()
        swap(&input, &pending)
        input.writeBytes(bytes.readableBytesSpan)
        process(&input)
        keep(input)
    }

    package func ended() {
        hasLowerEnded = true
        cutWhenTruncated()
    }

    package func closed() {
        lower = nil
        pending = ByteBuffer()
        let (handler, observer) = (self.handler, self.observer)
        (self.handler, self.observer) = (nil, nil)
        observer?.handshakeFailed(failure.isEmpty ? "the peer closed the connection" : failure)
        handler?.closed()
    }

    package func writabilityChanged() {
        handler?.writabilityChanged()
    }

    private func process(_ input: inout ByteBuffer) {
        isProcessing = true
        defer { isProcessing = false }
        while isOpen, isReading, !hasEnded {
            var plaintext = reactor.plaintext.take() ?? ByteBuffer()
            plaintext.clear(minimumCapacity: Reactor.readSize)
            let event = session.receive(&input, into: &plaintext)
            flush()
            hasMore = event == .full
            if plaintext.readableBytes > 0 { handler?.received(&plaintext) }
            reactor.plaintext = consume plaintext
            switch event {
            case .full: continue
            case .waiting: return
            case .opened: open()
            case .ended: end()
            case .failed: fail(session.failure)
            }
        }
    }

    private func open() {
        isEstablished = true
        let observer = self.observer
        self.observer = nil
        handler = observer?.handshakeCompleted(self)
        if handler == nil { close() }
    }

    private func end() {
        guard isEstablished else { return fail("the peer ended the handshake") }
        hasEnded = true
        handler?.ended()
        closeWhenBothEnded()
    }

    private func fail(_ reason: String) {
        failure = reason
        lower?.close()
    }

    /// What was not taken moves out of the receive buffer, which all connections of the loop share.
    private func keep(_ rest: ByteBuffer) {
        if pending.storageCapacity > 0 { pending = ByteBuffer() }
        guard rest.readableBytes > 0, isOpen, !hasEnded else { return }
        pending.writeBytes(rest.readableBytesSpan)
    }

    /// The end of the connection counts only when everything before it was looked at.
    private func cutWhenTruncated() {
        guard hasLowerEnded, !hasEnded, !hasMore, pending.readableBytes == 0 else { return }
        fail("the peer closed the connection")
    }

    // MARK: What the handler asks for

    package var isOpen: Bool { lower?.isOpen ?? false }

    package var isWritable: Bool { lower?.isWritable ?? false }

    package var isDrained: Bool { lower?.isDrained ?? true }

    package var isBacklogged: Bool { lower?.isBacklogged ?? false }

    package var written: Int { lower?.written ?? 0 }

    package var delivery: Delivery { lower?.delivery ?? Delivery(taken: 0, untaken: 0) }

    package func setReading(_ reads: Bool) {
        guard reads != isReading else { return }
        isReading = reads
        lower?.setReading(reads)
        guard reads, !isProcessing, hasMore || pending.readableBytes > 0 else { return }
        reactor.afterEvent { self.resume() }
    }

    private func resume() {
        guard isReading, !isProcessing else { return }
        var input = pending
        pending = ByteBuffer()
        process(&input)
        keep(input)
        cutWhenTruncated()
    }

    package func write(_ first: ByteBuffer, _ second: ByteBuffer?) {
        guard isOpen, isEstablished, !endsOutput else { return }
        reactor.ciphertext.clear()
        guard session.send(first, second, into: &reactor.ciphertext) else { return fail(session.failure) }
        lower?.write(reactor.ciphertext, nil)
    }

    package func finishOutput() {
        guard isOpen, isEstablished, !endsOutput else { return }
        endsOutput = true
        session.finish()
        flush()
        lower?.finishOutput()
        closeWhenBothEnded()
    }

    /// Nothing is left to say: the peer need not end its connection first. What is queued still goes out; then it does.
    private func closeWhenBothEnded() {
        if hasEnded, endsOutput { lower?.closeOnceSent() }
    }

    package func reset() {
        lower?.reset()
    }

    package func close() {
        if isOpen, isEstablished, !endsOutput {
            endsOutput = true
            session.finish()
            flush()
        }
        lower?.close()
    }

    /// Sends what the session has to say by itself: handshakes and alerts.
    private func flush() {
        reactor.ciphertext.clear()
        session.takeOutput(into: &reactor.ciphertext)
        if reactor.ciphertext.readableBytes > 0 { lower?.write(reactor.ciphertext, nil) }
    }
}
