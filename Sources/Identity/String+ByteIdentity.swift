import Glibc

extension String {
    /// Whether both strings are the same UTF-8 bytes.
    ///
    /// `==` equates canonically equivalent text, so that a composed and a decomposed "é" would be one issuer, one
    /// subject or one solution. Wherever a name decides about access, this is the comparison.
    package func isByteIdentical(to other: String) -> Bool {
        let (left, right) = (utf8.span, other.utf8.span)
        guard left.count == right.count else { return false }
        // Unsafe: both texts lend their bytes for the call, which are equally many.
        return unsafe left.withUnsafeBytes { left in
            unsafe right.withUnsafeBytes { right in
                guard let base = left.baseAddress, let other = right.baseAddress else { return true }
                return unsafe memcmp(base, other, left.count) == 0
            }
        }
    }
}
