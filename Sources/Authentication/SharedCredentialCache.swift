package import Identity
import NIOConcurrencyHelpers

/// The second level: what any loop has proven, for all of them.
///
/// Sixteen shards with a lock each, touched only when a loop's own cache does not know the credentials. The rules are
/// those of `CredentialCache`.
package final class SharedCredentialCache<Value: AnyObject & Sendable>: Sendable {
    private static var shardCount: Int { 16 }

    private typealias Shard = NIOLockedValueBox<CredentialCache<Value>>

    private let hashKey: CredentialHashKey
    private let shards: [Shard]

    /// A value and what is needed to put it into a loop's own cache.
    package struct Hit: Sendable {
        /// Shares its bytes with the shared cache.
        package let key: CredentialKey
        package let value: Value
        /// Unix seconds.
        package let expires: Int64
    }

    /// Room for about `capacity` entries and `maximumBytes` of credentials, divided evenly over the shards.
    package init(key: CredentialHashKey, capacity: Int = 65_536, maximumBytes: Int = 67_108_864) {
        hashKey = key
        shards = (0..<Self.shardCount).map { _ in
            Shard(
                CredentialCache(
                    key: key, capacity: capacity / Self.shardCount, maximumBytes: maximumBytes / Self.shardCount))
        }
    }

    /// What is known about exactly these fields; see `CredentialCache.lookup`.
    package func lookup(
        authorization: Span<UInt8>, apiToken: Span<UInt8>, allowed: CredentialSet, generation: UInt64, now: Int64
    ) -> Hit? {
        let hash = hashKey.hash(authorization: authorization, apiToken: apiToken, allowed: allowed)
        return shard(hash).withLockedValue { cache in
            let found = cache.find(
                authorization: authorization, apiToken: apiToken, allowed: allowed, generation: generation, now: now)
            return found.map { Hit(key: $0.key, value: $0.value, expires: $0.expires) }
        }
    }

    /// Remembers a value; see `CredentialCache.insert`.
    package func insert(_ key: CredentialKey, value: Value, expires: Int64, generation: UInt64, now: Int64) {
        shard(key.hash(hashKey)).withLockedValue { cache in
            cache.insert(key, value: value, expires: expires, generation: generation, now: now)
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
    private func shard(_ hash: UInt64) -> Shard {
        shards[Int(truncatingIfNeeded: hash >> 60)]
    }
}
