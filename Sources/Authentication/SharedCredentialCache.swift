import NIOConcurrencyHelpers

/// The second level: what any loop has proven, for all of them, and for more callers than a loop's own cache holds.
///
/// Credentials are known by their SHA-256, compared whole: nobody can make others that pass for them, and none of their
/// bytes are kept. Hashing 700 bytes takes half a microsecond, which is why the first level compares bytes instead. Sixteen
/// shards with a lock each, touched only when a loop's own cache does not know the credentials.
///
/// Only proven credentials may be inserted: a cache of refusals could be filled by anybody.
package final class SharedCredentialCache<Value: AnyObject & Sendable>: Sendable {
    private static var shardCount: Int { 16 }

    private typealias Shard = NIOLockedValueBox<ProvenTable>

    private let hashKey: CredentialHashKey
    private let shards: [Shard]

    /// A value, and what is needed to put it into a loop's own cache.
    package struct Hit: Sendable {
        package let value: Value
        /// Unix seconds.
        package let expires: Int64
    }

    /// Room for `capacity` entries whose values take `maximumBytes`, divided evenly over the shards. Memory is taken as
    /// entries come: 64 to 80 bytes each, and what the values take.
    package init(key: CredentialHashKey, capacity: Int = 262_144, maximumBytes: Int = 134_217_728) {
        hashKey = key
        shards = (0..<Self.shardCount).map { _ in
            Shard(
                ProvenTable(
                    key: key, capacity: capacity / Self.shardCount, maximumBytes: maximumBytes / Self.shardCount))
        }
    }

    /// What is known about the credentials; nil when nothing is, when it has expired (`now`, in Unix seconds, has reached its
    /// expiry), or is of another generation.
    package func lookup(_ digest: CredentialDigest, generation: UInt64, now: Int64) -> Hit? {
        let digest = digest.value
        let found = shard(digest).withLockedValue { $0.find(digest, generation: generation, now: now) }
        guard let found else { return nil }
        // Unsafe: `insert` is the only way in, and takes nothing but a `Value`.
        return Hit(value: unsafe unsafeDowncast(found.value, to: Value.self), expires: found.expires)
    }

    /// Remembers a value of about `bytes` bytes until `expires` (Unix seconds), or not at all when that is past or the value
    /// takes more than there may be. An entry for the same credentials is replaced.
    package func insert(
        _ digest: CredentialDigest, value: Value, bytes: Int, expires: Int64, generation: UInt64, now: Int64
    ) {
        let digest = digest.value
        shard(digest).withLockedValue { table in
            table.insert(digest, value: value, bytes: bytes, expires: expires, generation: generation, now: now)
        }
    }

    /// Gives back what is held for credentials that have expired or are of an earlier generation. A lock is held for a
    /// thousand of them at a time. O(entries).
    package func sweep(generation: UInt64, now: Int64) {
        for shard in shards {
            var next: Int? = 0
            while let start = next {
                next = shard.withLockedValue { $0.sweep(from: start, count: 1_000, generation: generation, now: now) }
            }
        }
    }

    /// Forgets everything.
    package func removeAll() {
        for shard in shards { shard.withLockedValue { $0.removeAll() } }
    }

    /// The number of entries in all shards; each is counted at a slightly different moment.
    package var count: Int {
        shards.reduce(0) { $0 + $1.withLockedValue { $0.count } }
    }

    /// The top bits choose the shard, so that the bottom ones still spread within it.
    private func shard(_ digest: SHA256Value) -> Shard {
        shards[Int(truncatingIfNeeded: hashKey.hash(digest) >> 60)]
    }
}
