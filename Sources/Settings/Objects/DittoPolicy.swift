import Policy
import StrictJSON

/// A policy as Eclipse Ditto writes it, member by member.
struct DittoPolicy: Sendable {
    var policyId: String?
    var imports: [Import] = []
    var entries: [Entry] = []

    struct Import: Sendable, Named {
        var name = ""
        var entries: [String] = []
    }

    struct Entry: Sendable, Named {
        var name = ""
        var subjects: [Subject] = []
        var resources: [Resource] = []
        var namespaces: [String]?
        var importable = PolicyDocument.Importable.implicit
    }

    struct Subject: Sendable, Named {
        var name = ""
        var type: String?
        var expiry: Int64?
    }

    struct Resource: Sendable, Named {
        var name = ""
        var grant: [Permission] = []
        var revoke: [Permission] = []
    }

    /// The permissions by name.
    enum Permission: String, Sendable, CaseIterable {
        case read = "READ"
        case write = "WRITE"
        case execute = "EXECUTE"
    }

    static let shape = Shape<DittoPolicy>(
        "DittoPolicy", "A policy in the JSON of Eclipse Ditto.", prototype: DittoPolicy(),
        // _revision, _created and the like, which Ditto adds to what it hands out.
        ignoring: { $0.utf8.first == UInt8(ascii: "_") },
        [
            Field(
                "policyId", \.policyId, .optional(.foreignName),
                "namespace:name, by which other policies import it; null for the name it has here."),
            Field(
                "imports", \.imports, .named(.foreignName, Import.shape),
                "Policies whose entries count as this one's, by policyId; at most 10, and among those configured."),
            Field(
                "entries", \.entries, .named(.foreignName, Entry.shape), required: true,
                "Who may or may not do what, by label."),
        ])

    /// The values, without the question whether they make sense.
    func policy(defaultID: String) -> PolicyDocument {
        PolicyDocument(
            policyId: policyId ?? defaultID,
            imports: imports.map { .init(policyId: $0.name, entries: $0.entries) },
            entries: entries.map { entry in
                PolicyDocument.Entry(
                    label: entry.name,
                    subjects: entry.subjects.map { .init(id: $0.name, type: $0.type ?? "", expiry: $0.expiry) },
                    resources: entry.resources.map {
                        .init(key: $0.name, grant: Permissions($0.grant), revoke: Permissions($0.revoke))
                    },
                    namespaces: entry.namespaces, importable: entry.importable)
            })
    }
}

extension DittoPolicy.Import {
    static let shape = Shape<DittoPolicy.Import>(
        "PolicyImport", "What is taken over from another policy.", prototype: DittoPolicy.Import(),
        [
            Field(
                "entries", \.entries, .list(.foreignName),
                "Labels of the explicit entries to take over; implicit ones come anyway.")
        ])
}

extension DittoPolicy.Entry {
    static let shape = Shape<DittoPolicy.Entry>(
        "PolicyEntry", "Some subjects, and what they may or may not do.", prototype: DittoPolicy.Entry(),
        [
            Field(
                "subjects", \.subjects, .named(.foreignName, DittoPolicy.Subject.shape),
                "Whom it is about: \"provider:name\" as an issuer's templates make it."),
            Field(
                "resources", \.resources, .named(.foreignName, DittoPolicy.Resource.shape),
                "What it is about: \"type:/path\", with everything below. Segments are compared whole and as they are decoded;"
                    + " \"~0\" is \"~\", as in Ditto, on either side."),
            Field(
                "namespaces", \.namespaces, .optional(.list(.foreignName)),
                "Namespaces it is limited to: \"com.acme\", or \"com.acme.*\" for all below; null for no limit. No request tells its"
                    + " namespace: an entry with a limit takes away everywhere and grants nothing."),
            Field("importable", \.importable, .choice(), "Whether other policies may take it over."),
        ])
}

extension DittoPolicy.Subject {
    static let shape = Shape<DittoPolicy.Subject>(
        "PolicySubject", "One subject of an entry.", prototype: DittoPolicy.Subject(),
        // What Ditto tells subjects before they expire; nothing is told here.
        ignoring: { $0.hasSameBytes(as: "announcement") || $0.utf8.first == UInt8(ascii: "_") },
        [
            Field("type", \.type, .optional(.anyText), "A remark for people."),
            Field("expiry", \.expiry, .optional(.timestamp), "From when on it no longer counts; null for never."),
        ])
}

extension DittoPolicy.Resource {
    static let shape = Shape<DittoPolicy.Resource>(
        "PolicyResource", "What is given and taken away at one resource.", prototype: DittoPolicy.Resource(),
        [
            Field("grant", \.grant, .list(.choice()), "What may be done."),
            Field("revoke", \.revoke, .list(.choice()), "What may not be done; at equal depth it wins."),
        ])
}

extension Permissions {
    init(_ names: [DittoPolicy.Permission]) {
        self = names.reduce(into: []) { set, name in
            switch name {
            case .read: set.insert(.read)
            case .write: set.insert(.write)
            case .execute: set.insert(.execute)
            }
        }
    }

    /// The names of the permissions in the set.
    var choices: [DittoPolicy.Permission] {
        DittoPolicy.Permission.allCases.filter { contains(Permissions([$0])) }
    }
}
