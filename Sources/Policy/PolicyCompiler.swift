/// Builds a ``PolicyTree`` from entries: Ditto's rule, worked out once for every resource that is named.
///
/// For one permission at one resource, G is the depth of the deepest grant and R that of the deepest revoke, at the
/// resource or above it. It is allowed if G exists and R does not or G > R: at the same depth the revoke wins.
/// *Unrestricted* also counts revokes below the resource, which are deeper than any G. *Partial* asks whether the
/// rule allows at the resource or at any named resource below it.
struct PolicyCompiler {
    private struct Draft {
        var parent: Int
        var depth: Int32
        var children: [[UInt8]: Int] = [:]
        var grant = PolicyTree.Deciders(repeating: -1)
        var revoke = PolicyTree.Deciders(repeating: -1)
        // Filled from the top down: the deepest so far, and how deep it stands.
        var deepestGrant = PolicyTree.Deciders(repeating: -1)
        var grantDepth = PolicyTree.Deciders(repeating: -1)
        var deepestRevoke = PolicyTree.Deciders(repeating: -1)
        var revokeDepth = PolicyTree.Deciders(repeating: -1)
        // Filled from the bottom up.
        var revokeBelow = PolicyTree.Deciders(repeating: -1)
        var allowedBelow = PolicyTree.Deciders(repeating: -1)
    }

    private var drafts: [Draft] = []
    private var roots: [(type: [UInt8], node: Int)] = []

    /// Adds what `entry` (an index that ``PolicyVerdict/entry`` will name) says about `resource`.
    mutating func add(_ resource: ResourcePath, grant: Permissions, revoke: Permissions, entry: Int32) {
        var node = root(resource.type)
        for segment in resource.segments { node = child(of: node, segment) }
        for (slot, each) in Permissions.each.enumerated() {
            if grant.contains(each.permission) { drafts[node].grant[slot].lower(to: entry) }
            if revoke.contains(each.permission) { drafts[node].revoke[slot].lower(to: entry) }
        }
    }

    /// The finished tree. O(resources x depth).
    consuming func compile() -> PolicyTree {
        inheritDown()
        gatherUp()
        var nodes: [PolicyTree.Node] = []
        var edges: [PolicyTree.Edge] = []
        var text: [UInt8] = []
        for draft in drafts {
            var node = answers(draft)
            node.firstEdge = Int32(edges.count)
            node.edgeCount = Int32(draft.children.count)
            for (segment, child) in draft.children.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
                let lower = Int32(text.count)
                text += segment
                edges.append(PolicyTree.Edge(lower: lower, upper: Int32(text.count), node: Int32(child)))
            }
            nodes.append(node)
        }
        var finished: [PolicyTree.Root] = []
        for (type, node) in roots {
            let lower = Int32(text.count)
            text += type
            finished.append(PolicyTree.Root(lower: lower, upper: Int32(text.count), node: Int32(node)))
        }
        return PolicyTree(
            roots: finished, nodes: nodes, edges: edges, text: text, namesTilde: text.contains(UInt8(ascii: "~")))
    }

    private mutating func root(_ type: [UInt8]) -> Int {
        if let found = roots.first(where: { $0.type == type }) { return found.node }
        drafts.append(Draft(parent: -1, depth: 0))
        roots.append((type, drafts.count - 1))
        return drafts.count - 1
    }

    private mutating func child(of node: Int, _ segment: [UInt8]) -> Int {
        if let found = drafts[node].children[segment] { return found }
        drafts.append(Draft(parent: node, depth: drafts[node].depth + 1))
        drafts[node].children[segment] = drafts.count - 1
        return drafts.count - 1
    }

    /// Parents stand before their children, so one pass forward carries everything down.
    private mutating func inheritDown() {
        for index in drafts.indices {
            var draft = drafts[index]
            if draft.parent >= 0 {
                let parent = drafts[draft.parent]
                draft.deepestGrant = parent.deepestGrant
                draft.grantDepth = parent.grantDepth
                draft.deepestRevoke = parent.deepestRevoke
                draft.revokeDepth = parent.revokeDepth
            }
            for slot in 0..<3 {
                if draft.grant[slot] >= 0 {
                    draft.deepestGrant[slot] = draft.grant[slot]
                    draft.grantDepth[slot] = draft.depth
                }
                if draft.revoke[slot] >= 0 {
                    draft.deepestRevoke[slot] = draft.revoke[slot]
                    draft.revokeDepth[slot] = draft.depth
                }
            }
            drafts[index] = draft
        }
    }

    /// And one pass backward carries everything up.
    private mutating func gatherUp() {
        for index in drafts.indices.reversed() {
            let draft = drafts[index]
            guard draft.parent >= 0 else { continue }
            for slot in 0..<3 {
                drafts[draft.parent].revokeBelow[slot].lower(to: draft.revoke[slot])
                drafts[draft.parent].revokeBelow[slot].lower(to: draft.revokeBelow[slot])
                drafts[draft.parent].allowedBelow[slot].lower(to: draft.allowedBelow[slot])
                if draft.grantDepth[slot] > draft.revokeDepth[slot] {
                    drafts[draft.parent].allowedBelow[slot].lower(to: draft.deepestGrant[slot])
                }
            }
        }
    }

    private func answers(_ draft: Draft) -> PolicyTree.Node {
        var node = PolicyTree.Node()
        for (slot, each) in Permissions.each.enumerated() {
            // Depths are -1 where there is none, so this is also the rule for "no grant" and "no revoke".
            let isAllowed = draft.grantDepth[slot] > draft.revokeDepth[slot]
            node.inherited.deciders[slot] = isAllowed ? draft.deepestGrant[slot] : draft.deepestRevoke[slot]
            node.unrestricted.deciders[slot] = node.inherited.deciders[slot]
            node.partial.deciders[slot] = node.inherited.deciders[slot]
            if isAllowed {
                node.inherited.allowed.insert(each.permission)
                node.partial.allowed.insert(each.permission)
                if draft.revokeBelow[slot] < 0 {
                    node.unrestricted.allowed.insert(each.permission)
                } else {
                    node.unrestricted.deciders[slot] = draft.revokeBelow[slot]
                }
            } else if draft.allowedBelow[slot] >= 0 {
                node.partial.allowed.insert(each.permission)
                node.partial.deciders[slot] = draft.allowedBelow[slot]
            }
        }
        return node
    }
}

extension Int32 {
    /// Keeps the smaller of two entry indices, where -1 means none.
    fileprivate mutating func lower(to entry: Int32) {
        if entry >= 0 && (self < 0 || entry < self) { self = entry }
    }
}
