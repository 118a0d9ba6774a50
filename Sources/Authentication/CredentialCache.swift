package import Identity
/// Credentials that were verified, as the caches know them; one copy serves every cache.
package struct CredentialKey: Sendable {
    package init(authorization: Span<UInt8>, apiToken: Span<UInt8>, allowed: CredentialSet) {}
    package init(_ presented: PresentedCredentials, allowed: CredentialSet) {}
}
/// stub
package struct CredentialCache<Value: AnyObject & Sendable> {
    package init(key: CredentialHashKey, capacity: Int = 16_384, maximumBytes: Int = 16_777_216) {}
    package mutating func lookup(
        authorization: Span<UInt8>, apiToken: Span<UInt8>, allowed: CredentialSet, generation: UInt64, now: Int64
    ) -> Value? { nil }
    package mutating func insert(_ key: CredentialKey, value: Value, expires: Int64, generation: UInt64, now: Int64) {}
    package mutating func removeAll() {}
    package var count: Int { 0 }
}
/// The random key of the caches' hash, drawn once per process.
package struct CredentialHashKey: Sendable {
    package init(random: inout some RandomNumberGenerator) {}
}
/// stub
package final class SharedCredentialCache<Value: AnyObject & Sendable>: Sendable {
    package init(key: CredentialHashKey, capacity: Int = 65_536, maximumBytes: Int = 67_108_864) {}
    package struct Hit: Sendable {
        package let key: CredentialKey; package let value: Value; package let expires: Int64
    }
    package func lookup(
        authorization: Span<UInt8>, apiToken: Span<UInt8>, allowed: CredentialSet, generation: UInt64, now: Int64
    ) -> Hit? { nil }
    package func insert(_ key: CredentialKey, value: Value, expires: Int64, generation: UInt64, now: Int64) {}
    package func removeAll() {}
    package var count: Int { 0 }
}
