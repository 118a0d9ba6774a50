package import Authentication
package import Logging
import NIOConcurrencyHelpers

/// Where one configured issuer's keys come from; two configurations that agree in it share keys and refreshes.
package struct KeyRequest: Sendable, Hashable {
    private let name: [UInt8]
    package let location: KeyLocation
    package let algorithms: Set<Algorithm>
    package let interval: Duration

    /// - Parameters:
    ///   - issuer: the configured name.
    ///   - algorithms: those the issuer may sign with; other keys are left out.
    ///   - interval: the time between refreshes.
    package init(
        issuer: String, location: KeyLocation, algorithms: Set<Algorithm>, interval: Duration = .seconds(300)
    ) {
        name = Array(issuer.utf8)
        self.location = location
        self.algorithms = algorithms
        self.interval = interval
    }

    package var issuer: String { String(decoding: name, as: UTF8.self) }

    /// Whether keys fetched for `other` are keys for this.
    fileprivate func shares(keysOf other: KeyRequest) -> Bool {
        name == other.name && location == other.location && algorithms == other.algorithms
    }

    /// Fetches once and publishes what is usable.
    package func fetch(with fetch: KeyFetch, into source: KeySource) async throws(KeyFetchError) -> KeySource.Change {
        let (url, document) = try await fetch.keys(at: location)
        let keys: KeySet
        do {
            keys = try KeySet.parse(jwks: document, for: algorithms)
        } catch {
            throw .unusableKeys(url, "\(error)")
        }
        // An issuer without one usable key made a mistake; its last good keys, or none at all, are better.
        guard !keys.isEmpty else {
            let reasons = keys.skipped.prefix(5).map(\.reason).joined(separator: "; ")
            throw .unusableKeys(url, reasons.isEmpty ? "there is none" : reasons)
        }
        return source.publish(keys)
    }
}

/// The fetched key sets of the running gateway; outlives reloads.
///
/// A reload asks for the source of every issuer of the new configuration, then says which it kept: unchanged issuers
/// keep their keys and their schedule, the others' background work ends.
package final class KeyRegistry: Sendable {
    private struct Entry {
        let source: KeySource
        let refresher: KeyRefresher
    }

    private let entries = NIOLockedValueBox<[KeyRequest: Entry]>([:])
    private let fetch: KeyFetch
    private let log: Logger
    private let sleep: @Sendable (Duration) async throws -> Void
    private let onRemoval: @Sendable () -> Void

    /// - Parameters:
    ///   - sleep: waits between fetches.
    ///   - onRemoval: called when a refresh took a key away, so that what it admitted is checked again.
    package init(
        fetch: KeyFetch, log: Logger,
        sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) },
        onRemoval: @escaping @Sendable () -> Void
    ) {
        self.fetch = fetch
        self.log = log
        self.sleep = sleep
        self.onRemoval = onRemoval
    }

    /// The source for a request; a new one begins to fetch at once and is empty until then.
    package func source(for request: KeyRequest) -> KeySource {
        entries.withLockedValue { entries in
            if let entry = entries[request] { return entry.source }
            let known = entries.first { $0.key.shares(keysOf: request) }?.value.source.current
            let entry = start(request, initial: known)
            entries[request] = entry
            return entry.source
        }
    }

    /// Ends the refreshes of all but these: after a reload with the requests of the configuration that runs.
    package func keep(_ requests: Set<KeyRequest>) {
        let ended = entries.withLockedValue { entries in
            let ended = entries.filter { !requests.contains($0.key) }
            for request in ended.keys { entries[request] = nil }
            return ended
        }
        for entry in ended.values { entry.refresher.stop() }
    }

    private func start(_ request: KeyRequest, initial: KeySet?) -> Entry {
        let wakes = KeyWakes()
        let source = KeySource(initial: initial, onUnknownKeyID: { wakes.wake() })
        let refresher = KeyRefresher(
            issuer: request.issuer, wakes: wakes, schedule: RefreshSchedule(interval: request.interval),
            random: SystemRandomNumberGenerator(), log: log, sleep: sleep,
            refresh: { [fetch, onRemoval] () async throws(KeyFetchError) in
                if try await request.fetch(with: fetch, into: source) == .removed { onRemoval() }
            })
        return Entry(source: source, refresher: refresher)
    }
}
