import StrictJSON

/// One member of a settings object: everything anybody needs to know about it stands in one line of a table.
struct Field<Root: Sendable>: Sendable {
    let name: String
    let isRequired: Bool
    /// One sentence or two.
    let documentation: String
    /// Its schema with description and, taken from the prototype, default.
    let schema: @Sendable (Root, inout SchemaDefinitions) -> JSON
    /// The member's value as it would stand in the file.
    let write: @Sendable (Root) -> JSON?
    /// Reads the member's value into the object.
    let read: @Sendable (JSON, inout Root, inout Reading) -> Void

    /// A member that fills the property at `path`; when it is absent the property keeps the prototype's value.
    init<Value>(
        _ name: String, _ path: any WritableKeyPath<Root, Value> & Sendable, _ kind: Kind<Value>,
        required: Bool = false, _ documentation: String
    ) {
        self.name = name
        self.isRequired = required
        self.documentation = documentation
        schema = { prototype, definitions in
            let note = kind.note.map { " \($0)" } ?? ""
            let described = kind.schema(&definitions)
                .adding("description", .text(documentation + note), first: true)
            // An object's default is that of its own members.
            if required || described.member("$ref") != nil { return described }
            return kind.write(prototype[keyPath: path]).map { described.adding("default", $0) } ?? described
        }
        write = { kind.write($0[keyPath: path]) }
        read = { json, root, reading in
            if let value = kind.read(json, &reading) { root[keyPath: path] = value }
        }
    }
}

/// A settings object: the table from which it is read, checked and described.
struct Shape<Root: Sendable>: Sendable {
    /// Its name in the schema.
    let title: String
    let documentation: String
    /// The object when nothing is written: where all defaults come from.
    let prototype: Root
    let fields: [Field<Root>]
    /// When not empty, exactly one of these members has to be there.
    let alternatives: [String]
    /// Further members that are passed over, such as those a foreign format has beyond what matters here.
    let ignores: @Sendable (String) -> Bool
    /// Looks at the object as a whole; gets it even when parts of it could not be read.
    let check: @Sendable (inout Root, JSON, inout Reading) -> Void

    init(
        _ title: String, _ documentation: String, prototype: Root, exactlyOneOf alternatives: [String] = [],
        ignoring: @escaping @Sendable (String) -> Bool = { _ in false }, _ fields: [Field<Root>],
        check: @escaping @Sendable (inout Root, JSON, inout Reading) -> Void = { _, _, _ in }
    ) {
        self.title = title
        self.documentation = documentation
        self.prototype = prototype
        self.fields = fields
        self.alternatives = alternatives
        self.ignores = ignoring
        self.check = check
    }

    /// The object, with the prototype's values where members are absent or wrong; nil when it is no object at all.
    func read(_ json: JSON, _ reading: inout Reading) -> Root? {
        guard let members = json.object else {
            reading.error("expected an object, found \(json.shapeName)", at: json)
            return nil
        }
        var root = prototype
        var hasUnknown = false
        for member in members where !isComment(member.name) && !ignores(member.name) {
            guard let field = fields.first(where: { $0.name.hasSameBytes(as: member.name) }) else {
                hasUnknown = true
                let hint = suggestion(for: member.name, among: fields.map(\.name), none: "none are allowed here")
                reading.at(.member(member.name)) {
                    $0.error("unknown member \"\(member.name.prefix(64))\"; \(hint)", offset: member.nameOffset)
                }
                continue
            }
            reading.at(.member(member.name)) { field.read(member.value, &root, &$0) }
        }
        for field in fields where field.isRequired && json.member(field.name) == nil {
            reading.error("the member \"\(field.name)\" is missing: \(field.documentation)", at: json)
        }
        // An unknown member is most likely the misspelt alternative.
        if !hasUnknown { checkAlternatives(json, &reading) }
        check(&root, json, &reading)
        return root
    }

    /// The object as it would stand in the file.
    func write(_ root: Root) -> JSON {
        let members = fields.compactMap { field in
            field.write(root).map { JSON.Member(name: field.name, value: $0) }
        }
        return JSON(value: .object(members))
    }

    private func checkAlternatives(_ json: JSON, _ reading: inout Reading) {
        guard !alternatives.isEmpty else { return }
        let present = alternatives.filter { json.member($0).map { !$0.isNull } ?? false }
        let names = alternatives.map { "\"\($0)\"" }.joined(separator: ", ")
        if present.isEmpty {
            reading.error("one of \(names) is needed", at: json)
        } else if present.count > 1 {
            reading.error("only one of \(names) can be given, found \(present.count)", at: json)
        }
    }
}
