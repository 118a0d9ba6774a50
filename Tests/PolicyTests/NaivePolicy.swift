import Policy

/// Ditto's rule, word for word and without any cleverness: what ``PolicyEngine`` must agree with.
struct NaivePolicy {
    let document: PolicyDocument

    struct Named {
        let type: String
        let path: [String]
        let grant: Permissions
        let revoke: Permissions
    }

    /// Everything said by the entries in which one of `subjects` appears, unexpired.
    func said(to subjects: [String], now: Int64) -> [Named] {
        document.entries.filter { entry in
            entry.subjects.contains { subject in
                subjects.contains(subject.id) && subject.expiry.map { now < $0 } ?? true
            }
        }.flatMap { entry in
            entry.resources.map { resource in
                let parts = resource.key.split(separator: ":", maxSplits: 1).map(String.init)
                let path = parts[1].split(separator: "/").map(String.init)
                return Named(type: parts[0], path: path, grant: resource.grant, revoke: resource.revoke)
            }
        }
    }

    func isAllowed(
        _ subjects: [String], _ type: String, _ path: [String], _ permissions: Permissions, _ check: Check, now: Int64
    ) -> Bool {
        let said = said(to: subjects, now: now).filter { $0.type == type }
        let each: [Permissions] = [.read, .write, .execute]
        return each.filter { permissions.contains($0) }.allSatisfy { permission in
            switch check {
            case .unrestricted:
                let below = said.contains {
                    $0.revoke.contains(permission) && $0.path.count > path.count && $0.path.starts(with: path)
                }
                return !below && holds(said, path, permission)
            case .partial:
                let places = [path] + said.map(\.path).filter { $0.starts(with: path) }
                return places.contains { holds(said, $0, permission) }
            }
        }
    }

    private func holds(_ said: [Named], _ path: [String], _ permission: Permissions) -> Bool {
        let above = said.filter { path.starts(with: $0.path) }
        let grant = above.filter { $0.grant.contains(permission) }.map(\.path.count).max()
        let revoke = above.filter { $0.revoke.contains(permission) }.map(\.path.count).max()
        guard let grant else { return false }
        return revoke.map { grant > $0 } ?? true
    }
}

extension PolicyEngine {
    /// A verdict by text, through a view and its cursor.
    func verdict(
        _ subjects: [String], _ resource: String, _ permissions: Permissions, _ check: Check, now: Int64 = 0,
        namespace: String? = nil
    ) -> PolicyVerdict {
        let parts = resource.split(separator: ":", maxSplits: 1).map(String.init)
        var cursor = view(for: subjects, namespace: namespace, now: now).start(type: Array(parts[0].utf8))
        for segment in parts[1].split(separator: "/") {
            let bytes = Array(segment.utf8)
            cursor.descend(bytes.span)
        }
        return cursor.verdict(permissions, check)
    }

    func isAllowed(
        _ subjects: [String], _ resource: String, _ permissions: Permissions, _ check: Check, now: Int64 = 0,
        namespace: String? = nil
    ) -> Bool {
        verdict(subjects, resource, permissions, check, now: now, namespace: namespace).isAllowed
    }
}

/// An entry in one line.
func entry(
    _ label: String, _ subjects: [String], _ resources: [(String, Permissions, Permissions)],
    namespaces: [String]? = nil, importable: PolicyDocument.Importable = .implicit
) -> PolicyDocument.Entry {
    PolicyDocument.Entry(
        label: label, subjects: subjects.map { PolicyDocument.Subject(id: $0) },
        resources: resources.map { PolicyDocument.Resource(key: $0.0, grant: $0.1, revoke: $0.2) },
        namespaces: namespaces, importable: importable)
}
