import Glibc

extension Span<UInt8> {
    /// The first place of a byte at or after `start`; nil without one. Takes many bytes at a time.
    func firstIndex(of byte: UInt8, from start: Int = 0) -> Int? {
        guard start < count else { return nil }
        // Unsafe: the search ends with the span, which lends its bytes for the call.
        return unsafe withUnsafeBytes { bytes in
            guard let base = bytes.baseAddress else { return nil }
            guard let found = unsafe memchr(base + start, Int32(byte), bytes.count - start) else { return nil }
            return unsafe UnsafeRawPointer(found) - base
        }
    }
}
