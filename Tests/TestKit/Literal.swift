/// A JSON value written down in Swift, for configurations, claims and key sets. Members keep their order, and
/// `raw` puts any text in place, so that a test can also write what no serialiser would.
package indirect enum Literal: Sendable {
    case null
    case bool(Bool)
    case integer(Int64)
    case string(String)
    case array([Literal])
    case object([(String, Literal)])
    /// Text that stands in the result as it is.
    case raw(String)

    /// The JSON text, without white space.
    package var text: String {
        switch self {
        case .null: "null"
        case .bool(let value): value ? "true" : "false"
        case .integer(let value): "\(value)"
        case .string(let value): Self.quoted(value)
        case .array(let elements): "[" + elements.map(\.text).joined(separator: ",") + "]"
        case .object(let members):
            "{" + members.map { Self.quoted($0.0) + ":" + $0.1.text }.joined(separator: ",") + "}"
        case .raw(let text): text
        }
    }

    /// The JSON text as UTF-8.
    package var bytes: [UInt8] { Array(text.utf8) }

    /// An object with the members of both; a member of `other` takes the place of one of the same name.
    package func merging(_ other: Literal) -> Literal {
        guard case .object(var members) = self, case .object(let additions) = other else { return other }
        for (name, value) in additions {
            if let place = members.firstIndex(where: { $0.0 == name }) {
                members[place].1 = value
            } else {
                members.append((name, value))
            }
        }
        return .object(members)
    }

    /// An object without the named member.
    package func without(_ name: String) -> Literal {
        guard case .object(let members) = self else { return self }
        return .object(members.filter { $0.0 != name })
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20:
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension Literal: ExpressibleByStringLiteral, ExpressibleByStringInterpolation, ExpressibleByIntegerLiteral,
    ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral, ExpressibleByNilLiteral
{
    package init(stringLiteral value: String) { self = .string(value) }
    package init(integerLiteral value: Int64) { self = .integer(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
    package init(arrayLiteral elements: Literal...) { self = .array(elements) }
    package init(dictionaryLiteral elements: (String, Literal)...) { self = .object(elements) }
    package init(nilLiteral: ()) { self = .null }
}
