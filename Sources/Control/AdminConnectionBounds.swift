import NIOCore

/// Bounds one admin connection in bytes and in time, below the HTTP parser, so that no form of request escapes it.
final class AdminConnectionBounds: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let limits: AdminLimits
    private var bytesSinceAnswer = 0
    private var isWithinRequest = false
    private var deadline: Scheduled<Void>?
    private var context: ChannelHandlerContext?

    init(_ limits: AdminLimits) {
        self.limits = limits
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        schedule(limits.idleTimeout)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        self.context = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytesSinceAnswer += unwrapInboundIn(data).readableBytes
        guard bytesSinceAnswer <= limits.maximumRequestBytes else {
            context.close(promise: nil)
            return
        }
        if !isWithinRequest {
            isWithinRequest = true
            schedule(limits.requestTimeout)
        }
        context.fireChannelRead(data)
    }

    /// An answer was written: the peer has its whole allowance again.
    func answered() {
        bytesSinceAnswer = 0
        isWithinRequest = false
        schedule(limits.idleTimeout)
    }

    private func schedule(_ delay: Duration) {
        deadline?.cancel()
        guard let context else { return }
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(delay)) {
            context.close(promise: nil)
        }
    }
}
