/// Names one bucket: a namespace (what kind of name follows) and the bytes of the name.
///
/// Only a 128-bit fingerprint is kept, so that a client costs the table the same whatever its name's length. The
/// fingerprint is two SipHashes under the random key of the process: nobody can aim for a collision, and among a
/// million clients one happens with a probability below 2^-88.
package struct LimiterKey: Sendable, Hashable {
    let high: UInt64
    let low: UInt64

    /// The key of the name `bytes` in `namespace`. Names are compared byte by byte, never by canonical equivalence.
    package init(namespace: UInt8, bytes: Span<UInt8>) {
        (high, low) = (Self.hash(1, namespace, nil, bytes), Self.hash(2, namespace, nil, bytes))
    }

    /// The key of the name `text`, taken as UTF-8, of which there may be one for each `qualifier`: the same as that of both with
    /// NUL between them, which must stand in neither.
    package init(namespace: UInt8, qualifier: String, _ text: String) {
        let (first, second) = (qualifier.utf8.span, text.utf8.span)
        (high, low) = (Self.hash(1, namespace, first, second), Self.hash(2, namespace, first, second))
    }

    private static func hash(
        _ salt: UInt8, _ namespace: UInt8, _ qualifier: Span<UInt8>?, _ bytes: Span<UInt8>
    ) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(salt)
        hasher.combine(namespace)
        // Unsafe only in that `raw` must not leave the closures; Hasher copies from it.
        if let qualifier {
            unsafe qualifier.withUnsafeBytes { raw in unsafe hasher.combine(bytes: raw) }
            hasher.combine(UInt8(0))
        }
        unsafe bytes.withUnsafeBytes { raw in unsafe hasher.combine(bytes: raw) }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    /// The key of the name `bytes` in `namespace`.
    package init(namespace: UInt8, _ bytes: [UInt8]) {
        self.init(namespace: namespace, bytes: bytes.span)
    }

    /// The key of the name `text`, taken as UTF-8.
    package init(namespace: UInt8, _ text: String) {
        self.init(namespace: namespace, Array(text.utf8))
    }
}
