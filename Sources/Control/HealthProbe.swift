import NIOCore
import NIOHTTP1
import NIOPosix

/// Asks an admin listener whether the gateway takes requests, as a container's health check does.
package enum HealthProbe {
    /// The status of `GET /health/ready`.
    ///
    /// - Parameters:
    ///   - host: where the listener is bound; the unspecified addresses are asked on loopback.
    ///   - timeout: for all of it.
    /// - Throws: what kept the answer from coming.
    package static func status(
        host: String, port: Int, timeout: Duration = .seconds(2)
    ) async throws(ConnectionFailure) -> Int {
        do {
            return try await ask(host, port, timeout)
        } catch {
            throw ConnectionFailure(error)
        }
    }

    private static func ask(_ host: String, _ port: Int, _ timeout: Duration) async throws -> Int {
        let target = host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host
        let group = MultiThreadedEventLoopGroup.singleton
        let answer = group.next().makePromise(of: Int.self)
        let bootstrap = ClientBootstrap(group: group)
            .connectTimeout(TimeAmount(timeout))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(StatusHandler(answer))
                }
            }
        let channel: any Channel
        do {
            channel = try await bootstrap.connect(host: target, port: port).get()
        } catch {
            // A promise has to be kept, also where nobody waits for it any more.
            answer.fail(error)
            throw error
        }
        let deadline = channel.eventLoop.scheduleTask(in: TimeAmount(timeout)) {
            answer.fail(ChannelError.connectTimeout(TimeAmount(timeout)))
        }
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: "/health/ready",
            headers: ["host": "localhost", "connection": "close"])
        channel.write(HTTPClientRequestPart.head(head), promise: nil)
        channel.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
        defer {
            deadline.cancel()
            channel.close(promise: nil)
        }
        return try await answer.futureResult.get()
    }
}

/// Keeps the status of the first answer.
private final class StatusHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let answer: EventLoopPromise<Int>

    init(_ answer: EventLoopPromise<Int>) {
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .head(let head) = unwrapInboundIn(data) { answer.succeed(Int(head.status.code)) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.fail(ChannelError.eof)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.fail(error)
        context.close(promise: nil)
    }
}
