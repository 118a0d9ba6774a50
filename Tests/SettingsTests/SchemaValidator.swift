import StrictJSON

/// As much of JSON Schema (draft 2020-12) as the schema of gateway.json uses.
struct SchemaValidator {
    let root: JSON

    func violations(of json: JSON) -> [String] {
        violations(of: json, root, at: "$")
    }

    private func resolved(_ schema: JSON) -> JSON {
        guard let reference = schema.member("$ref")?.string else { return schema }
        let name = String(reference.dropFirst("#/$defs/".count))
        return root.member("$defs")?.member(name) ?? schema
    }

    private func violations(of json: JSON, _ reference: JSON, at place: String) -> [String] {
        let schema = resolved(reference)
        if schema.bool == true { return [] }
        var found: [String] = []
        for keyword in schema.object ?? [] {
            switch keyword.name {
            case "type":
                let types = keyword.value.array?.compactMap(\.string) ?? [keyword.value.string ?? ""]
                if !types.contains(where: { Self.has(json, type: $0) }) { found.append("\(place): not \(types)") }
            case "enum":
                let words = keyword.value.array?.compactMap(\.string) ?? []
                if !words.contains(json.string ?? "") { found.append("\(place): not one of \(words)") }
            case "minimum":
                if let number = json.number?.integer, let bound = keyword.value.number?.integer, number < bound {
                    found.append("\(place): below \(bound)")
                }
            case "maximum":
                if let number = json.number?.integer, let bound = keyword.value.number?.integer, number > bound {
                    found.append("\(place): above \(bound)")
                }
            case "minLength":
                if let text = json.string, text.unicodeScalars.count < keyword.value.number?.integer ?? 0 {
                    found.append("\(place): too short")
                }
            case "minItems":
                if let elements = json.array, elements.count < keyword.value.number?.integer ?? 0 {
                    found.append("\(place): too few")
                }
            case "pattern":
                if let text = json.string, !Self.matches(text, keyword.value.string ?? "") {
                    found.append("\(place): does not match")
                }
            case "items":
                for (index, element) in (json.array ?? []).enumerated() {
                    found += violations(of: element, keyword.value, at: "\(place)[\(index)]")
                }
            case "anyOf":
                let choices = keyword.value.array ?? []
                if !choices.contains(where: { violations(of: json, $0, at: place).isEmpty }) {
                    found.append("\(place): none of the alternatives")
                }
            case "oneOf":
                let choices = keyword.value.array ?? []
                if choices.count(where: { violations(of: json, $0, at: place).isEmpty }) != 1 {
                    found.append("\(place): not exactly one of the alternatives")
                }
            case "required":
                for name in keyword.value.array ?? [] where json.object != nil && json.member(name.string ?? "") == nil
                {
                    found.append("\(place): lacks \(name.string ?? "")")
                }
            case "propertyNames":
                for member in json.object ?? [] {
                    let name = JSON(value: .string(member.name))
                    found += violations(of: name, keyword.value, at: "\(place).\(member.name)")
                }
            case "additionalProperties": found += unknownMembers(of: json, schema, at: place)
            case "properties", "patternProperties": found += members(of: json, keyword, at: place)
            case "description", "title", "default", "format", "$schema", "$defs": break
            case let other: found.append("the validator knows no \(other)")
            }
        }
        return found
    }

    private func members(of json: JSON, _ keyword: JSON.Member, at place: String) -> [String] {
        (json.object ?? []).flatMap { member -> [String] in
            (keyword.value.object ?? []).filter { rule in
                keyword.name == "properties" ? rule.name == member.name : Self.matches(member.name, rule.name)
            }.flatMap { violations(of: member.value, $0.value, at: "\(place).\(member.name)") }
        }
    }

    private func unknownMembers(of json: JSON, _ schema: JSON, at place: String) -> [String] {
        let patterns = schema.member("patternProperties")?.object?.map(\.name) ?? []
        return (json.object ?? []).filter { member in
            schema.member("properties")?.member(member.name) == nil
                && !patterns.contains { Self.matches(member.name, $0) }
        }.map { "\(place): unknown \($0.name)" }
    }

    /// The document with every default written down.
    func filled(_ json: JSON) -> JSON { filled(json, root) }

    private func filled(_ json: JSON, _ reference: JSON) -> JSON {
        let schema = resolved(reference)
        if let choices = schema.member("anyOf")?.array {
            let choice = choices.first { violations(of: json, $0, at: "").isEmpty }
            return choice.map { filled(json, $0) } ?? json
        }
        if let elements = json.array, let items = schema.member("items") {
            return JSON(value: .array(elements.map { filled($0, items) }))
        }
        guard var members = json.object else { return json }
        if let each = schema.member("patternProperties")?.object?.first?.value, schema.member("properties") == nil {
            return JSON(value: .object(members.map { JSON.Member(name: $0.name, value: filled($0.value, each)) }))
        }
        let alternatives = schema.member("oneOf")?.array?.compactMap { $0.member("required")?.array?.first?.string }
        for property in schema.member("properties")?.object ?? [] {
            if let place = members.firstIndex(where: { $0.name == property.name }) {
                members[place] = JSON.Member(
                    name: property.name, value: filled(members[place].value, property.value))
            } else if alternatives?.contains(property.name) ?? false {
                continue
            } else if let value = property.value.member("default") {
                members.append(JSON.Member(name: property.name, value: value))
            } else if property.value.member("$ref") != nil {
                let empty = JSON(value: .object([]))
                members.append(JSON.Member(name: property.name, value: filled(empty, property.value)))
            }
        }
        return JSON(value: .object(members))
    }

    private static func has(_ json: JSON, type: String) -> Bool {
        switch json.value {
        case .null: type == "null"
        case .bool: type == "boolean"
        case .number(let number): type == "number" || type == "integer" && number.integer != nil
        case .string: type == "string"
        case .array: type == "array"
        case .object: type == "object"
        }
    }

    private static func matches(_ text: String, _ pattern: String) -> Bool {
        guard let regex = try? Regex(pattern) else { return false }
        return text.contains(regex)
    }
}
