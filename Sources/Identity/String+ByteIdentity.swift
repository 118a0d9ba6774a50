extension String {
    /// Whether both strings are the same UTF-8 bytes.
    ///
    /// `==` equates canonically equivalent text, so that a composed and a decomposed "é" would be one issuer, one
    /// subject or one solution. Wherever a name decides about access, this is the comparison.
    package func isByteIdentical(to other: String) -> Bool {
        guard utf8.count == other.utf8.count else { return false }
        let (left, right) = (utf8.span, other.utf8.span)
        for index in left.indices where left[index] != right[index] { return false }
        return true
    }
}
