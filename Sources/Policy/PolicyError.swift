/// Why a policy cannot be compiled: what is wrong, where, and the way out.
package enum PolicyError: Error, Sendable, Equatable, CustomStringConvertible {
    case tooManyImports(policy: String, count: Int)
    case unresolvedImport(policy: String, imported: String)
    case importsItself(policy: String)
    case duplicateImport(policy: String, imported: String)
    case unknownImportedEntry(policy: String, imported: String, label: String)
    case neverImportable(policy: String, imported: String, label: String)
    case reservedLabel(policy: String, label: String)
    case emptyLabel(policy: String)
    case duplicateLabel(policy: String, label: String)
    case badResource(policy: String, label: String, key: String, problem: ResourceProblem)
    case badNamespace(policy: String, label: String, namespace: String)
    case tooManyEntries(policy: String, count: Int)
    case tooManyResources(policy: String, count: Int)

    /// What a resource key may lack.
    package enum ResourceProblem: Error, Sendable, Equatable {
        case noType, noPath, emptySegment, tooDeep
    }

    package var description: String {
        switch self {
        case .tooManyImports(let policy, let count):
            "policy \(policy) imports \(count) policies; at most \(PolicyEngine.maximumImports) are allowed"
        case .unresolvedImport(let policy, let imported):
            "policy \(policy) imports \(imported), which is not known; add that policy or remove the import"
        case .importsItself(let policy):
            "policy \(policy) imports itself; remove the import"
        case .duplicateImport(let policy, let imported):
            "policy \(policy) imports \(imported) twice; keep one import with the labels of both"
        case .unknownImportedEntry(let policy, let imported, let label):
            "policy \(policy) imports entry \(label) of \(imported), which has no such entry"
        case .neverImportable(let policy, let imported, let label):
            "policy \(policy) imports entry \(label) of \(imported), which is marked importable: never"
        case .reservedLabel(let policy, let label):
            "entry \(label) of policy \(policy): labels must not start with `imported` or `nsimported-`; rename it"
        case .emptyLabel(let policy):
            "policy \(policy) has an entry with an empty label; give it one"
        case .duplicateLabel(let policy, let label):
            "policy \(policy) has two entries labelled \(label); rename one"
        case .badResource(let policy, let label, let key, let problem):
            "resource \(key) in entry \(label) of policy \(policy) \(problem.words); write it as type:/path"
        case .badNamespace(let policy, let label, let namespace):
            "namespace \(namespace) in entry \(label) of policy \(policy) is neither a name nor a name followed by .*"
        case .tooManyEntries(let policy, let count):
            "policy \(policy) has \(count) entries with its imports; at most \(PolicyEngine.maximumEntries) are allowed"
        case .tooManyResources(let policy, let count):
            "policy \(policy) names \(count) resources; at most \(PolicyEngine.maximumResources) are allowed"
        }
    }
}

extension PolicyError.ResourceProblem {
    fileprivate var words: String {
        switch self {
        case .noType: "has no type before the colon"
        case .noPath: "has no path that starts with / after the colon"
        case .emptySegment: "has an empty path segment"
        case .tooDeep: "has more than \(ResourcePath.maximumDepth) path segments"
        }
    }
}
