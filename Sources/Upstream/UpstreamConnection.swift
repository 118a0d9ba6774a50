package import NIOCore
package import Wire

/// Who the bytes of an upstream connection belong to while a request is on it.
package protocol UpstreamConsumer: AnyObject {
    /// A connection was found for this consumer's request.
    func upstreamReady(_ connection: UpstreamConnection)
    /// No connection could be had.
    func upstreamFailed(_ failure: UpstreamFailure)
    /// Bytes of the answer; the consumer takes them all.
    func upstreamReceived(_ bytes: ByteBuffer)
    /// The connection ended. It is no longer in the pool.
    func upstreamClosed()
    /// Writes towards the upstream may go on, or must pause.
    func upstreamWritabilityChanged(_ isWritable: Bool)
}

/// One connection to an endpoint: the only handler of its channel, owned by its event loop.
///
/// It translates channel events for whoever holds it and decides nothing. Bytes that arrive while nobody holds it are
/// an answer to no question: the connection is closed, so that they are never paired with the next request.
package final class UpstreamConnection: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias OutboundOut = ByteBuffer

    /// Index of the endpoint in the pool's settings.
    package let endpoint: Int
    /// Requests that were put on this connection before the present one; 0 on a fresh one.
    package private(set) var served = 0

    // Strong, because a weak reference costs an atomic side table on every read. The cycles end with the request
    // (`consumer`) and with the channel (`pool`, `context`).
    private var pool: Pool?
    private var consumer: (any UpstreamConsumer)?
    private var context: ChannelHandlerContext?
    private var isPooled = false

    init(endpoint: Int, pool: Pool) {
        self.endpoint = endpoint
        self.pool = pool
    }

    /// The pool counts the connection from now on, and is told when it ends.
    func joined() {
        isPooled = true
    }

    /// Gives the connection to a request.
    func attach(_ consumer: any UpstreamConsumer) {
        self.consumer = consumer
    }

    /// Whether writes are taken without growing the send queue.
    package var isWritable: Bool { context?.channel.isWritable ?? false }

    /// Writes and sends at once: one system call.
    package func send(_ bytes: ByteBuffer) {
        context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    /// Stops or resumes reading, as the consumer's other side can take more.
    package func setReading(_ isReading: Bool) {
        guard let channel = context?.channel else { return }
        // Fails only on a closed channel, where there is nothing to read any more.
        _ = try? channel.syncOptions?.setOption(.autoRead, value: isReading)
        if isReading { channel.read() }
    }

    /// Gives the connection back. It is kept when the answer ended cleanly, else closed.
    package func release(reusable: Bool, now: Int64) {
        consumer = nil
        served += 1
        guard let pool else { return close() }
        pool.release(self, reusable: reusable && context != nil, now: now)
    }

    func close() {
        consumer = nil
        context?.close(promise: nil)
    }

    package func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let consumer else { return context.close(promise: nil) }
        consumer.upstreamReceived(unwrapInboundIn(data))
    }

    package func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        let consumer = self.consumer
        self.consumer = nil
        if isPooled { pool?.closed(self) }
        pool = nil
        consumer?.upstreamClosed()
    }

    package func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A reset or a broken pipe: what it means for the request is said by channelInactive, which follows.
        context.close(promise: nil)
    }

    package func channelWritabilityChanged(context: ChannelHandlerContext) {
        consumer?.upstreamWritabilityChanged(context.channel.isWritable)
    }
}
