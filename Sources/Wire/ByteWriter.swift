package import NIOCore

/// Appends many small pieces to memory that was reserved for all of them at once.
///
/// A head is made of some forty pieces, and asking a `ByteBuffer` for room for each costs more than copying them. What does
/// not fit is counted and not written; `ByteBuffer.append(reserving:_:)` then begins again with room enough. Inlinable,
/// because each call is a handful of instructions.
@safe
@usableFromInline
package struct ByteWriter {
    // Unsafe: valid during `append(reserving:_:)`, which alone makes writers; every write is checked against `capacity`.
    @usableFromInline
    package let base: UnsafeMutableRawPointer
    @usableFromInline
    package let capacity: Int
    /// Bytes appended so far, those that did not fit included.
    @usableFromInline
    package var count = 0

    init(base: UnsafeMutableRawPointer, capacity: Int) {
        unsafe self.base = base
        self.capacity = capacity
    }

    @inlinable
    @inline(__always)
    package mutating func append(_ text: StaticString) {
        let length = text.utf8CodeUnitCount
        // Unsafe: a static string's bytes stand for ever, and as many fit as is checked.
        if length <= capacity &- count { unsafe (base + count).copyMemory(from: text.utf8Start, byteCount: length) }
        count &+= length
    }

    @inlinable
    @inline(__always)
    package mutating func append(_ byte: UInt8) {
        // Unsafe: inside the room, as checked.
        if count < capacity { unsafe (base + count).storeBytes(of: byte, as: UInt8.self) }
        count &+= 1
    }

    @inlinable
    @inline(__always)
    package mutating func append(_ bytes: RawSpan) {
        let length = bytes.byteCount
        // Unsafe: the source is lent for the call, and as many bytes fit as is checked.
        if length <= capacity &- count {
            unsafe bytes.withUnsafeBytes { source in
                guard let start = source.baseAddress else { return }
                unsafe (base + count).copyMemory(from: start, byteCount: length)
            }
        }
        count &+= length
    }

    @inlinable
    @inline(__always)
    package mutating func append(_ bytes: [UInt8]) {
        let length = bytes.count
        // Unsafe: as above.
        if length <= capacity &- count {
            unsafe bytes.withUnsafeBytes { source in
                guard let start = source.baseAddress else { return }
                unsafe (base + count).copyMemory(from: start, byteCount: length)
            }
        }
        count &+= length
    }

    /// Decimal digits; a negative number is written as 0.
    @inlinable
    package mutating func append(decimal number: Int) {
        var rest = UInt64(clamping: number)
        var digits = 1
        var bound: UInt64 = 10
        while digits < 20, rest >= bound {
            digits &+= 1
            let (next, overflow) = bound.multipliedReportingOverflow(by: 10)
            if overflow { break }
            bound = next
        }
        if digits <= capacity &- count {
            var index = count &+ digits
            repeat {
                index &-= 1
                let digit = UInt8(truncatingIfNeeded: rest % 10) &+ 0x30
                // Unsafe: between `count` and `count + digits`, which fit.
                unsafe (base + index).storeBytes(of: digit, as: UInt8.self)
                rest /= 10
            } while index > count
        }
        count &+= digits
    }

    /// Sixteen lower-case hexadecimal digits.
    @inlinable
    package mutating func append(hexadecimal word: UInt64) {
        var shift: UInt64 = 64
        while shift > 0 {
            shift &-= 4
            let digit = UInt8(truncatingIfNeeded: (word &>> shift) & 15)
            append(digit < 10 ? digit &+ 0x30 : digit &+ 0x57)
        }
    }
}

extension ByteBuffer {
    /// Appends what `body` writes. `bound` is an estimate of its length: too small a one costs a second run of `body`.
    package mutating func append(reserving bound: Int, _ body: (inout ByteWriter) -> Void) {
        var bound = bound
        var isWritten = false
        while !isWritten {
            var needed = 0
            // Unsafe: the writer checks every write against the room it is given, and is gone after the call.
            unsafe writeWithUnsafeMutableBytes(minimumWritableBytes: bound) { room in
                guard let base = room.baseAddress else { return 0 }
                var writer = unsafe ByteWriter(base: base, capacity: room.count)
                body(&writer)
                needed = writer.count
                isWritten = needed <= room.count
                return isWritten ? needed : 0
            }
            bound = max(needed, 1)
        }
    }
}
