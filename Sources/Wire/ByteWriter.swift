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
    package mutating func append(_ bytes: Span<UInt8>) {
        // Unsafe: a byte has no padding and any value; what is done with them is checked above.
        append(unsafe bytes.bytes)
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
        if number >= 0, number < 10_000, capacity &- count >= 4 {
            return append(short: UInt32(truncatingIfNeeded: number))
        }
        // Digits come from the right, into a place of their own: nobody counts them first.
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var rest = UInt64(clamping: number)
        var first = 20
        repeat {
            first &-= 1
            let quotient = rest / 10
            digits[first] = UInt8(truncatingIfNeeded: rest &- quotient &* 10) &+ 0x30
            rest = quotient
        } while rest > 0
        // Unsafe: bytes have no padding, and the span ends with this statement.
        unsafe append(digits.span.extracting(first..<20).bytes)
    }

    /// A number of at most four digits where there is room for four, all of them at once: hundreds and the rest side by
    /// side, then tens and ones. 5243/2^19 and 103/2^10 are a hundredth and a tenth as exactly as such numbers need.
    @inlinable
    @inline(__always)
    mutating func append(short number: UInt32) {
        let hundreds = (number &* 5243) &>> 19
        let pair = hundreds | (number &- hundreds &* 100) &<< 16
        let tens = (pair &* 103) &>> 10 & 0x000f_000f
        let digits = tens | (pair &- tens &* 10) &<< 8
        // The first digit is in the lowest byte; leading zeros go, but for the last.
        let zeros = (digits | 0x0100_0000).trailingZeroBitCount &>> 3
        let text = (digits | 0x3030_3030) &>> UInt32(truncatingIfNeeded: 8 &* zeros)
        // Unsafe: there is room for four bytes, of which those behind the digits are written over.
        unsafe (base + count).storeBytes(of: text.littleEndian, as: UInt32.self)
        count &+= 4 &- zeros
    }

    /// Sixteen lower-case hexadecimal digits.
    @inlinable
    package mutating func append(hexadecimal word: UInt64) {
        appendDigits(word &>> 32)
        appendDigits(word)
    }

    /// The low 32 bits as eight lower-case hexadecimal digits, all at once: each nibble is brought into a byte of its own,
    /// and those above 9 get the distance from `:` to `a` added.
    @inlinable
    mutating func appendDigits(_ word: UInt64) {
        var spread = word & 0xffff_ffff
        spread = (spread | spread &<< 16) & 0x0000_ffff_0000_ffff
        spread = (spread | spread &<< 8) & 0x00ff_00ff_00ff_00ff
        spread = (spread | spread &<< 4) & 0x0f0f_0f0f_0f0f_0f0f
        let letters = (spread &+ 0x0606_0606_0606_0606) &>> 4 & 0x0101_0101_0101_0101
        let digits = (spread &+ 0x3030_3030_3030_3030 &+ letters &* 0x27).bigEndian
        // Unsafe: as many bytes fit as is checked.
        if capacity &- count >= 8 { unsafe (base + count).storeBytes(of: digits, as: UInt64.self) }
        count &+= 8
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
