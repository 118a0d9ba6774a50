import NIOConcurrencyHelpers

/// How many connections each client address has open, over all loops of the gateway.
///
/// Bounded by the connections there are: an address without one is forgotten.
package final class AddressPlaces: Sendable {
    /// One connection's place.
    package final class Place: Sendable {
        private let places: AddressPlaces
        private let site: PeerAddress
        /// Nobody waits for this lock: a place is its connection's alone.
        private let isHeld = NIOLockedValueBox(true)

        fileprivate init(_ places: AddressPlaces, _ site: PeerAddress) {
            self.places = places
            self.site = site
        }

        deinit { release() }

        /// Gives it back; a second time is no matter.
        package func release() {
            let wasHeld = isHeld.withLockedValue { isHeld in
                defer { isHeld = false }
                return isHeld
            }
            if wasHeld { places.leave(site) }
        }
    }

    /// A loop takes this lock when it accepts a connection or ends one, and only where the bound is set; no request does.
    private let counts = NIOLockedValueBox<[PeerAddress: Int]>([:])

    package init() {}

    /// A place for one more connection of an address; nil when it has `bound` of them.
    package func take(for address: PeerAddress, of bound: Int) -> Place? {
        let site = address.site
        let isFree = counts.withLockedValue { counts in
            guard counts[site, default: 0] < bound else { return false }
            counts[site, default: 0] += 1
            return true
        }
        return isFree ? Place(self, site) : nil
    }

    /// Addresses that have a connection.
    package var count: Int { counts.withLockedValue { $0.count } }

    private func leave(_ site: PeerAddress) {
        counts.withLockedValue { counts in
            guard let count = counts[site] else { return }
            counts[site] = count > 1 ? count - 1 : nil
        }
    }
}
