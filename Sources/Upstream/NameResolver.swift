import Reactor

/// Looks host names up without holding a reactor.
package struct NameResolver: Sendable {
    /// Runs a blocking closure on some other thread.
    private let run: @Sendable (@escaping @Sendable () -> Void) -> Void

    package init(run: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void) {
        self.run = run
    }

    /// Calls back on the reactor with the first address of the host, or nil when it has none.
    func resolve(
        _ host: String, _ port: Int, for handle: ReactorHandle,
        then body: @escaping @Sendable (Reactor, StreamAddress?) -> Void
    ) {
        run {
            let found = StreamAddress(resolving: host, port: port)
            handle.execute { body($0, found) }
        }
    }
}
