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
        // Unsafe only in that `raw` must not leave the closure; Hasher copies from it.
        (high, low) = unsafe bytes.withUnsafeBytes { raw in
            var first = Hasher()
            first.combine(UInt8(1))
            first.combine(namespace)
            unsafe first.combine(bytes: raw)
            var second = Hasher()
            second.combine(UInt8(2))
            second.combine(namespace)
            unsafe second.combine(bytes: raw)
            return (UInt64(bitPattern: Int64(first.finalize())), UInt64(bitPattern: Int64(second.finalize())))
        }
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
