package import NIOCore
import Reactor
package import Wire

/// Who the bytes of an upstream connection belong to while a request is on it.
package protocol UpstreamConsumer: AnyObject {
    /// A connection was found for this consumer's request.
    func upstreamReady(_ connection: UpstreamConnection)
    /// No connection could be had.
    func upstreamFailed(_ failure: UpstreamFailure)
    /// Bytes of the answer, in a buffer that is lent (`StreamHandler.received`); the consumer takes them all.
    func upstreamReceived(_ bytes: inout ByteBuffer)
    /// The connection ended. It is no longer in the pool. `inOrder` is false for a reset and every other failure, after
    /// which an answer that lasts until the end is not known to be whole. Returns what that says about the endpoint.
    func upstreamClosed(inOrder: Bool) -> RequestOutcome
    /// The server will send nothing more on a connection that is a tunnel; it can still be written to.
    func upstreamEnded()
    /// Writes towards the upstream may go on, or must pause.
    func upstreamWritabilityChanged(_ isWritable: Bool)
}

extension UpstreamConsumer {
    /// Only who asked for a tunnel hears of it.
    package func upstreamEnded() {}
}

/// Who gets a transport to an endpoint once it is there, and is its handler.
protocol TransportOwner: StreamHandler {
    /// Takes over a stream whose handler this is.
    func open(_ stream: any ByteStream)
}

/// One connection to an endpoint: the handler of its stream, owned by its reactor.
///
/// It translates the stream's events for whoever holds it and decides nothing. Bytes that arrive while nobody holds it are
/// an answer to no question: the connection is closed, so that they are never paired with the next request.
package final class UpstreamConnection: TransportOwner {
    /// Index of the endpoint in the pool's settings.
    package let endpoint: Int
    /// The address it leads to, as text.
    let host: String
    /// Whether it has carried no request before the present one.
    package private(set) var isFirstUse = true

    /// Whether it ended in a way that shows that the server has taken the request up.
    package internal(set) var isRequestSeen = false

    // Strong, because a weak reference costs an atomic side table on every read. The cycles end with the request
    // (`consumer`) and with the stream (`pool`, `stream`).
    private var pool: Pool?
    private var consumer: (any UpstreamConsumer)?
    /// Whether the server ended its side itself.
    private var hasEndedInOrder = false
    private var isTunnel = false
    private var stream: (any ByteStream)?

    /// Without a pool it belongs to whoever opened it, and closes on release.
    init(endpoint: Int, host: String, pool: Pool?) {
        self.endpoint = endpoint
        self.host = host
        self.pool = pool
    }

    func open(_ stream: any ByteStream) {
        self.stream = stream
    }

    /// Gives the connection to a request.
    func attach(_ consumer: any UpstreamConsumer) {
        self.consumer = consumer
    }

    /// Whether writes are taken without growing the send queue.
    package var isWritable: Bool { stream?.isWritable ?? false }

    /// Sends bytes, and a second run behind them with the same system call.
    package func send(_ bytes: ByteBuffer, _ tail: ByteBuffer? = nil) {
        stream?.write(bytes, tail)
    }

    /// Stops or resumes reading, as the consumer's other side can take more.
    package func setReading(_ isReading: Bool) {
        stream?.setReading(isReading)
    }

    /// The connection speaks another protocol from now on and never goes back to the pool: its two directions end one by
    /// one.
    package func becomeTunnel() {
        isTunnel = true
    }

    /// Says that nothing more will be sent, once everything queued is.
    package func finishOutput() {
        stream?.finishOutput()
    }

    /// Ends the connection so that the server cannot take what it has for the whole.
    package func reset() {
        stream?.reset()
    }

    /// Gives the connection back. It is kept when the answer ended cleanly, else closed. `outcome` is what the request
    /// says about the endpoint.
    package func release(reusable: Bool, outcome: RequestOutcome, now: Int64) {
        consumer = nil
        isFirstUse = false
        guard let pool else { return close() }
        pool.release(self, reusable: reusable && stream?.isOpen == true, outcome: outcome, now: now)
    }

    func close() {
        consumer = nil
        stream?.close()
    }

    package func received(_ bytes: inout ByteBuffer) {
        guard let consumer else { return close() }
        consumer.upstreamReceived(&bytes)
    }

    /// A server that ends its side has said all it will say: nothing more can be asked on this connection. In a tunnel
    /// there may be more to tell it.
    package func ended() {
        hasEndedInOrder = true
        if isTunnel, let consumer { consumer.upstreamEnded() } else { stream?.close() }
    }

    package func closed() {
        stream = nil
        let consumer = self.consumer
        self.consumer = nil
        let pool = self.pool
        self.pool = nil
        pool?.closed(self)
        guard let outcome = consumer?.upstreamClosed(inOrder: hasEndedInOrder) else { return }
        pool?.finished(endpoint, outcome)
    }

    package func writabilityChanged() {
        consumer?.upstreamWritabilityChanged(isWritable)
    }
}
