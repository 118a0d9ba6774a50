import Glibc
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// The listener of operators: health and metrics over HTTP/1.1, apart from the proxied traffic.
///
/// Connections are few and bounded (`AdminLimits`); it shares nothing with the data plane but the closures it was given.
package final class AdminServer: Sendable {
    private let channel: any Channel
    private let group: MultiThreadedEventLoopGroup

    private init(channel: any Channel, group: MultiThreadedEventLoopGroup) {
        self.channel = channel
        self.group = group
    }

    /// Starts to answer on a thread of its own, so that a scrape never delays a proxied request.
    ///
    /// - Parameter descriptor: a listening socket, which stays the caller's.
    /// - Throws: what the system says when it has no descriptor or memory left.
    package static func start(
        listeningOn descriptor: Int32, routes: AdminRoutes, limits: AdminLimits = AdminLimits()
    ) async throws -> AdminServer {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let places = ConnectionPlaces(limits.maximumConnections)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 64)
            .childChannelInitializer { channel in
                guard places.take() else { return channel.close() }
                channel.closeFuture.whenComplete { _ in places.giveBack() }
                return channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    let bounds = AdminConnectionBounds(limits)
                    try pipeline.addHandler(bounds)
                    try pipeline.configureHTTPServerPipeline()
                    try pipeline.addHandler(AdminHandler(routes: routes, bounds: bounds))
                }
            }
        do {
            // The channel closes its descriptor with itself: it gets one of its own.
            let own = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
            guard own >= 0 else { throw IOError(errnoCode: errno, reason: "fcntl") }
            return AdminServer(channel: try await bootstrap.withBoundSocket(own).get(), group: group)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    /// Closes the listener and every connection, and ends its thread.
    package func stop() async {
        try? await channel.close()
        try? await group.shutdownGracefully()
    }
}

/// What one peer of the admin listener may take.
package struct AdminLimits: Sendable {
    /// Connections at once; further ones are closed when they arrive.
    package var maximumConnections = 128
    /// Bytes from one answer to the next: head, body and trailers together.
    package var maximumRequestBytes = 64 << 10
    /// Time from the first byte of a request to its last.
    package var requestTimeout: Duration = .seconds(10)
    /// Time an open connection may stay without a request, and an answer unread.
    package var idleTimeout: Duration = .seconds(75)

    package init() {}
}

/// Counts connections against their bound.
private final class ConnectionPlaces: Sendable {
    private let free: Atomic<Int>

    init(_ count: Int) { free = Atomic(count) }

    func take() -> Bool {
        if free.subtract(1, ordering: .relaxed).newValue >= 0 { return true }
        free.add(1, ordering: .relaxed)
        return false
    }

    func giveBack() {
        free.add(1, ordering: .relaxed)
    }
}
