/// Reading and scanning head bytes. Every access is bounds-checked; the loads are marked unsafe only because `RawSpan`
/// cannot know that every bit pattern of an integer is a value.
extension RawSpan {
    /// The byte at an offset.
    @inline(__always)
    func byte(_ offset: Int) -> UInt8 {
        unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    /// Eight bytes from an offset, the first of them in the lowest bits.
    @inline(__always)
    func word(_ offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The byte at an offset that a loop has just compared with its bound. For the scanners only, where the second
    /// comparison would cost more than the work: `to` is brought into the span before the loop, so that `offset < to`
    /// is the bounds check.
    @inline(__always)
    private func uncheckedByte(_ offset: Int) -> UInt8 {
        unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    /// Eight bytes from an offset of which a loop has just compared the last with its bound; see `uncheckedByte`.
    @inline(__always)
    private func uncheckedWord(_ offset: Int) -> UInt64 {
        UInt64(littleEndian: unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self))
    }

    /// Up to eight bytes of a name from an offset, lower-cased, the first in the lowest bits, the rest zero.
    ///
    /// Setting bit 5 folds letters and leaves `-` and digits alone. It also maps some other token characters onto each
    /// other, none of which stands in a name that this is compared with.
    @inline(__always)
    func foldedWord(_ offset: Int, count: Int) -> UInt64 {
        if offset &+ 8 <= byteCount {
            let folded = word(offset) | 0x2020_2020_2020_2020
            return count >= 8 ? folded : folded & ((1 &<< UInt64(8 * count)) &- 1)
        }
        var folded: UInt64 = 0
        for index in 0..<Swift.min(count, 8) {
            folded |= UInt64(byte(offset + index) | 0x20) &<< UInt64(8 * index)
        }
        return folded
    }

    /// The first offset in `from..<to` whose byte may not stand in a field value, else `to`. HTAB passes.
    ///
    /// Four words at a time while there is nothing to see, then one to find the place: a bearer token of 700 bytes is
    /// the largest part of a typical head.
    @inline(__always)
    func endOfValue(from: Int, to: Int) -> Int {
        let to = Swift.min(to, byteCount)
        var offset = Swift.max(from, 0)
        while offset &+ 32 <= to {
            let suspects =
                controls(uncheckedWord(offset)) | controls(uncheckedWord(offset &+ 8))
                | controls(uncheckedWord(offset &+ 16))
                | controls(uncheckedWord(offset &+ 24))
            if suspects & 0x8080_8080_8080_8080 != 0 { break }
            offset &+= 32
        }
        while offset &+ 8 <= to {
            let suspects = controls(uncheckedWord(offset)) & 0x8080_8080_8080_8080
            if suspects == 0 {
                offset &+= 8
                continue
            }
            offset &+= suspects.trailingZeroBitCount &>> 3
            if uncheckedByte(offset).isForbiddenInValue { return offset }
            offset &+= 1
        }
        while offset < to {
            if uncheckedByte(offset).isForbiddenInValue { return offset }
            offset &+= 1
        }
        return to
    }

    /// Sets the high bit of every byte that is a control character, and through borrow and carry of some next to one
    /// or to 0xFF: whoever finds a bit looks at the byte itself.
    @inline(__always)
    private func controls(_ bytes: UInt64) -> UInt64 {
        ((bytes &- 0x2020_2020_2020_2020) | (bytes &+ 0x0101_0101_0101_0101)) & ~bytes
    }

    /// The first offset in `from..<to` whose byte may not stand in a request-target, else `to`.
    ///
    /// Allowed is VCHAR without `"`, `#`, `<` and `>`. The word test lets only bytes through that are surely allowed
    /// and looks closer at the rest, which are rare.
    @inline(__always)
    func endOfTarget(from: Int, to: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        let to = Swift.min(to, byteCount)
        var offset = Swift.max(from, 0)
        while offset &+ 8 <= to {
            let bytes = uncheckedWord(offset)
            let deletes = bytes ^ 0x7F7F_7F7F_7F7F_7F7F
            let angles = (bytes | 0x0202_0202_0202_0202) ^ 0x3E3E_3E3E_3E3E_3E3E
            // Below 0x24 lie every control character, SP, `"`, `#` and the harmless `!`.
            let flags =
                ((bytes &- 0x2424_2424_2424_2424) & ~bytes | (deletes &- ones) & ~deletes
                    | (angles &- ones) & ~angles | bytes) & highs
            if flags == 0 {
                offset &+= 8
                continue
            }
            offset &+= flags.trailingZeroBitCount &>> 3
            if !uncheckedByte(offset).isAllowedInTarget { return offset }
            offset &+= 1
        }
        while offset < to {
            if !uncheckedByte(offset).isAllowedInTarget { return offset }
            offset &+= 1
        }
        return to
    }

    /// The first offset in `from..<to` whose byte is no token character, else `to`; notes whether `_` was passed.
    @inline(__always)
    func endOfToken(from: Int, to: Int, hasUnderscore: inout Bool) -> Int {
        endOfToken(.token, folding: 0x2020_2020_2020_2020, from: from, to: to, hasUnderscore: &hasUnderscore)
    }

    /// The same for a class of token characters; `folding` is what makes letters of it lower-case.
    @inline(__always)
    fileprivate func endOfToken(
        _ token: ByteClass, folding: UInt64, from: Int, to: Int, hasUnderscore: inout Bool
    ) -> Int {
        let highs: UInt64 = 0x8080_8080_8080_8080
        let to = Swift.min(to, byteCount)
        var offset = Swift.max(from, 0)
        while offset < to {
            // Runs of letters and `-`, which is most of any name, pass eight at a time.
            if offset &+ 8 <= to {
                let bytes = uncheckedWord(offset)
                let folded = (bytes | folding) & ~highs
                let aboveA = folded &+ 0x1F1F_1F1F_1F1F_1F1F
                let aboveZ = folded &+ 0x0505_0505_0505_0505
                let hyphens = (bytes & ~highs) ^ 0x2D2D_2D2D_2D2D_2D2D
                let isHyphen = ~(hyphens &+ 0x7F7F_7F7F_7F7F_7F7F)
                let others = (~(aboveA & ~aboveZ | isHyphen) | bytes) & highs
                if others == 0 {
                    offset &+= 8
                    continue
                }
                offset &+= others.trailingZeroBitCount &>> 3
            }
            let byte = uncheckedByte(offset)
            if !token.contains(byte) { return offset }
            if byte == ASCII.underscore { hasUnderscore = true }
            offset &+= 1
        }
        return to
    }

    /// Whether two ranges hold the same bytes but for the case of ASCII letters.
    func equalsIgnoringCase(_ left: ByteRange, _ right: ByteRange) -> Bool {
        guard left.count == right.count else { return false }
        let left = left.range.lowerBound
        let right = right.range
        for index in 0..<right.count
        where byte(left + index).lowercased != byte(right.lowerBound + index).lowercased {
            return false
        }
        return true
    }

    /// Whether a range holds the given lower-case ASCII text in any case.
    @inline(__always)
    func equalsIgnoringCase(_ range: ByteRange, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        let lower = range.range.lowerBound
        // The pointer is read only below `utf8CodeUnitCount`, which is the length of the literal it points at.
        let expected = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        for index in 0..<range.count where unsafe byte(lower + index).lowercased != expected[index] {
            return false
        }
        return true
    }
}

extension UInt8 {
    /// Whether the byte may stand in a request-target: VCHAR without `"`, `#`, `<` and `>`.
    ///
    /// Other bytes no URI may hold (such as `{` and `|`) are left to the routing of paths, which knows where they stand.
    @inline(__always)
    var isAllowedInTarget: Bool {
        self > 0x20 && self < 0x7F && self != ASCII.quote && self != 0x23 && self | 0x02 != 0x3E
    }
}

extension RawSpan {
    /// The first offset in `from..<to` that holds the byte; nil when there is none. Eight bytes at a time.
    @inline(__always)
    func firstOffset(of wanted: UInt8, from: Int, to: Int) -> Int? {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let pattern = UInt64(wanted) &* ones
        var offset = from
        while offset &+ 8 <= to {
            let differences = word(offset) ^ pattern
            let flags = (differences &- ones) & ~differences & 0x8080_8080_8080_8080
            if flags != 0 { return offset + flags.trailingZeroBitCount &>> 3 }
            offset &+= 8
        }
        while offset < to {
            if byte(offset) == wanted { return offset }
            offset &+= 1
        }
        return nil
    }

    /// Whether a range holds exactly the given text.
    @inline(__always)
    func equals(_ range: ByteRange, _ text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        let lower = range.range.lowerBound
        // The pointer is read only below `utf8CodeUnitCount`, which is the length of the literal it points at.
        let expected = unsafe UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        for index in 0..<range.count where unsafe byte(lower + index) != expected[index] { return false }
        return true
    }
}

// Unsafe below: `bytes` is that only for elements with padding, which an octet has not.
extension Span<UInt8> {
    /// Whether every octet may stand in a field value: no control character but HTAB (RFC 9110 §5.5). O(octets).
    package var isFieldValue: Bool {
        unsafe bytes.endOfValue(from: 0, to: count) == count
    }

    /// Whether every octet may stand in a token (RFC 9110 §5.6.2). O(octets).
    package var isToken: Bool {
        var hasUnderscore = false
        return unsafe bytes.endOfToken(from: 0, to: count, hasUnderscore: &hasUnderscore) == count
    }

    /// Whether every octet may stand in a token and none is an upper-case letter (RFC 9113 §8.2.1). O(octets).
    package var isLowerToken: Bool {
        var hasUnderscore = false
        return unsafe bytes.endOfToken(.lowerToken, folding: 0, from: 0, to: count, hasUnderscore: &hasUnderscore)
            == count
    }
}
