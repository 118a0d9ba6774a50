package import NIOCore

extension ByteBuffer {
    /// Lends the bytes of a range of the head that begins at the reader index.
    ///
    /// A range that is not within the readable bytes, which only a mix-up of buffers can bring about, is lent as empty.
    /// No copy, no allocation.
    package func withSpan<Result: ~Copyable, Failure: Error>(
        of range: ByteRange, _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let bytes = readableBytesUInt8Span
        guard range.range.upperBound <= bytes.count else { return try body(bytes.extracting(first: 0)) }
        return try body(bytes.extracting(range.range))
    }

    /// A copy of the bytes of a range of the head that begins at the reader index; empty when it is not within the
    /// readable bytes. Allocates: not for the fast path.
    package func copy(of range: ByteRange) -> [UInt8] {
        getBytes(at: readerIndex + range.range.lowerBound, length: range.count) ?? []
    }
}

extension RequestHead {
    /// Index in `fields` of the first field with a name the gateway has no kind for.
    ///
    /// - Parameters:
    ///   - name: in lower case.
    ///   - source: the buffer the head was parsed from, its reader index still on the head's first byte.
    /// - Returns: nil when there is none. O(fields).
    package func firstIndex(named name: StaticString, in source: borrowing ByteBuffer) -> Int? {
        let bytes = source.readableBytesSpan
        guard length <= bytes.byteCount else { return nil }
        return fields.firstIndex { bytes.equalsIgnoringCase($0.name, name) }
    }
}
