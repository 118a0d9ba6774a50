/// One JSON value and the place where it stood in the document (RFC 8259).
///
/// Values keep the order of members and the text of numbers. Member names are unique, byte by byte, because
/// `JSON.parse` refuses a document in which one object names a member twice.
package struct JSON: Sendable {
    /// Where the value begins: a byte offset from the start of the document.
    package let offset: Int
    /// What stood there.
    package let value: Value

    /// Makes a value by hand; `offset` matters only to error messages.
    package init(offset: Int = 0, value: Value) {
        self.offset = offset
        self.value = value
    }

    /// The seven shapes a JSON value can have, with booleans as one.
    package enum Value: Sendable {
        case null
        case bool(Bool)
        case number(Number)
        case string(String)
        case array([JSON])
        case object([Member])
    }

    /// A name and its value within an object.
    package struct Member: Sendable {
        /// The name after unescaping; valid UTF-8, not normalised.
        package let name: String
        /// The byte offset of the name's opening quote.
        package let nameOffset: Int
        /// The member's value.
        package let value: JSON

        /// Makes a member by hand; `nameOffset` matters only to error messages.
        package init(name: String, nameOffset: Int = 0, value: JSON) {
            self.name = name
            self.nameOffset = nameOffset
            self.value = value
        }
    }

    /// The bounds a document is held to; none of them can be switched off.
    package struct Limits: Sendable {
        /// Documents longer than this are refused unread.
        package var maximumBytes: Int
        /// Arrays and objects inside each other; a scalar document has depth 0. Values above 512 count as 512.
        package var maximumDepth: Int
        /// Every scalar, array and object counts as one value; member names do not count.
        package var maximumValues: Int

        /// Sets the three bounds.
        package init(maximumBytes: Int, maximumDepth: Int, maximumValues: Int) {
            self.maximumBytes = maximumBytes
            self.maximumDepth = maximumDepth
            self.maximumValues = maximumValues
        }

        /// For what strangers send: 64 KiB, 16 levels, 4096 values.
        package static let token = Limits(maximumBytes: 65_536, maximumDepth: 16, maximumValues: 4_096)
        /// For what the operator writes: 16 MiB, 64 levels, a million values.
        package static let configuration = Limits(
            maximumBytes: 16_777_216, maximumDepth: 64, maximumValues: 1_000_000)
    }
}

extension JSON {
    /// The member with exactly these UTF-8 bytes as its name, or nil when there is none or this is no object.
    ///
    /// Linear in the number of members. Swift's `==` on strings is not used: it equates different byte sequences.
    package func member(_ name: String) -> JSON? {
        guard case .object(let members) = value else { return nil }
        // By index: a member that is copied to be looked at costs four references.
        for index in members.indices where members[index].name.hasSameBytes(as: name) {
            return members[index].value
        }
        return nil
    }

    /// The text, when this is a string.
    package var string: String? {
        if case .string(let text) = value { text } else { nil }
    }

    /// The truth value, when this is `true` or `false`.
    package var bool: Bool? {
        if case .bool(let truth) = value { truth } else { nil }
    }

    /// The number, when this is one.
    package var number: Number? {
        if case .number(let number) = value { number } else { nil }
    }

    /// The elements, when this is an array.
    package var array: [JSON]? {
        if case .array(let elements) = value { elements } else { nil }
    }

    /// The members in document order, when this is an object.
    package var object: [Member]? {
        if case .object(let members) = value { members } else { nil }
    }

    /// True for `null`.
    package var isNull: Bool {
        if case .null = value { true } else { false }
    }
}

extension String {
    /// Whether both strings are the same UTF-8 bytes; unlike `==` it does not equate canonically equivalent text.
    package func hasSameBytes(as other: String) -> Bool {
        // What is not even canonically equivalent is cheaply told: short strings are compared as two words.
        guard utf8.count == other.utf8.count, self == other else { return false }
        let (left, right) = (utf8.span, other.utf8.span)
        for index in left.indices where left[index] != right[index] { return false }
        return true
    }
}
