/// What may be done to a resource: any of READ, WRITE and EXECUTE.
package struct Permissions: OptionSet, Sendable, Hashable {
    package let rawValue: UInt8

    package init(rawValue: UInt8) { self.rawValue = rawValue }

    package static let read = Permissions(rawValue: 1)
    package static let write = Permissions(rawValue: 2)
    package static let execute = Permissions(rawValue: 4)
    package static let all: Permissions = [.read, .write, .execute]

    /// The permission of that name as Ditto spells it (`READ`, `WRITE`, `EXECUTE`), or nil.
    package init?(name: String) {
        switch name {
        case "READ": self = .read
        case "WRITE": self = .write
        case "EXECUTE": self = .execute
        default: return nil
        }
    }

    /// The names of the permissions in the set, in the order READ, WRITE, EXECUTE.
    package var names: [String] {
        Permissions.each.filter { contains($0.permission) }.map(\.name)
    }

    static let each: [(permission: Permissions, name: String)] = [
        (.read, "READ"), (.write, "WRITE"), (.execute, "EXECUTE"),
    ]
}

/// Which of Ditto's two questions is asked of a resource.
package enum Check: UInt8, Sendable, CaseIterable {
    /// Whether the permission holds in the whole subtree: what a write needs.
    case unrestricted
    /// Whether the permission holds in some part at or below the resource: what a read needs.
    case partial
}

/// The engine's answer to one question.
package struct PolicyVerdict: Sendable, Equatable {
    /// Whether every permission asked for is given.
    package let isAllowed: Bool
    /// Index of the entry that decided (``PolicyEngine/label(of:)`` names it), or -1 when no entry grants anything.
    /// Of several permissions it is the first refused, or the first of all when none is; of several entries that decide
    /// at the same depth it is the first in the policy.
    package let entry: Int32

    package init(isAllowed: Bool, entry: Int32) {
        self.isAllowed = isAllowed
        self.entry = entry
    }
}
