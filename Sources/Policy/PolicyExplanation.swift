/// Why a policy allows or refuses, in words: rendered on demand, never on the way of a request.
package struct PolicyExplanation: Sendable, Equatable {
    /// Whether every permission asked for is given.
    package let isAllowed: Bool
    /// The entry that a verdict on the same question names, or -1.
    package let deciding: Int32
    /// Who the caller is to the policy: which entries count and through which subject, and which do not and why.
    package let matching: [String]
    /// One sentence for each permission asked for.
    package let reasons: [Reason]

    /// What decided one permission.
    package struct Reason: Sendable, Equatable {
        /// `READ`, `WRITE` or `EXECUTE`.
        package let permission: String
        package let isAllowed: Bool
        /// Label of the entry that decided, nil when no entry speaks.
        package let entry: String?
        /// Key of the resource where that entry speaks.
        package let resource: String?
        /// The sentence, without control characters.
        package let words: String
    }

    /// Everything as lines of text.
    package var lines: [String] {
        matching + reasons.map { "\($0.permission) \($0.isAllowed ? "allowed" : "refused"): \($0.words)" }
    }
}

extension PolicyEngine {
    /// Explains the verdict that a view for the same caller gives on `resource`.
    ///
    /// Works from the entries themselves and not from the compiled tree, so that the two check each other.
    /// O(entries + matching resources).
    package func explain(
        _ subjects: [String], resource: ResourcePath, _ permissions: Permissions, _ check: Check,
        namespace: String? = nil, now: Int64
    ) -> PolicyExplanation {
        let matches = matches(for: subjects, namespace: namespace, now: now)
        let statements = matches.flatMap { match in
            entries[Int(match.entry)].resources.filter { $0.path.type == resource.type }.map { said in
                Statement(
                    entry: match.entry, key: said.key, segments: said.path.segments,
                    grant: match.isGranting ? said.grant : [], revoke: said.revoke)
            }
        }
        let findings = Permissions.each.filter { permissions.contains($0.permission) }.map { each in
            finding(statements, at: resource.segments, each.permission, name: each.name, check)
        }
        let telling = findings.first { !$0.reason.isAllowed } ?? findings.first
        return PolicyExplanation(
            isAllowed: findings.allSatisfy(\.reason.isAllowed), deciding: telling?.entry ?? -1,
            matching: matching(matches, subjects: subjects, namespace: namespace, now: now),
            reasons: findings.map(\.reason))
    }

    private struct Statement {
        let entry: Int32
        let key: String
        let segments: [[UInt8]]
        let grant: Permissions
        let revoke: Permissions
    }

    private struct Finding {
        let entry: Int32
        let reason: PolicyExplanation.Reason
    }

    private struct Rule {
        let grant: Statement?
        let revoke: Statement?

        var isAllowed: Bool {
            guard let grant else { return false }
            return revoke.map { grant.segments.count > $0.segments.count } ?? true
        }
    }

    private func finding(
        _ statements: [Statement], at path: [[UInt8]], _ permission: Permissions, name: String, _ check: Check
    ) -> Finding {
        let rule = rule(statements, at: path, permission)
        let below = statements.filter { $0.segments.count > path.count && $0.segments.starts(with: path) }
        switch check {
        case .unrestricted:
            let revokes = below.filter { $0.revoke.contains(permission) }
            if rule.isAllowed, let revoke = revokes.min(by: { $0.entry < $1.entry }) {
                return found(
                    revoke, name, isAllowed: false,
                    "entry \(label(revoke)) revokes it at \(revoke.key), below the resource; the check is unrestricted, "
                        + "so it must hold in the whole subtree")
            }
        case .partial:
            let grants = below.compactMap { place -> Statement? in
                let rule = self.rule(statements, at: place.segments, permission)
                return rule.isAllowed ? rule.grant : nil
            }
            if !rule.isAllowed, let grant = grants.min(by: { $0.entry < $1.entry }) {
                return found(
                    grant, name, isAllowed: true,
                    "entry \(label(grant)) grants it at \(grant.key), below the resource; the check is partial, so some "
                        + "part is enough")
            }
        }
        return found(rule, name)
    }

