import StrictJSON
import TestKit

extension Literal {
    /// The same value, to be changed and written again.
    init(_ json: JSON) {
        switch json.value {
        case .null: self = .null
        case .bool(let truth): self = .bool(truth)
        case .number(let number): self = .raw(number.text)
        case .string(let text): self = .string(text)
        case .array(let elements): self = .array(elements.map { Literal($0) })
        case .object(let members): self = .object(members.map { ($0.name, Literal($0.value)) })
        }
    }

    /// The text of a member that is a string.
    subscript(name: String) -> String? {
        guard case .object(let members) = self, let member = members.first(where: { $0.0 == name }),
            case .string(let text) = member.1
        else { return nil }
        return text
    }

    /// The claims as the parser would deliver them.
    func parsed() throws -> JSON {
        try JSON.parse(bytes, limits: .configuration)
    }
}
