/// A run of bytes inside one head, as offsets from the head's first byte.
///
/// A head is never copied into Strings: everything the parsers find is such a range, valid for as long as the buffer's
/// reader index still stands on the head's first byte (an empty line that was skipped counts as part of the head).
/// Offsets are bytes; `HeadLimits.maximumHeadBytes` bounds them far below `UInt32.max`.
package struct ByteRange: Sendable, Equatable {
    /// Offset of the first byte.
    package var lower: UInt32
    /// Offset after the last byte.
    package var upper: UInt32

    /// A range from offsets that the caller knows to be in order.
    package init(lower: UInt32, upper: UInt32) {
        self.lower = lower
        self.upper = upper
    }

    /// A range from integer offsets; offsets outside `UInt32` are clamped rather than trapped.
    package init(_ lower: Int, _ upper: Int) {
        self.lower = UInt32(clamping: lower)
        self.upper = UInt32(clamping: upper)
    }

    /// The empty range at offset 0, which stands for "not there" where a property is not optional.
    package static var empty: ByteRange { ByteRange(lower: 0, upper: 0) }

    /// How many bytes the range holds.
    package var count: Int { lower < upper ? Int(upper) - Int(lower) : 0 }

    /// Whether the range holds no byte.
    package var isEmpty: Bool { upper <= lower }

    /// The same range as integers, for `Span.extracting(_:)`.
    package var range: Range<Int> { Int(lower)..<Int(max(lower, upper)) }
}
