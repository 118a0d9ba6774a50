package import StrictJSON

/// The reference of `gateway.json` as Markdown, rendered from its JSON Schema, so that the two cannot disagree.
package struct ConfigurationReference {
    private let schema: JSON

    /// - Throws: where the schema is no JSON.
    package init(schema: [UInt8]) throws(JSONError) {
        self.schema = try JSON.parse(schema, limits: .configuration)
    }

    /// One section an object: what it is, then a table of its members in the order of the schema.
    package func render() -> String {
        var sections = [section("gateway.json", schema)]
        for definition in schema.member("$defs")?.object ?? [] {
            sections.append(section(definition.name, definition.value))
        }
        return sections.joined(separator: "\n")
    }

    private func section(_ title: String, _ object: JSON) -> String {
        var text = "### \(title)\n\n\(object.member("description")?.string ?? "")\n\n"
        text += "| member | value | default | meaning |\n|---|---|---|---|\n"
        let required = object.member("required")?.array?.compactMap(\.string) ?? []
        for member in object.member("properties")?.object ?? [] {
            let isRequired = required.contains { $0.utf8.elementsEqual(member.name.utf8) }
            let standard = member.value.member("default").map { "`\(Self.compact($0))`" }
            let cells = [
                "`\(member.name)`", Self.kind(of: member.value), isRequired ? "required" : standard ?? "",
                member.value.member("description")?.string ?? "",
            ]
            text += "| " + cells.map(Self.cell).joined(separator: " | ") + " |\n"
        }
        return text
    }

    /// What a value may be, in a few words; nesting is bounded by the schema's own.
    private static func kind(of schema: JSON) -> String {
        if let reference = schema.member("$ref")?.string, let name = reference.split(separator: "/").last {
            return "[\(name)](#\(name.lowercased()))"
        }
        if let choices = schema.member("enum")?.array {
            return choices.map { "`\(compact($0))`" }.joined(separator: ", ")
        }
        if let choices = schema.member("anyOf")?.array ?? schema.member("oneOf")?.array {
            return choices.map(kind).joined(separator: " or ")
        }
        if let items = schema.member("items") { return "list of \(kind(of: items))" }
        if let named = schema.member("patternProperties")?.object?.first?.value, named.member("$ref") != nil {
            return "object: name → \(kind(of: named))"
        }
        return schema.member("type")?.string ?? "any"
    }

    private static func compact(_ json: JSON) -> String {
        var writer = JSONWriter()
        writer.value(json)
        return String(decoding: writer.finish(), as: UTF8.self)
    }

    private static func cell(_ text: String) -> String {
        text.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|")
            .split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}
