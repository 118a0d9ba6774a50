import Identity
import StrictJSON

extension Kind where Value == String {
    /// Any text but the empty one, of at most 4096 bytes and without control characters.
    static var text: Kind {
        Kind(
            schema: { _ in .members(["type": .text("string"), "minLength": .integer(1)]) },
            read: { json, reading in
                guard let text = reading.text(json) else { return nil }
                if let defect = textDefect(of: text) {
                    reading.error("the text \(defect)", at: json)
                    return nil
                }
                return text
            },
            write: { .text($0) })
    }

    /// A text that a principal can hold: as any, and without a blank at either end.
    static var subject: Kind {
        Kind.text.map(
            { text, json, reading in
                guard Principal.canHold(text) else {
                    reading.error("the text begins or ends with a blank; remove it", at: json)
                    return nil
                }
                return text
            }, back: { $0 })
    }

    /// A name that stands in logs, metrics and other members: `[A-Za-z0-9._-]`, at most 64.
    static var name: Kind {
        constrained(
            pattern: "^[A-Za-z0-9._-]{1,64}$", maximum: 64, characters: { isNameByte($0) },
            message: "a name has 1 to 64 letters, digits, dots, underscores and hyphens")
    }

    /// A name that callers present, so without the characters that end it in a credential or a header.
    static var callerName: Kind {
        constrained(
            pattern: "^[!-+\\--9;-~]{1,128}$", maximum: 128,
            characters: { (0x21...0x7e).contains($0) && $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: ",") },
            message: "an id has 1 to 128 visible ASCII characters, none of them ':' or ','")
    }

    private static func constrained(
        pattern: String, maximum: Int, characters: @escaping @Sendable (UInt8) -> Bool, message: String
    ) -> Kind {
        Kind(
            schema: { _ in .members(["type": .text("string"), "pattern": .text(pattern)]) },
            read: { json, reading in
                // Never expanded: other members refer to it as it stands here.
                guard let text = json.string else {
                    reading.error("expected a name, found \(json.shapeName)", at: json)
                    return nil
                }
                guard (1...maximum).contains(text.utf8.count), text.utf8.allSatisfy(characters) else {
                    reading.error("\"\(text.prefix(80))\" will not do: \(message)", at: json)
                    return nil
                }
                return text
            },
            write: { .text($0) })
    }

    /// A name in a notation that is not ours: anything but control characters, at most 1024 bytes.
    static var foreignName: Kind {
        constrained(
            pattern: "^[^\\u0000-\\u001f\\u007f]{1,1024}$", maximum: 1024, characters: { $0 >= 0x20 && $0 != 0x7f },
            message: "it has 1 to 1024 bytes and no control characters")
    }

    /// A request method in capital letters (RFC 9110 §9.1).
    static var method: Kind {
        constrained(
            pattern: "^[A-Z0-9_-]{1,32}$", maximum: 32,
            characters: { isNameByte($0) && !(UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0) && $0 != 0x2e },
            message: "a method has 1 to 32 capital letters, as in GET")
    }

    /// Any text at all, of at most 4096 bytes.
    static var anyText: Kind {
        Kind(
            schema: { _ in .members(["type": .text("string")]) },
            read: { json, reading in
                guard let text = reading.text(json) else { return nil }
                guard text.utf8.count <= 4096 else {
                    reading.error("the text is longer than 4096 bytes", at: json)
                    return nil
                }
                return text
            },
            write: { .text($0) })
    }

    /// A path that is resolved by the object that holds it, because its default has to be resolved too.
    static var unresolvedPath: Kind {
        var kind = Kind<String>.text
        kind.note = "A relative path starts from the directory of this file."
        return kind
    }

    /// A path in the file system; relative ones start from the directory of the configuration.
    static var path: Kind {
        var kind = Kind<String>.text.map({ text, _, reading in reading.resolved(text) }, back: { $0 })
        kind.note = "A relative path starts from the directory of this file."
        return kind
    }

    /// A text that stands here, in a file or in the environment, so that secrets need not stand in this file.
    static var secret: Kind {
        Kind(
            schema: { definitions in
                .members([
                    "anyOf": .list([
                        Kind<String>.text.schema(&definitions), SecretSource.shape.reference(in: &definitions),
                    ])
                ])
            },
            read: { json, reading in
                if case .string = json.value { return Kind<String>.text.read(json, &reading) }
                guard case .object = json.value else {
                    reading.error(
                        "expected a text, {\"file\": \"path\"} or {\"env\": \"NAME\"}, found \(json.shapeName)",
                        at: json)
                    return nil
                }
                guard let source = SecretSource.shape.read(json, &reading) else { return nil }
                return source.text(at: json, &reading)
            },
            write: { .text($0) })
    }
}

/// Why a text may not stand in a configuration or in a file of tokens, and the way out; nil where it may.
package func textDefect(of text: String) -> String? {
    if text.isEmpty { return "is empty; write something or leave it out" }
    if text.utf8.count > 4096 { return "is longer than 4096 bytes; shorten it" }
    let isControl = text.unicodeScalars.contains { $0.value < 0x20 || (0x7f...0x9f).contains($0.value) }
    return isControl ? "holds a control character; remove it" : nil
}

/// Letters, digits, dot, underscore and hyphen.
private func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
        true
    default: false
    }
}

/// Where a secret stands that does not stand in the configuration.
struct SecretSource: Sendable {
    var file: String?
    var env: String?

    static let shape = Shape<SecretSource>(
        "SecretSource", "A secret that is kept elsewhere.", prototype: SecretSource(), exactlyOneOf: ["file", "env"],
        [
            Field("file", \.file, .optional(.path), "The file that holds it; one final line break is not part of it."),
            Field("env", \.env, .optional(.text), "The environment variable that holds it."),
        ])

    /// Fetches it, or records why that cannot be.
    func text(at json: JSON, _ reading: inout Reading) -> String? {
        if let file {
            guard var bytes = reading.fileBytes(file, namedAt: json) else { return nil }
            if bytes.last == 0x0a { bytes.removeLast() }
            if bytes.last == 0x0d { bytes.removeLast() }
            guard !bytes.isEmpty, bytes.count <= 4096, let text = String(validating: bytes, as: UTF8.self) else {
                reading.error("\(file) does not hold a secret: 1 to 4096 bytes of UTF-8", at: json)
                return nil
            }
            return text
        }
        guard let env else { return nil }
        guard let text = reading.surroundings.environment(env), !text.isEmpty else {
            reading.error("the environment variable \(env) is not set or empty", at: json)
            return nil
        }
        return text
    }
}
