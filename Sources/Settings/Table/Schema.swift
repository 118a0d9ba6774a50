import StrictJSON

/// The `$defs` of a schema, filled as they are referred to.
struct SchemaDefinitions {
    fileprivate(set) var schemas: [(title: String, schema: JSON)] = []

    fileprivate func contains(_ title: String) -> Bool { schemas.contains { $0.title == title } }
}

extension Shape {
    /// A reference to the shape's schema, which is added to the definitions when it is new.
    func reference(in definitions: inout SchemaDefinitions) -> JSON {
        if !definitions.contains(title) {
            let index = definitions.schemas.count
            // Taken first, so that a shape which contains itself ends here.
            definitions.schemas.append((title, .nothing))
            definitions.schemas[index].schema = schema(&definitions)
        }
        return .members(["$ref": .text("#/$defs/\(title)")])
    }

    /// The shape's own schema (JSON Schema draft 2020-12).
    func schema(_ definitions: inout SchemaDefinitions) -> JSON {
        var properties: [JSON.Member] = []
        for field in fields {
            properties.append(JSON.Member(name: field.name, value: field.schema(prototype, &definitions)))
        }
        var schema: JSON = .members([
            "description": .text(documentation), "type": .text("object"),
            "properties": JSON(value: .object(properties)),
            "patternProperties": .members([
                ignores("_x") ? "^(\\$|x-|_)" : "^(\\$|x-)": .truth(true)
            ]),
            "additionalProperties": .truth(false),
        ])
        let required = fields.filter(\.isRequired).map { JSON.text($0.name) }
        if !required.isEmpty { schema = schema.adding("required", .list(required)) }
        if !alternatives.isEmpty {
            let each = alternatives.map { JSON.members(["required": .list([.text($0)])]) }
            schema = schema.adding("oneOf", .list(each))
        }
        return schema
    }

    /// The schema as a document of its own.
    func document(title: String) -> [UInt8] {
        var definitions = SchemaDefinitions()
        let own = schema(&definitions)
        let head: JSON = .members([
            "$schema": .text("https://json-schema.org/draft/2020-12/schema"), "title": .text(title),
        ])
        let schemas = definitions.schemas.map { JSON.Member(name: $0.title, value: $0.schema) }
        let whole =
            (head.object ?? []) + (own.object ?? [])
            + [JSON.Member(name: "$defs", value: JSON(value: .object(schemas)))]
        var writer = JSONWriter(indentation: 2)
        writer.value(JSON(value: .object(whole)))
        return writer.finish()
    }
}
