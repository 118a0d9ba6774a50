import NIOConcurrencyHelpers

/// What has come while the gateway was busy with something else: told once, however often it came, and never dropped.
final class ServeEvents: Sendable {
    /// Everything that is to be done.
    struct Pending: Sendable {
        /// Orders to stop.
        var stops = 0
        var reloads = false
        var replaces = false
        /// Of the process that is to take over.
        var news = Successor.News.nothing
        var rereadsTokens = false
        var rereadsCertificates = false
    }

    /// An element whenever there may be something to take; ends after `finish`.
    let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let pending = NIOLockedValueBox(Pending())

    init() {
        (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    /// Adds something to be done. Any thread.
    func note(_ change: (inout Pending) -> Void) {
        pending.withLockedValue(change)
        wake.yield()
    }

    /// Everything since the last call.
    func take() -> Pending {
        pending.withLockedValue { pending in
            defer { pending = Pending() }
            return pending
        }
    }

    /// Nothing more will be done.
    func finish() { wake.finish() }
}
