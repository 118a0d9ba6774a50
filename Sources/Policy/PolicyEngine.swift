import Identity
import NIOConcurrencyHelpers

/// A policy with its imports, checked and ready to make views.
///
/// A view is made once for a set of entries and shared. Making one takes a lock, but that happens when a caller is
/// admitted for the first time, not per request.
package final class PolicyEngine: Sendable {
    /// Most policies one policy may import (Ditto's bound).
    package static let maximumImports = 10
    /// Most entries a policy may have together with its imports.
    package static let maximumEntries = 10_000
    /// Most resources all entries together may name.
    package static let maximumResources = 100_000
    /// Most views kept for sharing; past it the cache starts afresh and callers keep the views they hold.
    static let maximumViews = 4096

    let entries: [CompiledEntry]
    private let membership: [ExactName: [Membership]]
    private let views = NIOLockedValueBox(ViewCache())

    /// Compiles `document`; `imports` finds an imported policy by its id.
    ///
    /// Imports do not nest: the imports of an imported policy are not followed. A policy that cannot be found is an
    /// error, because entries that revoke would silently be missing.
    package init(
        document: PolicyDocument, resolving imports: (String) -> PolicyDocument? = { _ in nil }
    ) throws(PolicyError) {
        entries = try PolicyEngine.flatten(document, resolving: imports)
        var membership: [ExactName: [Membership]] = [:]
        for (index, entry) in entries.enumerated() {
            for subject in entry.subjects {
                membership[ExactName(subject.id), default: []].append(
                    Membership(entry: Int32(index), expiry: subject.expiry ?? .max))
            }
        }
        self.membership = membership
    }

    /// The policy as a caller with `subjects` sees it at `now` (Unix seconds). O(matching entries).
    ///
    /// An entry counts if it names one of the subjects, byte for byte, and that subject has not expired: it expires
    /// in the very second of its `expiry`. `namespace` is that of the resource asked about, for entries limited to
    /// namespaces. Where it is nil (not known) such an entry gives nothing but still takes away, so that not knowing
    /// never opens anything; where it is known the entry counts fully or not at all.
    package func view(for subjects: [String], namespace: String? = nil, now: Int64) -> PolicyView {
        let matches = matches(for: subjects, namespace: namespace, now: now)
        let validUntil = matches.reduce(Int64.max) { min($0, $1.expiry) }
        let key = matches.map { $0.entry * 2 + ($0.isGranting ? 1 : 0) }
        return views.withLockedValue { cache in
            cache.view(key: key, validUntil: validUntil) { tree(of: matches) }
        }
    }

    /// The label of an entry that a verdict named; nil for -1 and for indices of no entry.
    package func label(of entry: Int32) -> String? {
        entries.indices.contains(Int(entry)) ? entries[Int(entry)].label : nil
    }

    /// The labels of all entries, imported ones included, by index.
    package var labels: [String] { entries.map(\.label) }

    /// The entries that count for the caller, in order of the policy, each with the second at which it stops counting.
    func matches(for subjects: [String], namespace: String?, now: Int64) -> [Match] {
        var found: [Match] = []
        for subject in subjects {
            for member in membership[ExactName(subject)] ?? [] where member.expiry > now {
                let limit = entries[Int(member.entry)].limit(to: namespace)
                if limit == .elsewhere { continue }
                found.append(
                    Match(entry: member.entry, expiry: member.expiry, isGranting: limit == .inside, subject: subject))
            }
        }
        // Nearly everybody matches one entry or none.
        return found.count < 2 ? found : PolicyEngine.united(found)
    }

    /// One match an entry, in order: one that was matched through several subjects lasts as long as the last of them.
    private static func united(_ found: [Match]) -> [Match] {
        var united: [Int32: Match] = [:]
        for match in found {
            united[match.entry] = Match(
                entry: match.entry, expiry: max(united[match.entry]?.expiry ?? .min, match.expiry),
                isGranting: match.isGranting, subject: match.subject)
        }
        return united.values.sorted { $0.entry < $1.entry }
    }

    private func tree(of matches: [Match]) -> PolicyTree {
        var compiler = PolicyCompiler()
        for match in matches {
            for resource in entries[Int(match.entry)].resources {
                compiler.add(
                    resource.path, grant: match.isGranting ? resource.grant : [], revoke: resource.revoke,
                    entry: match.entry)
            }
        }
        return compiler.compile()
    }

    struct Membership: Sendable {
        let entry: Int32
        let expiry: Int64
    }

    struct Match: Sendable {
        let entry: Int32
        let expiry: Int64
        /// False when the entry is limited to namespaces and the namespace is not known.
        let isGranting: Bool
        let subject: String
    }
}

/// Views and their trees by the set of entries they were made from.
private struct ViewCache: Sendable {
    private struct ViewKey: Hashable {
        let entries: [Int32]
        let validUntil: Int64
    }

    private var views: [ViewKey: PolicyView] = [:]
    private var trees: [[Int32]: PolicyTree] = [:]

    mutating func view(key: [Int32], validUntil: Int64, compile: () -> PolicyTree) -> PolicyView {
        let viewKey = ViewKey(entries: key, validUntil: validUntil)
        if let found = views[viewKey] { return found }
        if views.count >= PolicyEngine.maximumViews {
            views.removeAll()
            trees.removeAll()
        }
        let tree = trees[key] ?? compile()
        trees[key] = tree
        let view = PolicyView(tree: tree, validUntil: validUntil)
        views[viewKey] = view
        return view
    }
}
