package import Policy
import StrictJSON

/// A policy under the name that routes use.
package struct PolicySettings: Sendable, Named {
    package var name = ""
    /// Checked against the other policies that it imports.
    package var document = PolicyDocument(policyId: "")
    /// Where the document stands, for what can only be told once all policies are known.
    var origin: Origin?

    /// A document within a file.
    struct Origin: Sendable {
        let document: SourceDocument
        let json: JSON
        let path: JSONPath
    }

    /// The object as it stands in the file.
    struct Form: Sendable, Named {
        var name = ""
        var file: (path: String, document: Located)?
        var document: Located?
    }

    /// A document with its place.
    struct Located: Sendable {
        let form: DittoPolicy
        let origin: Origin
    }

    static let shape = Shape<Form>(
        "Policy", "An Eclipse Ditto policy, in a file of its own or in place.", prototype: Form(),
        exactlyOneOf: ["file", "document"],
        [
            Field("file", \.file, .policyFile, "A file that holds a policy in Ditto's JSON."),
            Field("document", \.document, .optional(.policyDocument), "The policy in Ditto's JSON."),
        ])

    init() {}

    init(_ form: Form) {
        name = form.name
        guard let located = form.file?.document ?? form.document else { return }
        document = located.form.policy(defaultID: form.name)
        origin = located.origin
    }

    /// All policies, by the names that routes use.
    static var kind: Kind<[PolicySettings]> {
        Kind<[Form]>.named(.name, shape).map({ forms, _, _ in forms.map(PolicySettings.init) }, back: { _ in [] })
    }
}

extension Kind where Value == PolicySettings.Located {
    /// A policy in place.
    static var policyDocument: Kind {
        Kind(
            schema: { DittoPolicy.shape.reference(in: &$0) },
            read: { json, reading in
                DittoPolicy.shape.read(json, &reading).map {
                    PolicySettings.Located(
                        form: $0,
                        origin: PolicySettings.Origin(
                            document: reading.document, json: json, path: reading.path))
                }
            },
            write: { _ in nil })
    }
}

extension Kind where Value == (path: String, document: PolicySettings.Located)? {
    /// A policy in a file of its own.
    static var policyFile: Kind {
        let path = Kind<String?>.optional(Kind<String>.path)
        return Kind(
            schema: path.schema, note: Kind<String>.path.note,
            read: { json, reading in
                guard let written = path.read(json, &reading), let file = written else { return nil }
                let document = reading.file(file, namedAt: json) { json, reading in
                    Kind<PolicySettings.Located>.policyDocument.read(json, &reading)
                }
                return document.map { .some((file, $0)) }
            },
            write: { _ in .nothing })
    }
}
