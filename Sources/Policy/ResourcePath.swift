/// A resource key taken apart: its type and its whole path segments, in bytes.
package struct ResourcePath: Sendable, Equatable {
    /// Deepest resource a policy may name. Bounds every walk over a compiled policy.
    package static let maximumDepth = 64

    /// What stands before the colon.
    package let type: [UInt8]
    /// Whole segments, `~0` read as `~`. Empty for the root `type:/`.
    package let segments: [[UInt8]]

    /// A resource by its parts, as they stand in a request's path; of any depth.
    package init(type: [UInt8], segments: [[UInt8]]) {
        self.type = type
        self.segments = segments.map { ResourcePath.unescaped($0.span) ?? $0 }
    }

    /// A resource as a policy names it: `type:/path`.
    package init(_ key: String) throws(PolicyError.ResourceProblem) {
        let bytes = Array(key.utf8)
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > 0 else { throw .noType }
        let path = bytes[(colon + 1)...]
        guard path.first == UInt8(ascii: "/") else { throw .noPath }
        let rest = path.dropFirst()
        if rest.isEmpty {
            self.init(type: Array(bytes[..<colon]), segments: [])
            return
        }
        let parts = rest.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count <= ResourcePath.maximumDepth else { throw .tooDeep }
        guard !parts.contains(where: \.isEmpty) else { throw .emptySegment }
        self.init(type: Array(bytes[..<colon]), segments: parts.map { Array($0) })
    }

    /// A segment with `~0` read as `~`, which is what Ditto's pointers do, of policies and of requests alike: half of RFC 6901 §4,
    /// `~1` stays as it is. Nil where that changes nothing. Linear; allocates only where it is not nil.
    static func unescaped(_ segment: Span<UInt8>) -> [UInt8]? {
        var index = 0
        while index + 1 < segment.count, !isEscape(segment, at: index) { index += 1 }
        guard index + 1 < segment.count else { return nil }
        var result: [UInt8] = []
        result.reserveCapacity(segment.count)
        index = 0
        while index < segment.count {
            result.append(segment[index])
            index += isEscape(segment, at: index) ? 2 : 1
        }
        return result
    }

    private static func isEscape(_ segment: Span<UInt8>, at index: Int) -> Bool {
        segment[index] == UInt8(ascii: "~") && index + 1 < segment.count && segment[index + 1] == UInt8(ascii: "0")
    }
}
