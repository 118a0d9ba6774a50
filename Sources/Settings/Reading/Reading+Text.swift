import StrictJSON

extension Reading {
    /// The text of a string with `${NAME}` replaced by environment variables; nil and an error when it is none.
    mutating func text(_ json: JSON) -> String? {
        guard let raw = json.string else {
            error("expected a string, found \(json.shapeName)", at: json)
            return nil
        }
        return expandsVariables ? expanded(raw, at: json) : raw
    }

    /// Replaces every `${NAME}`; `$${` stands for `${` itself. What comes out is not expanded again.
    private mutating func expanded(_ raw: String, at json: JSON) -> String? {
        let bytes = Array(raw.utf8)
        guard bytes.contains(UInt8(ascii: "$")) else { return raw }
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index...].starts(with: "$${".utf8) {
                result.append(contentsOf: "${".utf8)
                index += 3
            } else if bytes[index...].starts(with: "${".utf8) {
                guard let end = bytes[index...].firstIndex(of: UInt8(ascii: "}")) else {
                    error("\"${\" is not closed by \"}\"; write \"$${\" for the characters themselves", at: json)
                    return nil
                }
                let name = String(decoding: bytes[index + 2..<end], as: UTF8.self)
                guard Self.isVariableName(name) else {
                    error(
                        "\"${\(name)}\" names no environment variable: letters, digits and _ only;"
                            + " write \"$${\" for the characters themselves", at: json)
                    return nil
                }
                guard let value = surroundings.environment(name) else {
                    error("the environment variable \(name) is not set", at: json)
                    return nil
                }
                result.append(contentsOf: value.utf8)
                index = end + 1
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// Whether an environment variable can have this name (POSIX: letters, digits, underscore, no leading digit).
    static func isVariableName(_ name: String) -> Bool {
        guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return name.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }
}
