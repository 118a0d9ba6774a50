package import Logging

/// Keeps one issuer's keys fresh in the background: at once, then on a schedule, and when somebody asks.
///
/// A failed refresh changes nothing: what was published last stays in use, and the log says why.
package final class KeyRefresher: Sendable {
    private let wakes: KeyWakes
    private let loop: Task<Void, Never>

    /// Starts to fetch.
    ///
    /// - Parameters:
    ///   - issuer: the configured name, for the log.
    ///   - wakes: what asks for a fetch before its time; ends with this refresher.
    ///   - schedule: the pauses between fetches.
    ///   - random: the source of their jitter.
    ///   - log: where failures and recoveries are reported.
    ///   - sleep: waits, or returns early when cancelled.
    ///   - refresh: fetches and publishes.
    package init(
        issuer: String, wakes: KeyWakes = KeyWakes(), schedule: RefreshSchedule,
        random: some RandomNumberGenerator & Sendable, log: Logger,
        sleep: @escaping @Sendable (Duration) async throws -> Void,
        refresh: @escaping @Sendable () async throws(KeyFetchError) -> Void
    ) {
        self.wakes = wakes
        loop = Task {
            var schedule = schedule
            var random = random
            var hasFailed = false
            var timer: Task<Void, Never>?
            for await _ in wakes.stream {
                timer?.cancel()
                let pause: Duration
                do throws(KeyFetchError) {
                    try await refresh()
                    pause = schedule.succeeded(using: &random)
                    if hasFailed { log.notice("Keys are fetched again.", metadata: ["issuer": "\(issuer)"]) }
                    hasFailed = false
                } catch {
                    pause = schedule.failed(using: &random)
                    hasFailed = true
                    log.warning(
                        "Keys could not be refreshed; those fetched before stay in use.",
                        metadata: ["issuer": "\(issuer)", "error": "\(error)", "retry": "\(pause)"])
                }
                timer = Task {
                    do {
                        try await sleep(pause)
                        wakes.wake()
                    } catch {
                        // Cancelled: a newer timer, or none, takes its place.
                    }
                }
            }
            timer?.cancel()
        }
        wakes.wake()
    }

    /// Ends the background work; a fetch under way is abandoned.
    package func stop() {
        wakes.finish()
        loop.cancel()
    }

    deinit {
        stop()
    }
}

/// Asks a refresher for a fetch soon; cheap and safe from any thread, an event loop included.
package struct KeyWakes: Sendable {
    fileprivate let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    package init() {
        // One pending wake stands for any number of them.
        (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    package func wake() {
        continuation.yield()
    }

    fileprivate func finish() {
        continuation.finish()
    }
}
