/// What the `Connection` fields of a head ask for (RFC 9110 §7.6.1).
struct ConnectionOptions: Sendable {
    /// More options than any honest sender has, and few enough that comparing each with every field stays cheap.
    private static let maximumOptions = 64

    private(set) var isClose = false
    private(set) var isKeepAlive = false
    private(set) var isUpgrade = false
    /// Whether an option names a field that must not be removed with the connection.
    private(set) var namesProtectedField = false
    private var namesFields = false
    private var count = 0

    /// Takes note of one `Connection` field.
    mutating func note(_ value: ByteRange, in bytes: RawSpan) -> FieldDefect? {
        var list = TokenList(value)
        while let element = list.next(in: bytes) {
            guard case .token(let option) = element, count < Self.maximumOptions else { return .badConnection }
            count += 1
            if bytes.equalsIgnoringCase(option, "close") {
                isClose = true
            } else if bytes.equalsIgnoringCase(option, "keep-alive") {
                isKeepAlive = true
            } else if bytes.equalsIgnoringCase(option, "upgrade") {
                isUpgrade = true
            } else if FoldedName.kind(of: option, in: bytes, hasUnderscore: false).mayBeNominated {
                namesFields = true
            } else {
                namesProtectedField = true
            }
        }
        return nil
    }

    /// Marks the fields that the options name.
    @inline(__always)
    func markNominated(_ fields: inout [Field], in bytes: RawSpan) {
        if namesFields { markNamed(&fields, in: bytes) }
    }

    @inline(never)
    private func markNamed(_ fields: inout [Field], in bytes: RawSpan) {
        for connection in fields.indices where fields[connection].kind == .connection {
            var list = TokenList(fields[connection].value)
            while case .token(let option)? = list.next(in: bytes) {
                for index in fields.indices
                where fields[index].kind.mayBeNominated && bytes.equalsIgnoringCase(fields[index].name, option) {
                    fields[index].isNominated = true
                }
            }
        }
    }

    /// Whether the connection outlives the exchange as far as this head is concerned (RFC 9112 §9.3).
    func keepsAlive(minorVersion: UInt8) -> Bool {
        !isClose && (minorVersion == 1 || isKeepAlive)
    }

    /// The one `Upgrade` field, when the head asks for an upgrade in a way that counts (RFC 9110 §7.8).
    func upgradeField(in fields: [Field], minorVersion: UInt8) -> Int? {
        guard isUpgrade, minorVersion == 1, let first = fields.firstIndex(where: { $0.kind == .upgrade }),
            fields.lastIndex(where: { $0.kind == .upgrade }) == first
        else { return nil }
        return first
    }
}
