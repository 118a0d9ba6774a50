package import Gate
import NIOConcurrencyHelpers
import Synchronization
package import TLS
package import Upstream

/// The TLS of one listener, nil for none, as new connections find it.
package struct ListenerTLS: Sendable {
    package let name: String
    package let context: TLSServerContext?

    package init(name: String, context: TLSServerContext?) {
        self.name = name
        self.context = context
    }
}

/// One configuration as the data plane takes it: the gate's snapshot and the upstreams its routes name.
package struct Publication: Sendable {
    package let snapshot: Snapshot
    package let upstreams: [UpstreamSettings]
    /// Those that are not named stay as they were.
    package let listeners: [ListenerTLS]
    /// What active checks found, by the upstream's name; the feed fills it.
    fileprivate(set) var boards: [String: HealthBoard] = [:]

    package init(snapshot: Snapshot, upstreams: [UpstreamSettings], listeners: [ListenerTLS] = []) {
        self.snapshot = snapshot
        self.upstreams = upstreams
        self.listeners = listeners
    }
}

/// Hands configurations from the control plane to the loops.
///
/// A loop reads one number per request. Only when it changed does it take the lock and fetch what is new, so a reload
/// touches no connection, and a bucket only where its quota changed.
package final class SnapshotFeed: Sendable {
    private let number = Atomic<UInt64>(1)
    private let current: NIOLockedValueBox<Publication>

    package init(_ publication: Publication) {
        self.current = NIOLockedValueBox(Self.withBoards(publication, keeping: nil))
    }

    /// The generation that cached admissions must bear. Acquiring: who sees a new number also sees what was published
    /// before it was stored.
    var generation: UInt64 { number.load(ordering: .acquiring) }

    /// The newest configuration and its generation. The lock is held for a copy of two references; loops wait for it
    /// once per publication.
    func latest() -> (Publication, UInt64) {
        current.withLockedValue { ($0, number.load(ordering: .acquiring)) }
    }

    /// Makes a configuration the one in force. Releasing, within the lock: number and publication change together.
    package func publish(_ publication: Publication) {
        current.withLockedValue {
            $0 = Self.withBoards(publication, keeping: $0)
            number.add(1, ordering: .releasing)
        }
    }

    /// Upstreams that did not change keep what is known of their health.
    private static func withBoards(_ publication: Publication, keeping old: Publication?) -> Publication {
        var publication = publication
        for settings in publication.upstreams {
            let known = old?.upstreams.contains(settings) == true ? old?.boards[settings.name] : nil
            publication.boards[settings.name] = known ?? HealthBoard()
        }
        return publication
    }

    /// Forgets every cached admission: a key was withdrawn or a token revoked.
    package func invalidate() {
        current.withLockedValue { _ in _ = number.add(1, ordering: .releasing) }
    }
}
