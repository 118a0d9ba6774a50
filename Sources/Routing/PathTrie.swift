import Wire

/// Patterns as a tree of segments in flat arrays; edges are sorted by the bytes of their segment.
struct PathTrie: Sendable {
    struct Node: Sendable {
        var firstEdge: Int32 = 0
        var edgeCount: Int32 = 0
        /// The child that takes any one segment, or -1.
        var capture: Int32 = -1
        /// What a path that ends here reaches, or -1.
        var exact: Int32 = -1
        /// What a path that ends here or goes on reaches (`**`), or -1.
        var rest: Int32 = -1
    }

    struct Edge: Sendable {
        var lower: Int32
        var upper: Int32
        var node: Int32
    }

    /// A route at a terminal. Holds no reference, so that matching touches no count that other loops touch too.
    struct Choice: Sendable {
        var rule: Int32
        /// Known methods the route takes: ``MethodSet/known``.
        var known: UInt16
        /// Whether the route takes methods that are no ``Method``; then they stand in ``PathTrie/methods``.
        var hasOthers: Bool
    }

    /// The routes that share one host and one pattern: a run of ``PathTrie/choices``, in declared order.
    struct Terminal: Sendable {
        var firstChoice: Int32
        var choiceCount: Int32
    }

    struct Found {
        var terminal: Int32
        var restStart: Int
    }

    let nodes: [Node]
    let edges: [Edge]
    let text: [UInt8]
    let terminals: [Terminal]
    let choices: [Choice]
    /// The methods of each choice.
    let methods: [MethodSet]
    /// The value of the Allow field of each terminal.
    let allows: [[UInt8]]

    /// The rule at `terminal` that takes the method, or nil.
    func rule(at terminal: Int32, _ method: Method, _ methodBytes: Span<UInt8>) -> Int? {
        let first = Int(terminals[Int(terminal)].firstChoice)
        for index in first..<first + Int(terminals[Int(terminal)].choiceCount) {
            let choice = choices[index]
            if choice.known >> UInt16(method.rawValue) & 1 == 1 { return Int(choice.rule) }
            if method == .other, choice.hasOthers, methods[index].containsOther(methodBytes) {
                return Int(choice.rule)
            }
        }
        return nil
    }

    /// The most specific pattern for `path` below `root`. Visits each node at most once.
    func find(_ root: Int32, _ path: borrowing NormalPath) -> Found? {
        find(root, path, depth: 0)
    }

    /// Recursion is as deep as the deepest pattern, which ``RoutePattern/maximumDepth`` bounds.
    private func find(_ index: Int32, _ path: borrowing NormalPath, depth: Int) -> Found? {
        let node = nodes[Int(index)]
        if depth == path.segments.count {
            if node.exact >= 0 { return Found(terminal: node.exact, restStart: depth) }
        } else {
            let child = child(of: node, path, depth)
            if child >= 0, let found = find(child, path, depth: depth + 1) { return found }
            if node.capture >= 0, let found = find(node.capture, path, depth: depth + 1) { return found }
        }
        return node.rest >= 0 ? Found(terminal: node.rest, restStart: depth) : nil
    }

    private func child(of node: Node, _ path: borrowing NormalPath, _ depth: Int) -> Int32 {
        var low = Int(node.firstEdge)
        var high = low + Int(node.edgeCount)
        guard low < high else { return -1 }
        let segment = path.bytes.span.extracting(path.segments[depth].range)
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
func compare(_ first: Span<UInt8>, _ second: Span<UInt8>) -> Int {
    let common = min(first.count, second.count)
    for index in 0..<common where first[index] != second[index] {
        return Int(first[index]) - Int(second[index])
    }
    return first.count - second.count
}

/// Collects patterns and flattens them into a ``PathTrie``.
struct PathTrieBuilder {
    private struct Draft {
        var children: [[UInt8]: Int32] = [:]
        var node = PathTrie.Node()
    }

    private struct Named {
        var name: String
        var rule: Int
        var methods: MethodSet
    }

    private var drafts: [Draft] = []
    private var terminals: [[Named]] = []

    /// A new, empty tree of its own.
    mutating func root() -> Int32 {
        drafts.append(Draft())
        return Int32(drafts.count - 1)
    }

    mutating func add(
        _ pattern: RoutePattern, root: Int32, rule: Int, name: String, methods: MethodSet
    ) throws(RoutingError) {
        var node = Int(root)
        for segment in pattern.segments {
            switch segment {
            case .literal(let bytes):
                if let child = drafts[node].children[bytes] {
                    node = Int(child)
                } else {
                    let child = self.root()
                    drafts[node].children[bytes] = child
                    node = Int(child)
                }
            case .capture:
                if drafts[node].node.capture < 0 {
                    let child = self.root()
                    drafts[node].node.capture = child
                }
                node = Int(drafts[node].node.capture)
            }
        }
        let terminal = terminal(at: node, isRest: pattern.hasRest)
        for earlier in terminals[terminal] where earlier.methods.covers(methods) {
            // A rule that names one host twice is its own duplicate, and harmless.
            if earlier.rule == rule { return }
            throw .unreachable(route: name, behind: earlier.name)
        }
        terminals[terminal].append(Named(name: name, rule: rule, methods: methods))
    }

    private mutating func terminal(at node: Int, isRest: Bool) -> Int {
        let known = isRest ? drafts[node].node.rest : drafts[node].node.exact
        if known >= 0 { return Int(known) }
        terminals.append([])
        let made = Int32(terminals.count - 1)
        if isRest { drafts[node].node.rest = made } else { drafts[node].node.exact = made }
        return Int(made)
    }

    consuming func build() -> PathTrie {
        var nodes: [PathTrie.Node] = []
        var edges: [PathTrie.Edge] = []
        var text: [UInt8] = []
        for draft in drafts {
            var node = draft.node
            node.firstEdge = Int32(edges.count)
            node.edgeCount = Int32(draft.children.count)
            for (segment, child) in draft.children.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                let lower = Int32(text.count)
                text += segment
                edges.append(PathTrie.Edge(lower: lower, upper: Int32(text.count), node: child))
            }
            nodes.append(node)
        }
        var finished: [PathTrie.Terminal] = []
        var choices: [PathTrie.Choice] = []
        for named in terminals {
            finished.append(PathTrie.Terminal(firstChoice: Int32(choices.count), choiceCount: Int32(named.count)))
            choices += named.map { each in
                PathTrie.Choice(
                    rule: Int32(each.rule), known: each.methods.known, hasOthers: !each.methods.others.isEmpty)
            }
        }
        return PathTrie(
            nodes: nodes, edges: edges, text: text, terminals: finished, choices: choices,
            methods: terminals.flatMap { $0.map(\.methods) }, allows: terminals.map(PathTrieBuilder.allow))
    }

    private static func allow(_ named: [Named]) -> [UInt8] {
        var names: [[UInt8]] = []
        for each in named {
            for name in each.methods.names ?? [] where !names.contains(name) { names.append(name) }
        }
        return Array(names.joined(separator: Array(", ".utf8)))
    }
}
