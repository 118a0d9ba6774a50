package import NIOCore

/// The one decoded path that routing, policy and upstream share.
///
/// A path is percent-decoded once, dot segments are resolved and empty segments dropped (RFC 3986 §6.2.2), and
/// whatever two readers could take apart differently is refused: see ``PathDefect``. A trailing slash is kept for the
/// upstream but is no segment. Storage is reused from one request to the next, so that assigning allocates nothing in
/// steady state. Not copyable, so that whoever reads it borrows it and counts no references.
package struct NormalPath: ~Copyable, Sendable {
    /// Longest raw path accepted, in bytes.
    package static let maximumBytes = 65_535

    /// Offsets of one segment in ``NormalPath/bytes``; never empty, never a dot segment.
    package struct Segment: Sendable, Equatable {
        package let lower: UInt32
        package let upper: UInt32

        /// The segment's place in ``NormalPath/bytes``.
        package var range: Range<Int> { Int(lower)..<Int(upper) }
    }

    /// The decoded canonical path: `/` before every segment, and one at the end where the client wrote one. Begins
    /// with a slash; `/` alone is the root. A segment's own bytes never hold a slash, NUL or control character.
    package private(set) var bytes: [UInt8] = [UInt8(ascii: "/")]
    /// The segments in order.
    package private(set) var segments: [Segment] = []
    /// Whether ``bytes`` is what the client sent, so that they may be forwarded as they are.
    package private(set) var isPlain = true

    /// The root path.
    package init() {}

    /// Whether the path ends in a slash; true for the root.
    package var hasTrailingSlash: Bool { bytes.last == UInt8(ascii: "/") }

    /// Takes over the raw path of a request target, without its query; an empty one is the root (RFC 9110 §4.2.3).
    ///
    /// On a defect the path is the root, which is no excuse to use it. O(n), one pass when the path is plain.
    package mutating func assign(_ raw: Span<UInt8>) -> PathDefect? {
        bytes.removeAll(keepingCapacity: true)
        segments.removeAll(keepingCapacity: true)
        guard raw.count <= NormalPath.maximumBytes else { return fail(.tooLong) }
        guard !raw.isEmpty else {
            isPlain = false
            bytes.append(UInt8(ascii: "/"))
            return nil
        }
        guard raw[0] == UInt8(ascii: "/") else { return fail(.notAbsolute) }
        isPlain = scanPlain(raw)
        if isPlain {
            // Unsafe only in that `source` must not leave the closure; append copies it.
            unsafe raw.withUnsafeBufferPointer { source in unsafe bytes.append(contentsOf: source) }
            return nil
        }
        bytes.removeAll(keepingCapacity: true)
        segments.removeAll(keepingCapacity: true)
        if let defect = decode(raw) { return fail(defect) }
        return nil
    }

    /// Appends the path in canonical percent-encoding: capital digits, and nothing encoded that RFC 3986 §3.3 lets
    /// stand, save `;`, which is always encoded. A server that reads parameters after `;` would see another path than
    /// the one decided on.
    package func appendEncoded(to out: inout ByteBuffer) {
        if isPlain { out.writeBytes(bytes) } else { appendEncoded(bytes.startIndex..<bytes.endIndex, to: &out) }
    }

    /// Appends a part of ``bytes`` in canonical percent-encoding; slashes stand for themselves.
    func appendEncoded(_ range: Range<Int>, to out: inout ByteBuffer) {
        PathEncoding.append(bytes.span.extracting(range), to: &out)
    }

    private mutating func fail(_ defect: PathDefect) -> PathDefect {
        bytes.removeAll(keepingCapacity: true)
        segments.removeAll(keepingCapacity: true)
        bytes.append(UInt8(ascii: "/"))
        isPlain = false
        return defect
    }

    /// Notes the segments of a path that is canonical as it stands; false as soon as it is not.
    private mutating func scanPlain(_ raw: Span<UInt8>) -> Bool {
        let slash = UInt8(ascii: "/")
        var start = 1
        var index = 1
        while index < raw.count {
            // Letters, digits, `-` and `.`, which is most of any path, pass eight at a time.
            if index &+ 8 <= raw.count {
                // Unsafe: every bit pattern is a word, and the loop has just compared its last byte with the bound.
                let word = unsafe raw.bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: index, as: UInt64.self)
                let others = PathEncoding.flagUnusual(UInt64(littleEndian: word))
                if others == 0 {
                    index &+= 8
                    continue
                }
                index &+= others.trailingZeroBitCount &>> 3
            }
            // Unsafe: the loop has just compared the index with the bound; comparing it twice would cost as much as the
            // test of the byte.
            let byte = unsafe raw[unchecked: index]
            index &+= 1
            if PathEncoding.isPlainInSegment(byte) { continue }
            let end = index &- 1
            guard byte == slash, end > start, !isDotSegment(raw, start, end) else { return false }
            segments.append(Segment(lower: UInt32(truncatingIfNeeded: start), upper: UInt32(truncatingIfNeeded: end)))
            start = index
        }
        if start < raw.count {
            guard !isDotSegment(raw, start, raw.count) else { return false }
            segments.append(Segment(lower: UInt32(start), upper: UInt32(raw.count)))
        }
        return true
    }

    private func isDotSegment(_ raw: Span<UInt8>, _ lower: Int, _ upper: Int) -> Bool {
        let dot = UInt8(ascii: ".")
        guard upper - lower <= 2, raw[lower] == dot else { return false }
        return upper - lower == 1 || raw[lower + 1] == dot
    }
}

