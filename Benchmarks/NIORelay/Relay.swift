import NIOCore
import NIOPosix

/// Writes what it reads to the other side, once per read burst, and closes together with it.
private final class Relay: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private(set) var context: ChannelHandlerContext?
    private var peer: Relay?
    private let upstreamPort: Int?

    /// With a port it is a client's side and connects to it; without, an upstream's side.
    init(upstreamPort: Int?) {
        self.upstreamPort = upstreamPort
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func channelActive(context: ChannelHandlerContext) {
        guard let upstreamPort else { return }
        let origin = Relay(upstreamPort: nil)
        peer = origin
        origin.peer = self
        // Both sides are on the one loop of the group; the bound value says so to the compiler and checks it.
        let bound = NIOLoopBound((client: self, origin: origin), eventLoop: context.eventLoop)
        ClientBootstrap(group: context.eventLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(bound.value.origin)
                }
            }
            .connect(host: "127.0.0.1", port: upstreamPort)
            .flatMap { [client = context.channel] _ in client.setOption(.autoRead, value: true) }
            .whenFailure { _ in bound.value.client.close() }
    }

    private func close() {
        context?.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        peer?.context?.write(wrapOutboundOut(unwrapInboundIn(data)), promise: nil)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        peer?.context?.flush()
    }

    func channelInactive(context: ChannelHandlerContext) {
        let other = peer
        peer = nil
        self.context = nil
        other?.close()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

/// The floor of the transport: what forwarding bytes through SwiftNIO costs when nothing looks at them.
///
/// One loop, one upstream connection for each client connection. The distance from here to the gateway is the gateway's
/// own work.
@main
enum NIORelay {
    static func main() throws {
        guard CommandLine.arguments.count == 3, let port = Int(CommandLine.arguments[1]),
            let upstreamPort = Int(CommandLine.arguments[2])
        else {
            print("usage: tollgate-nio-relay PORT UPSTREAM_PORT")
            return
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let listener = try ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 4096)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Relay(upstreamPort: upstreamPort))
                }
            }
            .bind(host: "127.0.0.1", port: port)
            .wait()
        try listener.closeFuture.wait()
    }
}
