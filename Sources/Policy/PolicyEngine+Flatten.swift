/// An entry with its resources taken apart.
struct CompiledEntry: Sendable {
    let label: String
    let subjects: [PolicyDocument.Subject]
    let resources: [CompiledResource]
    let namespaces: [[UInt8]]

    /// Where an entry applies, seen from a namespace.
    enum Limit: Sendable, Equatable {
        case inside, elsewhere, unknown
    }

    /// Whether an entry applies to `namespace`. `com.acme.*` covers `com.acme.x` and `com.acme.x.y` but not `com.acme`.
    func limit(to namespace: String?) -> Limit {
        if namespaces.isEmpty { return .inside }
        guard let namespace else { return .unknown }
        let bytes = Array(namespace.utf8)
        let isCovered = namespaces.contains { pattern in
            guard pattern.last == UInt8(ascii: "*") else { return pattern == bytes }
            return bytes.count >= pattern.count && bytes.starts(with: pattern.dropLast())
        }
        return isCovered ? .inside : .elsewhere
    }
}

/// What an entry says about one resource.
struct CompiledResource: Sendable {
    let key: String
    let path: ResourcePath
    let grant: Permissions
    let revoke: Permissions
}

extension PolicyEngine {
    /// The entries of `document`, then those it imports, all checked.
    static func flatten(
        _ document: PolicyDocument, resolving imports: (String) -> PolicyDocument?
    ) throws(PolicyError) -> [CompiledEntry] {
        let id = document.policyId
        guard document.imports.count <= maximumImports else {
            throw .tooManyImports(policy: id, count: document.imports.count)
        }
        var result: [CompiledEntry] = []
        try checkLabels(of: document)
        for entry in document.entries {
            result.append(try compiled(entry, policy: id, label: entry.label))
        }
        var seen: Set<[UInt8]> = []
        for each in document.imports {
            guard !each.policyId.utf8.elementsEqual(id.utf8) else { throw .importsItself(policy: id) }
            guard seen.insert(Array(each.policyId.utf8)).inserted else {
                throw .duplicateImport(policy: id, imported: each.policyId)
            }
            guard let imported = imports(each.policyId) else {
                throw .unresolvedImport(policy: id, imported: each.policyId)
            }
            result += try taken(each, from: imported, by: id)
        }
        guard result.count <= maximumEntries else { throw .tooManyEntries(policy: id, count: result.count) }
        let resources = result.reduce(0) { $0 + $1.resources.count }
        guard resources <= maximumResources else { throw .tooManyResources(policy: id, count: resources) }
        return result
    }

    /// The entries of an imported policy that its `importable` marks and the import's list let through.
    private static func taken(
        _ entry: PolicyDocument.Import, from imported: PolicyDocument, by policy: String
    ) throws(PolicyError) -> [CompiledEntry] {
        try checkLabels(of: imported)
        let wanted = Set(entry.entries.map { Array($0.utf8) })
        for label in entry.entries {
            guard let found = imported.entries.first(where: { $0.label.utf8.elementsEqual(label.utf8) }) else {
                throw .unknownImportedEntry(policy: policy, imported: entry.policyId, label: label)
            }
            if found.importable == .never {
                throw .neverImportable(policy: policy, imported: entry.policyId, label: label)
            }
        }
        var result: [CompiledEntry] = []
        for candidate in imported.entries {
            let isTaken =
                switch candidate.importable {
                case .implicit: true
                case .explicit: wanted.contains(Array(candidate.label.utf8))
                case .never: false
                }
            if isTaken {
                let label = "imported-\(entry.policyId)-\(candidate.label)"
                result.append(try compiled(candidate, policy: entry.policyId, label: label))
            }
        }
        return result
    }

    private static func checkLabels(of document: PolicyDocument) throws(PolicyError) {
        var seen: Set<[UInt8]> = []
        for entry in document.entries {
            let label = Array(entry.label.utf8)
            guard !label.isEmpty else { throw .emptyLabel(policy: document.policyId) }
            if label.starts(with: "imported".utf8) || label.starts(with: "nsimported-".utf8) {
                throw .reservedLabel(policy: document.policyId, label: entry.label)
            }
            guard seen.insert(label).inserted else {
                throw .duplicateLabel(policy: document.policyId, label: entry.label)
            }
        }
    }

    private static func compiled(
        _ entry: PolicyDocument.Entry, policy: String, label: String
    ) throws(PolicyError) -> CompiledEntry {
        var resources: [CompiledResource] = []
        for resource in entry.resources {
            do throws(PolicyError.ResourceProblem) {
                resources.append(
                    CompiledResource(
                        key: resource.key, path: try ResourcePath(resource.key), grant: resource.grant,
                        revoke: resource.revoke))
            } catch {
                throw .badResource(policy: policy, label: label, key: resource.key, problem: error)
            }
        }
        var namespaces: [[UInt8]] = []
        for namespace in entry.namespaces ?? [] {
            let bytes = Array(namespace.utf8)
            let name = bytes.suffix(2).elementsEqual(".*".utf8) ? bytes.dropLast(2) : bytes[...]
            guard !name.isEmpty && !name.contains(UInt8(ascii: "*")) else {
                throw .badNamespace(policy: policy, label: label, namespace: namespace)
            }
            namespaces.append(bytes)
        }
        return CompiledEntry(label: label, subjects: entry.subjects, resources: resources, namespaces: namespaces)
    }
}
