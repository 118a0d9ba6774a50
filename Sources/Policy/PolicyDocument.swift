/// A policy as written: the values of Ditto's JSON, unchecked. ``PolicyEngine`` checks and compiles it.
package struct PolicyDocument: Sendable, Equatable {
    /// `namespace:name`.
    package var policyId: String
    package var imports: [Import]
    /// In the order of the document, which settles which of several equal entries is named as the one that decided.
    package var entries: [Entry]

    package init(policyId: String, imports: [Import] = [], entries: [Entry] = []) {
        self.policyId = policyId
        self.imports = imports
        self.entries = entries
    }

    /// Another policy whose entries count as this one's.
    package struct Import: Sendable, Equatable {
        package var policyId: String
        /// Labels of the `explicit` entries to take over. `implicit` ones come anyway, `never` ones do not come.
        package var entries: [String]

        package init(policyId: String, entries: [String] = []) {
            self.policyId = policyId
            self.entries = entries
        }
    }

    /// Who (subjects) may or may not do what (resources).
    package struct Entry: Sendable, Equatable {
        package var label: String
        package var subjects: [Subject]
        package var resources: [Resource]
        /// Namespaces to which the entry is limited (`com.acme`, or `com.acme.*` for everything below it); nil or
        /// empty for no limit.
        package var namespaces: [String]?
        package var importable: Importable

        package init(
            label: String, subjects: [Subject], resources: [Resource], namespaces: [String]? = nil,
            importable: Importable = .implicit
        ) {
            self.label = label
            self.subjects = subjects
            self.resources = resources
            self.namespaces = namespaces
            self.importable = importable
        }
    }

    /// `provider:name`, as an identity provider's template yields it.
    package struct Subject: Sendable, Equatable {
        package var id: String
        /// Free text of the policy's author; decides nothing.
        package var type: String
        /// First Unix second at which the subject no longer counts; nil for never.
        package var expiry: Int64?

        package init(id: String, type: String = "", expiry: Int64? = nil) {
            self.id = id
            self.type = type
            self.expiry = expiry
        }
    }

    /// What an entry gives and takes away at one resource.
    package struct Resource: Sendable, Equatable {
        /// `type:/path`; `type:/` is the root of the type.
        package var key: String
        package var grant: Permissions
        package var revoke: Permissions

        package init(key: String, grant: Permissions = [], revoke: Permissions = []) {
            self.key = key
            self.grant = grant
            self.revoke = revoke
        }
    }

    /// Whether an entry may be taken over by an importing policy.
    package enum Importable: String, Sendable, CaseIterable {
        case implicit, explicit, never
    }
}
