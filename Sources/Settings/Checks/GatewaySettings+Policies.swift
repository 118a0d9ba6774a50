package import Policy
import StrictJSON

extension GatewaySettings {
    /// The policy with an id, among those configured.
    package func policy(withID id: String) -> PolicyDocument? {
        policies.first { $0.document.policyId.hasSameBytes(as: id) }?.document
    }

    /// Compiles every policy, so that what the engine refuses is told with its place.
    func checkPolicies(_ reading: inout Reading) {
        for (index, policy) in policies.enumerated() {
            guard let origin = policy.origin else { continue }
            let id = policy.document.policyId
            if let other = policies[..<index].first(where: { $0.document.policyId.hasSameBytes(as: id) }) {
                reading.record(
                    .error, "policy \"\(other.name)\" has the policyId \"\(id)\" too; ids are unique",
                    below: ["policyId"], of: origin)
            }
            compile(policy.document, origin, &reading)
            for entry in policy.document.entries where entry.namespaces?.isEmpty == false {
                guard entry.resources.contains(where: { !$0.grant.isEmpty }) else { continue }
                reading.record(
                    .warning, "no request tells its namespace, so that this entry takes away and grants nothing",
                    below: ["entries", entry.label, "namespaces"], of: origin)
            }
        }
    }

    /// The engine tells one thing at a time; what it blames is taken out and the rest compiled again.
    private func compile(_ document: PolicyDocument, _ origin: PolicySettings.Origin, _ reading: inout Reading) {
        var document = document
        // Told already, where the name was read.
        document.entries.removeAll { $0.label.isEmpty }
        for _ in 0..<100 {
            do throws(PolicyError) {
                _ = try PolicyEngine(document: document, resolving: policy(withID:))
                return
            } catch {
                reading.record(
                    .error, error.description + hint(for: error), below: error.blamedMembers, of: origin)
                guard error.removeBlamed(from: &document) else { return }
            }
        }
    }

    private func hint(for error: PolicyError) -> String {
        guard case .unresolvedImport(_, let imported) = error,
            let near = nearestName(to: imported, among: policies.map(\.document.policyId))
        else { return "" }
        return "; did you mean \"\(near)\"?"
    }
}

extension PolicyError {
    /// The way from the policy's root to what is wrong.
    fileprivate var blamedMembers: [String] {
        switch self {
        case .tooManyImports: ["imports"]
        case .unresolvedImport(_, let imported), .duplicateImport(_, let imported),
            .unknownImportedEntry(_, let imported, _), .neverImportable(_, let imported, _):
            ["imports", imported]
        case .importsItself(let policy): ["imports", policy]
        case .reservedLabel(_, let label), .duplicateLabel(_, let label): ["entries", label]
        case .emptyLabel: ["entries", ""]
        case .badResource(_, let label, let key, _): ["entries", label, "resources", key]
        case .badNamespace(_, let label, _): ["entries", label, "namespaces"]
        case .tooManyEntries, .tooManyResources: ["entries"]
        }
    }

    /// Takes the offence out of the document; false when that is not possible.
    fileprivate func removeBlamed(from document: inout PolicyDocument) -> Bool {
        switch self {
        case .unresolvedImport(_, let imported), .unknownImportedEntry(_, let imported, _),
            .neverImportable(_, let imported, _), .importsItself(let imported):
            let count = document.imports.count
            document.imports.removeAll { $0.policyId.hasSameBytes(as: imported) }
            return document.imports.count < count
        case .reservedLabel(_, let label):
            let count = document.entries.count
            document.entries.removeAll { $0.label.hasSameBytes(as: label) }
            return document.entries.count < count
        case .badResource(_, let label, let key, _):
            guard let entry = document.entries.firstIndex(where: { $0.label.hasSameBytes(as: label) }) else {
                return false
            }
            let count = document.entries[entry].resources.count
            document.entries[entry].resources.removeAll { $0.key.hasSameBytes(as: key) }
            return document.entries[entry].resources.count < count
        case .badNamespace(_, let label, _):
            guard let entry = document.entries.firstIndex(where: { $0.label.hasSameBytes(as: label) }),
                document.entries[entry].namespaces != nil
            else { return false }
            document.entries[entry].namespaces = nil
            return true
        case .tooManyImports, .duplicateImport, .emptyLabel, .duplicateLabel, .tooManyEntries, .tooManyResources:
            return false
        }
    }
}

extension Reading {
    /// Records a problem about a place in a policy, whichever file that stands in.
    fileprivate mutating func record(
        _ severity: Problem.Severity, _ message: String, below members: [String], of origin: PolicySettings.Origin
    ) {
        var place = origin.json
        var path = origin.path
        for member in members {
            guard let value = place.member(member) else { break }
            place = value
            path = path.member(member)
        }
        record(severity, message, offset: place.offset, path: path, in: origin.document)
    }
}