extension NormalPath {
    /// Decodes, checks and resolves; ``bytes`` and ``segments`` are empty before.
    private mutating func decode(_ raw: Span<UInt8>) -> PathDefect? {
        let slash = UInt8(ascii: "/")
        bytes.append(slash)
        var start = 1
        var index = 1
        while index < raw.count {
            let byte = raw[index]
            index += 1
            if byte == slash {
                if let defect = close(from: start, hasSlash: true) { return defect }
                start = bytes.count
                continue
            }
            guard byte == UInt8(ascii: "%") else {
                if byte == UInt8(ascii: "\\") { return .backslash }
                guard PathEncoding.isTolerated(byte) else { return .forbiddenCharacter }
                bytes.append(byte)
                continue
            }
            guard index + 1 < raw.count, let high = PathEncoding.digit(raw[index]),
                let low = PathEncoding.digit(raw[index + 1])
            else { return .malformedEscape }
            index += 2
            let decoded = high << 4 | low
            if decoded == slash || decoded == UInt8(ascii: "\\") { return .encodedSeparator }
            if decoded < 0x20 || decoded == 0x7F { return .encodedControl }
            bytes.append(decoded)
        }
        return close(from: start, hasSlash: false)
    }

    /// Ends the segment that begins at `start` in ``bytes``: keeps it, drops it, or takes the one before it back.
    private mutating func close(from start: Int, hasSlash: Bool) -> PathDefect? {
        let slash = UInt8(ascii: "/")
        let count = bytes.count - start
        if count == 0 { return nil }
        let dots = bytes[start...].prefix { $0 == UInt8(ascii: ".") }.count
        if dots == count && dots <= 2 {
            bytes.removeSubrange(start...)
            guard dots == 2 else { return nil }
            guard let parent = segments.popLast() else { return .aboveRoot }
            bytes.removeSubrange(Int(parent.lower)...)
            return nil
        }
        // A server that strips parameters would resolve this dot segment; one that does not would not.
        if (1...2).contains(dots), bytes[start + dots] == UInt8(ascii: ";") { return .dotSegmentParameter }
        if let defect = defect(inSegmentFrom: start) { return defect }
        segments.append(Segment(lower: UInt32(start), upper: UInt32(bytes.count)))
        if hasSlash { bytes.append(slash) }
        return nil
    }

    /// What only the decoded bytes show: escapes that decode to escapes, and overlong UTF-8, which hides ASCII.
    private func defect(inSegmentFrom start: Int) -> PathDefect? {
        for index in start..<bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: "%"), index + 2 < bytes.count, PathEncoding.digit(bytes[index + 1]) != nil,
                PathEncoding.digit(bytes[index + 2]) != nil
            {
                return .doubleEncoding
            }
            if byte == 0xC0 || byte == 0xC1 { return .overlongEncoding }
            guard index + 1 < bytes.count else { continue }
            let next = bytes[index + 1]
            if byte == 0xE0 && (0x80..<0xA0).contains(next) { return .overlongEncoding }
            if byte == 0xF0 && (0x80..<0x90).contains(next) { return .overlongEncoding }
        }
        return nil
    }
}
