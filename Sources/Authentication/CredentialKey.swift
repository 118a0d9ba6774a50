import Crypto
import Glibc
package import Identity

/// Proven credentials as caches know them: the bytes of both fields, and the kinds the route accepts.
///
/// The kinds belong to the key, because the same fields mean different callers where one of them is not accepted. A
/// loop's cache holds the bytes, the shared one their digest.
package struct CredentialKey: Sendable {
    /// Both fields, one after the other.
    private let bytes: [UInt8]
    /// Four bytes, so that a slot of a cache is small: no buffer holds a longer field.
    private let authorizationEnd: UInt32
    private let allowed: CredentialSet

    private var authorizationCount: Int { Int(authorizationEnd) }

    /// Copies the fields; an absent field is an empty span.
    package init(authorization: Span<UInt8>, apiToken: Span<UInt8>, allowed: CredentialSet) {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(authorization.count + apiToken.count)
        // Unsafe: both lend their bytes for the call.
        unsafe authorization.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
        unsafe apiToken.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
        self.bytes = bytes
        authorizationEnd = UInt32(clamping: authorization.count)
        self.allowed = allowed
    }

    /// Copies the fields that were authenticated.
    package init(_ presented: PresentedCredentials, allowed: CredentialSet) {
        bytes = (presented.authorization ?? []) + (presented.apiToken ?? [])
        authorizationEnd = UInt32(clamping: presented.authorization?.count ?? 0)
        self.allowed = allowed
    }

    /// The bytes held.
    var count: Int { bytes.count }

    /// The fields, to be authenticated anew. An empty field, which proves nothing, counts as absent.
    package var presented: PresentedCredentials {
        PresentedCredentials(
            authorization: authorizationCount > 0 ? Array(bytes[..<authorizationCount]) : nil,
            apiToken: authorizationCount < bytes.count ? Array(bytes[authorizationCount...]) : nil)
    }

    /// Whether these are exactly the fields and kinds of this key.
    func matches(authorization: Span<UInt8>, apiToken: Span<UInt8>, allowed: CredentialSet) -> Bool {
        guard self.allowed == allowed, authorizationCount == authorization.count,
            bytes.count == authorization.count + apiToken.count
        else { return false }
        let held = bytes.span
        return held.extracting(first: authorizationCount).isEqual(to: authorization)
            && held.extracting(droppingFirst: authorizationCount).isEqual(to: apiToken)
    }

    /// Whether both keys stand for the same credentials.
    func matches(_ other: CredentialKey) -> Bool {
        allowed == other.allowed && authorizationCount == other.authorizationCount && bytes.count == other.bytes.count
            && bytes.span.isEqual(to: other.bytes.span)
    }

    func hash(_ key: CredentialHashKey) -> UInt64 {
        let held = bytes.span
        return key.hash(
            authorization: held.extracting(first: authorizationCount),
            apiToken: held.extracting(droppingFirst: authorizationCount), allowed: allowed)
    }

    /// The digest of all of it; nil for a key of nothing.
    package var digest: CredentialDigest? {
        let held = bytes.span
        return CredentialDigest(
            authorization: held.extracting(first: authorizationCount),
            apiToken: held.extracting(droppingFirst: authorizationCount), allowed: allowed)
    }
}

/// Credentials as the shared cache knows them: SHA-256 over everything that makes a key what it is, so that nobody can make
/// others with the same.
package struct CredentialDigest: Sendable, Hashable {
    let value: SHA256Value

    /// The digest of the key that these fields and kinds make; nil where there are no fields. About half a microsecond.
    package init?(authorization: Span<UInt8>, apiToken: Span<UInt8>, allowed: CredentialSet) {
        guard !authorization.isEmpty || !apiToken.isEmpty else { return nil }
        var hash = SHA256()
        // The kinds and the border between the fields come first, so that no two keys run together into the same bytes.
        let border = (UInt64(authorization.count) << 8 | UInt64(allowed.rawValue)).littleEndian
        // Unsafe: all three lend their bytes for the call.
        unsafe withUnsafeBytes(of: border) { unsafe hash.update(bufferPointer: $0) }
        unsafe authorization.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
        unsafe apiToken.withUnsafeBytes { unsafe hash.update(bufferPointer: $0) }
        value = SHA256Value(hash.finalize())
    }
}

/// The random key of the caches' hash, drawn once per process so that nobody can aim at a slot.
package struct CredentialHashKey: Sendable {
    private let seed: UInt64
    private let factor: UInt64

    /// Draws the key.
    package init(random: inout some RandomNumberGenerator) {
        seed = random.next()
        // Odd, so that multiplying loses nothing.
        factor = random.next() | 1
    }

    /// A 64-bit hash over both lengths and the last 64 bytes of each field.
    ///
    /// The tail is enough: only proven credentials enter a cache, and it is their tails that differ, since a token ends
    /// in its signature, an API token is random throughout and a Basic pair ends in the secret. Whoever presents bytes
    /// with a known tail gets as far as one comparison of the whole.
    func hash(authorization: Span<UInt8>, apiToken: Span<UInt8>, allowed: CredentialSet) -> UInt64 {
        var state = seed
        mix(UInt64(truncatingIfNeeded: authorization.count) << 8 | UInt64(allowed.rawValue), into: &state)
        mix(UInt64(truncatingIfNeeded: apiToken.count), into: &state)
        mixTail(of: authorization, into: &state)
        mixTail(of: apiToken, into: &state)
        return state
    }

    /// Where a digest has its place. Keyed, though a digest spreads well by itself: who has tokens issued may choose among
    /// them.
    func hash(_ digest: SHA256Value) -> UInt64 {
        var state = seed
        mix(digest.word, into: &state)
        return state
    }

    private func mixTail(of bytes: Span<UInt8>, into state: inout UInt64) {
        var offset = max(0, bytes.count - 64)
        while offset + 8 <= bytes.count {
            mix(bytes.word(at: offset), into: &state)
            offset += 8
        }
        if offset < bytes.count { mix(bytes.partialWord(from: offset), into: &state) }
    }

    /// Multiplies to 128 bits and folds: every bit of the word reaches every bit of the state.
    private func mix(_ word: UInt64, into state: inout UInt64) {
        let product = (state ^ word).multipliedFullWidth(by: factor)
        state = product.high ^ product.low ^ (seed &+ word)
    }
}

extension Span<UInt8> {
    /// Eight bytes as one word.
    fileprivate func word(at offset: Int) -> UInt64 {
        // Marked unsafe for the sake of other types: bytes have no padding, every bit pattern is a UInt64, and the
        // offset is checked by the call.
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
    }

    /// The last few bytes as one word.
    fileprivate func partialWord(from offset: Int) -> UInt64 {
        var word: UInt64 = 0
        for index in offset..<count { word = word << 8 | UInt64(self[index]) }
        return word
    }
}
