import Identity

/// The value of an `Authorization` field, sorted by what it is to this gateway (RFC 9110 §11.6.2).
enum Authorization {
    /// Absent, of a scheme unknown here, or of a kind the route does not accept.
    case none
    /// `Bearer` with something that has the look of a JWT.
    case jwt(ArraySlice<UInt8>)
    /// `Bearer` with anything else.
    case apiToken(ArraySlice<UInt8>)
    /// `Basic`, split at the first colon (RFC 7617 §2).
    case basic(id: ArraySlice<UInt8>, secret: ArraySlice<UInt8>)

    /// Reads a field value. Schemes are case-insensitive; syntax is only judged for schemes the route accepts.
    ///
    /// An unknown scheme counts as no credential: the answer is then the challenge that names the right one.
    init(_ field: [UInt8]?, allowed: CredentialSet) throws(AuthenticationFailure) {
        self = .none
        guard let field else { return }
        guard let schemeStart = field.firstIndex(where: { $0 != Self.space }) else {
            throw .malformed("The Authorization field is empty.")
        }
        let schemeEnd = field[schemeStart...].firstIndex(of: Self.space) ?? field.endIndex
        let scheme = field[schemeStart..<schemeEnd]
        let parameter = Self.trimmed(field[schemeEnd...])
        if Self.isEqualIgnoringCase(scheme, "bearer"), !allowed.isDisjoint(with: [.jwt, .apiToken]) {
            try readBearer(parameter, allowed)
        } else if Self.isEqualIgnoringCase(scheme, "basic"), allowed.contains(.basic) {
            try readBasic(parameter)
        }
    }

    private mutating func readBearer(
        _ token: ArraySlice<UInt8>, _ allowed: CredentialSet
    ) throws(AuthenticationFailure) {
        guard !token.isEmpty else { throw .malformed("The Bearer token is empty.") }
        let bytes = token.span
        guard bytes.firstIndex(of: Self.space) == nil, bytes.firstIndex(of: 0x09) == nil else {
            throw .malformed("One Bearer token is wanted, without white space.")
        }
        // Every JWS has dots, and its first segment is base64url of `{"`. Minted API tokens have neither.
        if bytes.firstIndex(of: UInt8(ascii: ".")) != nil || token.starts(with: "eyJ".utf8) {
            if allowed.contains(.jwt) { self = .jwt(token) }
        } else if allowed.contains(.apiToken) {
            self = .apiToken(token)
        }
    }

    private mutating func readBasic(_ text: ArraySlice<UInt8>) throws(AuthenticationFailure) {
        guard !text.isEmpty, let pair = Base64.decodePadded(text) else {
            throw .malformed("The Basic credentials are not base64.")
        }
        guard let colon = pair.firstIndex(of: UInt8(ascii: ":")), colon > 0 else {
            throw .malformed("The Basic credentials must be an id, a colon and a secret.")
        }
        self = .basic(id: pair[..<colon], secret: pair[(colon + 1)...])
    }

    private static let space = UInt8(ascii: " ")

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var bytes = bytes.drop { $0 == space }
        while bytes.last == space { bytes.removeLast() }
        return bytes
    }

    /// `lower` is in lower case.
    private static func isEqualIgnoringCase(_ bytes: ArraySlice<UInt8>, _ lower: StaticString) -> Bool {
        let bytes = bytes.span
        // Unsafe: the literal is lent for the call.
        return lower.withUTF8Buffer { lower in
            guard bytes.count == lower.count else { return false }
            for index in bytes.indices {
                let byte = bytes[index]
                guard unsafe (0x41...0x5a ~= byte ? byte | 0x20 : byte) == lower[index] else { return false }
            }
            return true
        }
    }
}
