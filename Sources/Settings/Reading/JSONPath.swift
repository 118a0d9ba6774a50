/// The way from the root of a document to one value.
struct JSONPath: Sendable, Equatable, CustomStringConvertible {
    /// One step.
    enum Step: Sendable, Equatable {
        case member(String)
        case index(Int)
    }

    var steps: [Step] = []

    /// The document itself.
    static let root = JSONPath()

    /// The path one member further.
    func member(_ name: String) -> JSONPath { JSONPath(steps: steps + [.member(name)]) }

    /// The path one element further.
    func index(_ index: Int) -> JSONPath { JSONPath(steps: steps + [.index(index)]) }

    /// RFC 9535: `$.routes[0].upstream`, and `['acme-lamps']` where the shorthand does not allow the name.
    var description: String {
        steps.reduce(into: "$") { text, step in
            switch step {
            case .index(let index): text += "[\(index)]"
            case .member(let name) where Self.isShorthand(name): text += ".\(name)"
            case .member(let name):
                var escaped = ""
                for scalar in name.unicodeScalars {
                    switch scalar {
                    case "'": escaped += "\\'"
                    case "\\": escaped += "\\\\"
                    case _ where scalar.value < 0x20 || scalar.value == 0x7f: escaped += scalar.escaped(asASCII: true)
                    default: escaped.unicodeScalars.append(scalar)
                    }
                }
                text += "['\(escaped)']"
            }
        }
    }

    private static func isShorthand(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return name.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
