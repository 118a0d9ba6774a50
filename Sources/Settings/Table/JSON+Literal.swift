import StrictJSON

/// Short ways to write the JSON that the schema is made of.
extension JSON {
    static func text(_ text: String) -> JSON { JSON(value: .string(text)) }
    static func integer(_ number: some BinaryInteger) -> JSON { JSON(value: .number(Number(text: String(number)))) }
    static func truth(_ truth: Bool) -> JSON { JSON(value: .bool(truth)) }
    static func list(_ elements: [JSON]) -> JSON { JSON(value: .array(elements)) }
    static let nothing = JSON(value: .null)

    static func members(_ members: KeyValuePairs<String, JSON>) -> JSON {
        JSON(value: .object(members.map { Member(name: $0.key, value: $0.value) }))
    }

    /// This object with one more member, before the others when it describes them.
    func adding(_ name: String, _ value: JSON, first: Bool = false) -> JSON {
        let member = Member(name: name, value: value)
        let members = object ?? []
        return JSON(value: .object(first ? [member] + members : members + [member]))
    }
}
