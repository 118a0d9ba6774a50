import Identity
package import StrictJSON

/// The usable keys of one issuer, out of a JWK set (RFC 7517).
///
/// A key that is weak, malformed or meant for something else is left out with a reason, and the others stay.
package struct KeySet: Sendable {
    /// A key that was left out.
    package struct Skipped: Sendable, Equatable {
        /// Its place in `keys`, from 0.
        package let index: Int
        /// Its `kid`, when it has one.
        package let keyID: String?
        /// Why, and what would help, in one sentence.
        package let reason: String
    }

    /// The most keys a set may hold; a larger set is refused as a whole.
    package static let maximumKeys = 1_024

    let keys: [VerificationKey]
    /// The keys left out, in document order.
    package let skipped: [Skipped]

    /// The number of usable keys.
    package var count: Int { keys.count }
    /// True when no key is usable.
    package var isEmpty: Bool { keys.isEmpty }

    /// The result of looking a token's key up.
    enum Lookup {
        case found(VerificationKey)
        /// The key exists and must not be used with this algorithm.
        case unfit
        /// There is no such key; or none is named and not exactly one fits.
        case unknown
    }

    /// Finds the key a token names; linear in the number of keys.
    ///
    /// `kid` is compared byte by byte and never used as a path, a query or an address (RFC 8725 §3.10).
    func key(_ keyID: String?, for algorithm: Algorithm) -> Lookup {
        guard let keyID else {
            var only: VerificationKey?
            for key in keys where key.algorithms.contains(algorithm) {
                if only != nil { return .unknown }
                only = key
            }
            return only.map { .found($0) } ?? .unknown
        }
        var isKnown = false
        for key in keys {
            guard let candidate = key.keyID, candidate.isByteIdentical(to: keyID) else { continue }
            if key.algorithms.contains(algorithm) { return .found(key) }
            isKnown = true
        }
        return isKnown ? .unfit : .unknown
    }

    /// Whether both sets hold the same keys, in whatever order.
    func hasSameKeys(as other: KeySet) -> Bool {
        fingerprints == other.fingerprints
    }

    /// Whether every key of the other set is in this one.
    func includes(_ other: KeySet) -> Bool {
        fingerprints.isSuperset(of: other.fingerprints)
    }

    private var fingerprints: Set<[UInt8]> { Set(keys.map(\.fingerprint)) }
}

/// Why a document is no JWK set.
package struct KeySetError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The byte offset of the offence in the document.
    package let offset: Int
    /// What is wrong and the way out.
    package let description: String
}

extension KeySet {
    /// How large a JWK set may be: 1 MiB, 16 levels, 65 536 values.
    package static let limits = JSON.Limits(maximumBytes: 1_048_576, maximumDepth: 16, maximumValues: 65_536)

    /// Reads a JWK set and keeps what the given algorithms can use.
    ///
    /// Throws for what is no JWK set at all; a set whose keys are all unusable is empty and says why in `skipped`.
    package static func parse(
        jwks: [UInt8], for algorithms: Set<Algorithm>
    ) throws(KeySetError) -> KeySet {
        let document: JSON
        do throws(JSONError) {
            document = try JSON.parse(jwks, limits: limits)
        } catch {
            throw KeySetError(offset: error.offset, description: "not a JWK set: \(error.description)")
        }
        return try parse(document, for: algorithms)
    }

    /// Reads a JWK set that is part of a larger document.
    package static func parse(_ document: JSON, for algorithms: Set<Algorithm>) throws(KeySetError) -> KeySet {
        guard let elements = document.member("keys")?.array else {
            throw KeySetError(
                offset: document.offset, description: "not a JWK set: an object with an array named keys is wanted")
        }
        guard elements.count <= maximumKeys else {
            throw KeySetError(
                offset: document.offset, description: "the JWK set holds more than \(maximumKeys) keys")
        }
        var keys: [VerificationKey] = []
        var skipped: [Skipped] = []
        for (index, element) in elements.enumerated() {
            do throws(UnusableKey) {
                let key = try VerificationKey(jwk: element, algorithms: algorithms)
                try key.requireDistinct(from: keys)
                keys.append(key)
            } catch {
                let keyID = element.member("kid")?.string
                skipped.append(Skipped(index: index, keyID: keyID, reason: error.reason))
            }
        }
        return KeySet(keys: keys, skipped: skipped)
    }
}

extension VerificationKey {
    /// Two keys of one name for one algorithm would make it a matter of order which of them counts.
    fileprivate func requireDistinct(from others: [VerificationKey]) throws(UnusableKey) {
        guard let keyID else { return }
        for other in others {
            guard let name = other.keyID, name.utf8.elementsEqual(keyID.utf8) else { continue }
            if !other.algorithms.isDisjoint(with: algorithms) {
                throw UnusableKey("an earlier key has the same kid and algorithm")
            }
        }
    }
}
