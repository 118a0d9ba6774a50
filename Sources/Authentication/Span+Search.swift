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

    /// Whether both hold the same bytes. Need not take constant time: whoever gets here with other bytes than those that
    /// were proven learns at most how long a proven credential is that he half knows.
    func isEqual(to other: Span<UInt8>) -> Bool {
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