    /// The ancestor-or-self rule, in words.
    private func found(_ rule: Rule, _ name: String) -> Finding {
        switch (rule.grant, rule.revoke) {
        case (nil, nil):
            let words = "no entry that counts for the caller grants it at the resource or above"
            return Finding(
                entry: -1,
                reason: PolicyExplanation.Reason(
                    permission: name, isAllowed: false, entry: nil, resource: nil, words: words))
        case (nil, .some(let revoke)):
            return found(
                revoke, name, isAllowed: false,
                "entry \(label(revoke)) revokes it at \(revoke.key) and no entry grants it")
        case (.some(let grant), nil):
            return found(
                grant, name, isAllowed: true, "entry \(label(grant)) grants it at \(grant.key) and no entry revokes it")
        case (.some(let grant), .some(let revoke)) where rule.isAllowed:
            return found(
                grant, name, isAllowed: true,
                "entry \(label(grant)) grants it at \(grant.key), which is deeper than \(revoke.key), where entry "
                    + "\(label(revoke)) revokes it")
        case (.some(let grant), .some(let revoke)):
            let depth = grant.segments.count == revoke.segments.count ? "as deep as" : "deeper than"
            return found(
                revoke, name, isAllowed: false,
                "entry \(label(revoke)) revokes it at \(revoke.key), \(depth) \(grant.key), where entry \(label(grant)) "
                    + "grants it")
        }
    }

    private func found(_ statement: Statement, _ name: String, isAllowed: Bool, _ words: String) -> Finding {
        Finding(
            entry: statement.entry,
            reason: PolicyExplanation.Reason(
                permission: name, isAllowed: isAllowed, entry: entries[Int(statement.entry)].label,
                resource: statement.key, words: printable(words)))
    }

    private func label(_ statement: Statement) -> String { entries[Int(statement.entry)].label }

    /// The deepest grant and the deepest revoke at or above a place; of equals the first entry.
    private func rule(_ statements: [Statement], at path: [[UInt8]], _ permission: Permissions) -> Rule {
        var grant: Statement?
        var revoke: Statement?
        for statement in statements where path.starts(with: statement.segments) {
            if statement.grant.contains(permission), statement.segments.count > grant?.segments.count ?? -1 {
                grant = statement
            }
            if statement.revoke.contains(permission), statement.segments.count > revoke?.segments.count ?? -1 {
                revoke = statement
            }
        }
        return Rule(grant: grant, revoke: revoke)
    }

    private func matching(_ matches: [Match], subjects: [String], namespace: String?, now: Int64) -> [String] {
        var lines: [String] = []
        let given = Set(subjects.map { Array($0.utf8) })
        for (index, entry) in entries.enumerated() {
            let named = entry.subjects.filter { given.contains(Array($0.id.utf8)) }
            guard let first = named.first else { continue }
            guard let match = matches.first(where: { $0.entry == Int32(index) }) else {
                let expiry = named.compactMap(\.expiry).max() ?? .max
                lines.append(
                    expiry <= now
                        ? "entry \(entry.label) does not count: subject \(first.id) expired at Unix second \(expiry)"
                        : "entry \(entry.label) does not count: it is limited to other namespaces")
                continue
            }
            lines.append(
                match.isGranting
                    ? "entry \(entry.label) counts for subject \(match.subject)"
                    : "entry \(entry.label) only takes away: it is limited to namespaces and none is known")
        }
        if lines.isEmpty { lines.append("no entry names any of the caller's \(subjects.count) subjects") }
        return lines.map(printable)
    }

    /// Names come from tokens and files: what a terminal would obey is spelled out.
    private func printable(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default:
                result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
