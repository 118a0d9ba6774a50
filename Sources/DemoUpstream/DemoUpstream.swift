package import NIOCore
import NIOHTTP1
import NIOPosix

/// A small real HTTP/1.1 server that answers with what it received.
///
/// It stands in for the service behind the gateway in `make run`, in tests and in benchmarks. Memory is constant per
/// connection whatever the size of a body: request bodies are hashed as they pass, `/bytes/N` answers are written only
/// while the connection takes them.
package struct DemoUpstream: Sendable {
    private let channel: any Channel

    /// Binds and starts to answer.
    ///
    /// - Parameters:
    ///   - host: a numeric address or a name.
    ///   - port: 0 takes a free one; see `port`.
    ///   - group: the loops that carry the connections; stays the caller's.
    package static func start(
        host: String = "127.0.0.1", port: Int, group: any EventLoopGroup
    ) async throws -> DemoUpstream {
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline()
                    try channel.pipeline.syncOperations.addHandler(EchoHandler())
                }
            }
        return DemoUpstream(channel: try await bootstrap.bind(host: host, port: port).get())
    }

    /// The port it listens on.
    package var port: Int { channel.localAddress?.port ?? 0 }

    /// Stops listening; connections that are open end with their loops.
    package func close() async throws {
        try await channel.close()
    }

    /// Returns when the listener has closed.
    package func closed() async throws {
        try await channel.closeFuture.get()
    }
}
