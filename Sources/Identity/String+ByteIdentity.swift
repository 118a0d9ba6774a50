import Glibc

extension String {
    /// Whether both strings are the same UTF-8 bytes.
    ///
    /// `==` equates canonically equivalent text, so that a composed and a decomposed "é" would be one issuer, one
    /// subject or one solution. Wherever a name decides about access, this is the comparison.
    package func isByteIdentical(to other: String) -> Bool {
        let (left, right) = (utf8.span, other.utf8.span)
        return left.isEqual(to: right)
    }
}

extension Span<UInt8> {
    /// Whether both hold the same bytes. Need not take constant time: whoever gets here with other bytes than those that
    /// were proven learns at most how long a proven credential is that he half knows.
    package func isEqual(to other: Span<UInt8>) -> Bool {
        guard count == other.count else { return false }
        // Unsafe: both pointers are used during the call, for as many bytes as both have.
        return unsafe withUnsafeBufferPointer { left in
            unsafe other.withUnsafeBufferPointer { right in
                guard let left = left.baseAddress, let right = right.baseAddress else { return true }
                return unsafe memcmp(left, right, count) == 0
            }
        }
    }
}

/// A name that is looked up by its bytes: equal to another only when those are the same.
package struct ExactName: Sendable, Hashable {
    private let text: String

    /// The name as it is written.
    package init(_ text: String) {
        self.text = text
    }

    /// Byte by byte.
    package static func == (left: ExactName, right: ExactName) -> Bool { left.text.isByteIdentical(to: right.text) }

    package func hash(into hasher: inout Hasher) {
        // Unsafe: the text lends its bytes for the call.
        unsafe text.utf8.span.withUnsafeBytes { bytes in unsafe hasher.combine(bytes: bytes) }
    }
}
