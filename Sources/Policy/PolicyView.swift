/// A policy as one set of callers sees it: compiled, immutable, shared by all callers who match the same entries.
package final class PolicyView: Sendable {
    /// First Unix second at which this view may be wrong, because a subject it counts has expired: ask the engine for
    /// a new one from then on. `Int64.max` when no matched subject expires.
    package let validUntil: Int64
    let tree: PolicyTree

    init(tree: PolicyTree, validUntil: Int64) {
        self.tree = tree
        self.validUntil = validUntil
    }

    /// A cursor on the root resource `type:/`. No allocation; O(types of the policy).
    package func start(type: Span<UInt8>) -> PolicyCursor {
        PolicyCursor(view: self, node: tree.root(of: type))
    }

    /// A cursor on the root resource `type:/`.
    package func start(type: [UInt8]) -> PolicyCursor {
        start(type: type.span)
    }
}

/// A place in a policy: descends segment by segment and answers there. O(log children) a step.
package struct PolicyCursor: ~Copyable, Sendable {
    private let view: PolicyView
    private var node: Int32
    /// Whether the resource lies below `node` where the policy names nothing: then what holds at `node` holds here.
    private var isBelow: Bool

    init(view: consuming PolicyView, node: Int32) {
        self.view = view
        self.node = node
        isBelow = false
    }

    /// A cursor on the root resource `type:/`; takes the view over, so that no reference is counted.
    package init(_ view: consuming PolicyView, type: [UInt8]) {
        let node = view.tree.root(of: type.span)
        self.init(view: view, node: node)
    }

    /// Goes to the child resource `segment`: whole, as it stands in the decoded path of a request, case-sensitive. Allocates only
    /// where it holds `~0` and the policy names a `~`.
    package mutating func descend(_ segment: Span<UInt8>) {
        guard node >= 0 && !isBelow else { return }
        let child =
            if view.tree.namesTilde, let unescaped = ResourcePath.unescaped(segment) {
                view.tree.child(of: node, segment: unescaped.span)
            } else {
                view.tree.child(of: node, segment: segment)
            }
        if child >= 0 { node = child } else { isBelow = true }
    }

    /// Whether all of `permissions` are given at the resource. Each is checked alone; asking for none is allowed.
    package func verdict(_ permissions: Permissions, _ check: Check) -> PolicyVerdict {
        guard node >= 0 else { return PolicyVerdict(isAllowed: permissions.isEmpty, entry: -1) }
        let answer = answer(check)
        let refused = permissions.subtracting(answer.allowed)
        let telling = refused.isEmpty ? permissions : refused
        guard !telling.isEmpty else { return PolicyVerdict(isAllowed: true, entry: -1) }
        let slot = min(telling.rawValue.trailingZeroBitCount, 2)
        return PolicyVerdict(isAllowed: refused.isEmpty, entry: answer.deciders[slot])
    }

    private func answer(_ check: Check) -> PolicyTree.Answer {
        if isBelow { return view.tree.nodes[Int(node)].inherited }
        return switch check {
        case .unrestricted: view.tree.nodes[Int(node)].unrestricted
        case .partial: view.tree.nodes[Int(node)].partial
        }
    }
}
