package import Identity

/// What proven credentials came to: the first-level cache, one per event loop and without any synchronisation.
///
/// A hash table in which an entry lies in one of eight neighbouring slots, so that a lookup is one hash, at most eight
/// comparisons of words and one of bytes: no allocation, no lock. It grows by doubling up to its capacity; beyond
/// that, entries that were not asked for lately give way. An entry takes about 100 bytes and its credentials.
///
/// Only proven credentials may be inserted: a cache of refusals could be filled by anybody.
package struct CredentialCache<Value: AnyObject & Sendable>: Sendable {
    private var table: CredentialTable

    /// The number of entries, expired ones included until their slot is wanted.
    package var count: Int { table.count }

    /// An empty cache of at most `capacity` entries (rounded down to a power of two, at least 8) whose credentials
    /// take at most `maximumBytes` together.
    package init(key: CredentialHashKey, capacity: Int = 16_384, maximumBytes: Int = 16_777_216) {
        table = CredentialTable(key: key, capacity: capacity, maximumBytes: maximumBytes)
    }

    /// What was found, and the key it stood under: whoever needs the credentials for longer than the request shares the
    /// cache's copy.
    package struct Found: Sendable {
        package let key: CredentialKey
        package let value: Value
    }

    /// The value for exactly these fields on a route that accepts these kinds; nil when it is unknown, expired
    /// (`now`, in Unix seconds, has reached its expiry), or of another generation.
    package mutating func find(
        authorization: Span<UInt8>, apiToken: Span<UInt8>, allowed: CredentialSet, generation: UInt64, now: Int64
    ) -> Found? {
        let found = table.find(
            authorization: authorization, apiToken: apiToken, allowed: allowed, generation: generation, now: now)
        guard let found else { return nil }
        // Unsafe: `insert` is the only way in, and takes nothing but a `Value`.
        return Found(key: found.key, value: unsafe unsafeDowncast(found.value, to: Value.self))
    }

    /// Remembers a value until `expires` (Unix seconds), or not at all when that is past or the key is empty.
    ///
    /// An entry for the same key is replaced. `generation` is the one under which the value was made, which may be
    /// older than the one of the next lookup: then the entry is as good as absent.
    package mutating func insert(
        _ key: CredentialKey, value: Value, expires: Int64, generation: UInt64, now: Int64
    ) {
        table.insert(key, value: value, expires: expires, generation: generation, now: now)
    }

    /// Forgets everything, and gives the memory back.
    package mutating func removeAll() {
        table.removeAll()
    }
}
