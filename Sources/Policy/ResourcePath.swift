/// A resource key taken apart: its type and its whole path segments, in bytes.
package struct ResourcePath: Sendable, Equatable {
    /// Deepest resource a policy may name. Bounds every walk over a compiled policy.
    package static let maximumDepth = 64

    /// What stands before the colon.
    package let type: [UInt8]
    /// Whole segments, decoded. Empty for the root `type:/`.
    package let segments: [[UInt8]]

    /// A resource by its parts, such as those a request's path yields; of any depth.
    package init(type: [UInt8], segments: [[UInt8]]) {
        self.type = type
        self.segments = segments
    }

    /// A resource as a policy names it: `type:/path`, where the segments are JSON pointer tokens (RFC 6901 §4: `~1` is
    /// `/`, `~0` is `~`).
    package init(_ key: String) throws(PolicyError.ResourceProblem) {
        let bytes = Array(key.utf8)
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")), colon > 0 else { throw .noType }
        type = Array(bytes[..<colon])
        let path = bytes[(colon + 1)...]
        guard path.first == UInt8(ascii: "/") else { throw .noPath }
        let rest = path.dropFirst()
        if rest.isEmpty {
            segments = []
            return
        }
        let parts = rest.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count <= ResourcePath.maximumDepth else { throw .tooDeep }
        guard !parts.contains(where: \.isEmpty) else { throw .emptySegment }
        segments = parts.map { ResourcePath.unescaped($0) }
    }

    private static func unescaped(_ token: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(token.count)
        var rest = token
        while let byte = rest.popFirst() {
            switch (byte, rest.first) {
            case (UInt8(ascii: "~"), UInt8(ascii: "0")):
                result.append(UInt8(ascii: "~"))
                rest.removeFirst()
            case (UInt8(ascii: "~"), UInt8(ascii: "1")):
                result.append(UInt8(ascii: "/"))
                rest.removeFirst()
            case (_, _):
                result.append(byte)
            }
        }
        return result
    }
}
