import Dispatch
import Glibc

/// Hands signals on as events, from its making until it goes; the process's default reactions are off.
final class ProcessSignals: Sendable {
    // Sources are made in `init` and only kept alive afterwards, which needs no synchronisation.
    nonisolated(unsafe) private let sources: [any DispatchSourceSignal]

    /// - Parameters:
    ///   - onStop: SIGTERM or SIGINT arrived.
    ///   - onReload: SIGHUP arrived.
    ///   - onReplace: SIGUSR2 arrived.
    init(
        onStop: @escaping @Sendable () -> Void, onReload: @escaping @Sendable () -> Void,
        onReplace: @escaping @Sendable () -> Void
    ) {
        // A peer that goes away while we write is an error of that write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let reactions: [(number: Int32, reaction: @Sendable () -> Void)] = [
            (SIGTERM, onStop), (SIGINT, onStop), (SIGHUP, onReload),
            (SIGUSR2, onReplace),
        ]
        unsafe sources = reactions.map { number, reaction in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler(handler: reaction)
            source.resume()
            return source
        }
    }
}
