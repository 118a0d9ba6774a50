/// A resource key taken apart: its type and its whole path segments, in bytes.
struct ResourcePath: Sendable, Equatable {
    /// Deepest resource a policy may name. Bounds every walk over a compiled policy.
    static let maximumDepth = 64

    let type: [UInt8]
    /// JSON pointer tokens, unescaped (RFC 6901 §4: `~1` is `/`, `~0` is `~`). Empty for the root `type:/`.
    let segments: [[UInt8]]

    init(_ key: String) throws(Problem) {
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

    typealias Problem = PolicyError.ResourceProblem

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
