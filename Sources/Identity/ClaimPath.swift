import StrictJSON

/// Where in a token's claims a placeholder looks.
struct ClaimPath: Sendable {
    /// A path with more slashes is refused when it is compiled; it bounds the depth of the walk.
    static let maximumSlashes = 32

    private let bytes: [UInt8]
    private let slashes: [Int]

    /// Nil for a path that is empty, begins with a slash, or holds more slashes than allowed.
    init?(_ bytes: [UInt8]) {
        let slashes = bytes.indices.filter { bytes[$0] == UInt8(ascii: "/") }
        guard !bytes.isEmpty, slashes.first != 0, slashes.count <= Self.maximumSlashes else { return nil }
        self.bytes = bytes
        self.slashes = slashes
    }

    /// The text of every scalar the path leads to; empty strings are left out.
    func texts(in claims: JSON) -> [String] {
        var texts: [String] = []
        collect(claims, from: 0, into: &texts)
        return texts
    }

    /// At most `maximumSlashes` calls deep, because each call consumes one slash of the path.
    private func collect(_ node: JSON, from start: Int, into texts: inout [String]) {
        guard case .object(let members) = node.value else { return }
        if let value = Self.value(of: bytes[start...], in: members) {
            Self.append(value, to: &texts)
            return
        }
        for slash in slashes.reversed() where slash > start {
            guard let inner = Self.value(of: bytes[start..<slash], in: members) else { continue }
            switch inner.value {
            case .object:
                collect(inner, from: slash + 1, into: &texts)
                return
            case .array(let elements):
                for element in elements { collect(element, from: slash + 1, into: &texts) }
                return
            case .null, .bool, .number, .string:
                // A scalar has nothing inside; a shorter prefix may lead further.
                continue
            }
        }
    }

    private static func value(of name: ArraySlice<UInt8>, in members: [JSON.Member]) -> JSON? {
        let wanted = name.span
        members: for member in members {
            guard member.name.utf8.count == wanted.count else { continue }
            let held = member.name.utf8.span
            for index in held.indices where held[index] != wanted[index] { continue members }
            return member.value
        }
        return nil
    }

    private static func append(_ value: JSON, to texts: inout [String]) {
        guard case .array(let elements) = value.value else {
            if let text = text(of: value) { texts.append(text) }
            return
        }
        for element in elements {
            if let text = text(of: element) { texts.append(text) }
        }
    }

    private static func text(of value: JSON) -> String? {
        switch value.value {
        case .string(let text): text.isEmpty ? nil : text
        case .number(let number): number.integer.map { String($0) } ?? number.text
        case .bool(let truth): truth ? "true" : "false"
        case .null, .array, .object: nil
        }
    }
}
