import StrictJSON

/// What a field may hold: how it is read, how its default is written, and how the schema describes it.
struct Kind<Value: Sendable>: Sendable {
    /// The JSON Schema of a value, registering the objects it refers to.
    let schema: @Sendable (inout SchemaDefinitions) -> JSON
    /// The value, or nil after recording why there is none.
    let read: @Sendable (JSON, inout Reading) -> Value?
    /// A value as it would stand in the file, or nil where the file would say nothing.
    let write: @Sendable (Value) -> JSON?
    /// What the schema cannot express, as a sentence for the description.
    var note: String?
    /// What stands in a list for an element that could not be read, so that the others keep their places.
    let placeholder: Value?

    init(
        schema: @escaping @Sendable (inout SchemaDefinitions) -> JSON,
        note: String? = nil,
        placeholder: Value? = nil,
        read: @escaping @Sendable (JSON, inout Reading) -> Value?,
        write: @escaping @Sendable (Value) -> JSON?
    ) {
        self.schema = schema
        self.note = note
        self.placeholder = placeholder
        self.read = read
        self.write = write
    }

    /// The same kind under another type; `transform` records its own errors.
    func map<Other>(
        _ transform: @escaping @Sendable (Value, JSON, inout Reading) -> Other?,
        back: @escaping @Sendable (Other) -> Value?
    ) -> Kind<Other> {
        Kind<Other>(
            schema: schema, note: note,
            read: { [read] json, reading in
                guard let value = read(json, &reading) else { return nil }
                return transform(value, json, &reading)
            },
            write: { [write] other in back(other).flatMap(write) })
    }
}

extension Kind {
    /// The kind, or `null` for nothing.
    static func optional<Wrapped>(_ kind: Kind<Wrapped>) -> Kind<Wrapped?> where Value == Wrapped? {
        Kind<Wrapped?>(
            schema: { definitions in
                .members(["anyOf": .list([kind.schema(&definitions), .members(["type": .text("null")])])])
            },
            note: kind.note,
            read: { json, reading in
                if json.isNull { return .some(nil) }
                return kind.read(json, &reading).map { .some($0) }
            },
            write: { value in
                if let value { return kind.write(value) }
                return .nothing
            })
    }

    /// An array of the kind, of at least `minimum` elements; `check` sees each element and those before it.
    static func list<Element>(
        _ kind: Kind<Element>, atLeast minimum: Int = 0, orElse reason: String = "",
        check: @escaping @Sendable (Element, [Element], JSON, inout Reading) -> Void = { _, _, _, _ in }
    ) -> Kind<[Element]> where Value == [Element] {
        Kind<[Element]>(
            schema: { definitions in
                let schema: JSON = .members(["type": .text("array"), "items": kind.schema(&definitions)])
                return minimum > 0 ? schema.adding("minItems", .integer(minimum)) : schema
            },
            note: kind.note,
            read: { json, reading in
                guard let elements = json.array else {
                    reading.error("expected an array, found \(json.shapeName)", at: json)
                    return nil
                }
                if elements.count < minimum { reading.error("the array is too short: \(reason)", at: json) }
                var values: [Element] = []
                for (index, element) in elements.enumerated() {
                    reading.at(.index(index)) { reading in
                        if let value = kind.read(element, &reading) {
                            check(value, values, element, &reading)
                            values.append(value)
                        } else if let placeholder = kind.placeholder {
                            values.append(placeholder)
                        }
                    }
                }
                return values
            },
            write: { elements in .list(elements.compactMap(kind.write)) })
    }

    /// One of a few words.
    static func choice() -> Kind
    where Value: CaseIterable & RawRepresentable & Sendable, Value.RawValue == String {
        let words = Value.allCases.map(\.rawValue)
        return Kind(
            schema: { _ in .members(["enum": .list(words.map(JSON.text))]) },
            read: { json, reading in
                guard let text = reading.text(json) else { return nil }
                if let choice = Value.allCases.first(where: { $0.rawValue.hasSameBytes(as: text) }) { return choice }
                reading.error(
                    "\"\(text)\" is not a choice here; \(suggestion(for: text, among: words, none: ""))", at: json)
                return nil
            },
            write: { .text($0.rawValue) })
    }

    /// An object of one shape.
    static func object(_ shape: @escaping @autoclosure @Sendable () -> Shape<Value>) -> Kind {
        Kind(
            schema: { shape().reference(in: &$0) },
            placeholder: shape().prototype,
            read: { json, reading in shape().read(json, &reading) },
            write: { shape().write($0) })
    }

    /// An object whose members are all of one shape and named by the operator; the order of the file is kept.
    static func named<Element: Named>(
        _ names: Kind<String>, _ shape: @escaping @autoclosure @Sendable () -> Shape<Element>
    ) -> Kind<[Element]> where Value == [Element] {
        Kind<[Element]>(
            schema: { definitions in
                .members([
                    "type": .text("object"),
                    "propertyNames": .members([
                        "anyOf": .list([names.schema(&definitions), .members(["pattern": .text("^(\\$|x-)")])])
                    ]),
                    "patternProperties": .members([
                        "^(?!\\$|x-)": shape().reference(in: &definitions),
                        "^(\\$|x-)": .members(["not": .members(["type": .text("object")])]),
                    ]),
                ])
            },
            read: { json, reading in
                guard let members = json.object else {
                    reading.error("expected an object, found \(json.shapeName)", at: json)
                    return nil
                }
                return members.compactMap { member in
                    if isComment(member.name), member.value.object == nil { return nil }
                    return reading.at(.member(member.name)) { reading in
                        guard !isComment(member.name) else {
                            // Somebody may mean one of these by it, which must not be lost without a word.
                            reading.error(
                                "a name that begins with \"$\" or \"x-\" is a comment, and nothing is made of it; choose another name,"
                                    + " or write a text here", at: member.value)
                            return nil
                        }
                        let name = JSON(offset: member.nameOffset, value: .string(member.name))
                        _ = names.read(name, &reading)
                        var element = shape().read(member.value, &reading) ?? shape().prototype
                        element.name = member.name
                        return element
                    }
                }
            },
            write: { elements in elements.isEmpty ? .members([:]) : nil })
    }
}

/// Something that is an object's member and carries its name.
protocol Named: Sendable {
    var name: String { get set }
}

/// Whether a member is the operator's own: `$schema`, `$comment`, `x-owner`.
func isComment(_ name: String) -> Bool {
    name.utf8.first == UInt8(ascii: "$") || name.utf8.starts(with: "x-".utf8)
}
