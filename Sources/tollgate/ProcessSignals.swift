import Dispatch
import Glibc

/// What an operator asks of the running process.
enum ProcessSignal: Sendable, Equatable {
    /// SIGTERM or SIGINT.
    case stop
    /// SIGHUP.
    case reload
}

/// Signals as a stream of values, from its making on; the process's default reactions are off.
final class ProcessSignals: Sendable {
    let stream: AsyncStream<ProcessSignal>
    // Sources are started in `init` and only kept alive afterwards, which needs no synchronisation.
    nonisolated(unsafe) private let sources: [any DispatchSourceSignal]

    init() {
        let (stream, continuation) = AsyncStream.makeStream(
            of: ProcessSignal.self, bufferingPolicy: .bufferingNewest(16))
        self.stream = stream
        // A peer that goes away while we write is an error of that write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let meanings: [(number: Int32, meaning: ProcessSignal)] = [
            (SIGTERM, .stop), (SIGINT, .stop), (SIGHUP, .reload),
        ]
        unsafe sources = meanings.map { number, meaning in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { continuation.yield(meaning) }
            source.resume()
            return source
        }
    }
}
