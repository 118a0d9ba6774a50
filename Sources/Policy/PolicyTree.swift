/// The entries of one set of callers, compiled: one node for every resource they name, every verdict worked out.
///
/// Nodes stand in one array, parents before children; a node's edges are sorted by the bytes of their segment.
struct PolicyTree: Sendable {
    /// One entry index for each of READ, WRITE and EXECUTE; -1 where no entry speaks.
    typealias Deciders = InlineArray<3, Int32>

    /// The answer of one check at one node.
    struct Answer: Sendable {
        var allowed: Permissions = []
        var deciders = Deciders(repeating: -1)
    }

    struct Node: Sendable {
        /// The ancestor-or-self rule here; also the answer to both checks at resources below that have no node.
        var inherited = Answer()
        var unrestricted = Answer()
        var partial = Answer()
        var firstEdge: Int32 = 0
        var edgeCount: Int32 = 0
    }

    struct Edge: Sendable {
        var lower: Int32
        var upper: Int32
        var node: Int32
    }

    struct Root: Sendable {
        var lower: Int32
        var upper: Int32
        var node: Int32
    }

    let roots: [Root]
    let nodes: [Node]
    let edges: [Edge]
    /// The segments of all edges and the types of all roots, end to end: numbers instead of arrays in nodes, edges and
    /// roots keep event loops from sharing reference counts.
    let text: [UInt8]
    /// Whether a segment holds `~`: else nobody has to look for `~0` in those of requests.
    let namesTilde: Bool

    /// The node of `type:/`, or -1. O(types).
    func root(of type: Span<UInt8>) -> Int32 {
        for root in roots where compare(text.span.extracting(Int(root.lower)..<Int(root.upper)), type) == 0 {
            return root.node
        }
        return -1
    }

    /// The child of `node` for `segment`, or -1. O(log children).
    func child(of node: Int32, segment: Span<UInt8>) -> Int32 {
        let parent = nodes[Int(node)]
        var low = Int(parent.firstEdge)
        var high = low + Int(parent.edgeCount)
        while low < high {
            let middle = (low + high) / 2
            let edge = edges[middle]
            let order = compare(text.span.extracting(Int(edge.lower)..<Int(edge.upper)), segment)
            if order == 0 { return edge.node }
            if order < 0 { low = middle + 1 } else { high = middle }
        }
        return -1
    }
}

/// Negative, zero or positive as `first` sorts before, with or after `second`, byte by byte.
private func compare(_ first: Span<UInt8>, _ second: Span<UInt8>) -> Int {
    let common = min(first.count, second.count)
    for index in 0..<common where first[index] != second[index] {
        return Int(first[index]) - Int(second[index])
    }
    return first.count - second.count
}
