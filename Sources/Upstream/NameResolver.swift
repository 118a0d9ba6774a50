package import Reactor

/// Looks host names up without holding a reactor.
package struct NameResolver: Sendable {
    /// Looks one name up, blocking.
    package typealias Lookup = @Sendable (_ host: String, _ port: Int) -> [StreamAddress]

    /// Runs a blocking closure on some other thread.
    private let run: @Sendable (@escaping @Sendable () -> Void) -> Void
    private let lookup: Lookup

    package init(
        lookup: @escaping Lookup = { StreamAddress.all(resolving: $0, port: $1) },
        run: @escaping @Sendable (@escaping @Sendable () -> Void) -> Void
    ) {
        self.lookup = lookup
        self.run = run
    }

    /// Calls back on the reactor with the addresses of the host, none when it has none.
    func resolve(
        _ host: String, _ port: Int, for handle: ReactorHandle,
        then body: @escaping @Sendable (Reactor, [StreamAddress]) -> Void
    ) {
        run {
            let found = lookup(host, port)
            handle.execute { body($0, found) }
        }
    }
}
