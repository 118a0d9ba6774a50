import Identity
import StrictJSON

/// The header of the token before, which those of one issuer share for as long as they are signed with one key.
package struct TokenHeaders: Sendable {
    fileprivate var last: TokenHeader?

    package init() {}
}

/// A token's header (RFC 7515 §4.1): the members that decide how to go on. One object, which tokens share.
final class TokenHeader: Sendable {
    let algorithm: Algorithm
    /// `kid`; nil when the header has none.
    let keyID: String?
    /// `typ`; nil when the header has none.
    let type: MediaType?
    /// What it was read from, and under which bound.
    private let segment: [UInt8]
    private let maximumDepth: Int

    /// Reads a header.
    private init(_ segment: ArraySlice<UInt8>, _ limits: JSON.Limits) throws(InvalidToken) {
        let header = try TokenForm.object(segment, limits)
        guard let name = header.member("alg")?.string, let algorithm = Algorithm(name: name) else { throw .algorithm }
        guard header.member("crit") == nil else { throw .critical }
        if let type = header.member("typ"), type.string == nil { throw .type }
        if let keyID = header.member("kid"), keyID.string == nil { throw .unknownKey }
        self.algorithm = algorithm
        self.keyID = header.member("kid")?.string
        self.type = header.member("typ")?.string.map(MediaType.init)
        self.segment = Array(segment)
        self.maximumDepth = limits.maximumDepth
    }

    private func isRead(from other: ArraySlice<UInt8>) -> Bool {
        let held = segment
        return held.span.isEqual(to: other.span)
    }

    /// Reads a header, unless it is that of the token before.
    static func read(
        _ segment: ArraySlice<UInt8>, _ limits: JSON.Limits, last: TokenHeader?
    ) throws(InvalidToken) -> TokenHeader {
        if let last, last.maximumDepth == limits.maximumDepth, last.isRead(from: segment) { return last }
        return try TokenHeader(segment, limits)
    }
}

/// `typ` as a media type without its `application/` (RFC 7515 §4.1.9), in lower case.
struct MediaType: Sendable, Equatable {
    private let name: [UInt8]

    init(_ text: String) {
        let lower = text.utf8.map { (0x41...0x5a).contains($0) ? $0 | 0x20 : $0 }
        name = lower.starts(with: Self.prefix) ? Array(lower.dropFirst(Self.prefix.count)) : lower
    }

    private static let prefix = Array("application/".utf8)
    static let jwt = MediaType("jwt")
    static let accessToken = MediaType("at+jwt")
}

/// A token taken apart: three segments, decoded, and the header's members that decide how to go on (RFC 7515 §7.1).
struct TokenForm {
    let header: TokenHeader
    /// The payload, an object.
    let claims: JSON
    /// What was signed: header, dot and payload as they stood.
    let signed: ArraySlice<UInt8>
    let signature: [UInt8]

    /// Takes a token apart and refuses what cannot be one, before anything is believed of it.
    ///
    /// Linear in the token's length; JSON is bounded in depth and number of values before it is read. `jku`, `jwk`,
    /// `x5u` and `x5c` are never looked at, `zip` means nothing in a JWS, and any `crit` is refused since nothing
    /// critical is understood here (RFC 7515 §4.1.11).
    init(
        _ token: ArraySlice<UInt8>, maximumDepth: Int, accepting algorithms: Set<Algorithm>,
        headers: inout TokenHeaders
    ) throws(InvalidToken) {
        let bytes = token.span
        guard let first = bytes.firstIndex(of: Self.dot),
            let second = bytes.firstIndex(of: Self.dot, from: first + 1),
            bytes.firstIndex(of: Self.dot, from: second + 1) == nil
        else { throw .format }
        let (firstDot, secondDot) = (token.startIndex + first, token.startIndex + second)
        let limits = JSON.Limits(
            maximumBytes: token.count, maximumDepth: maximumDepth, maximumValues: JSON.Limits.token.maximumValues)

        header = try TokenHeader.read(token[..<firstDot], limits, last: headers.last)
        guard algorithms.contains(header.algorithm) else { throw .algorithm }
        headers.last = header

        // The signature's form is cheap to judge, so it comes before the payload is read.
        guard let signature = Base64.decodeURL(token[(secondDot + 1)...]) else { throw .format }
        claims = try Self.object(token[(firstDot + 1)..<secondDot], limits)
        self.signature = signature
        signed = token[..<secondDot]
    }

    private static let dot = UInt8(ascii: ".")

    fileprivate static func object(_ segment: ArraySlice<UInt8>, _ limits: JSON.Limits) throws(InvalidToken) -> JSON {
        guard let bytes = Base64.decodeURL(segment), let json = try? JSON.parse(bytes, limits: limits),
            json.object != nil
        else { throw .format }
        return json
    }

    // MARK: - What the issuer asks of it

    /// Keeps tokens of another kind out: a logout token or a DPoP proof is no access token (RFC 8725 §3.11).
    func checkType(_ rules: IssuerRules) throws(InvalidToken) {
        if let required = rules.requiredType {
            guard header.type == required else { throw .type }
        } else if rules.issuer.profile9068 {
            guard header.type == .accessToken else { throw .type }
        } else if let presented = header.type {
            guard presented == .jwt || presented == .accessToken else { throw .type }
        }
    }

    /// `aud` is a string or an array of strings, and one of them is ours, byte for byte (RFC 7519 §4.1.3).
    func checkAudience(_ rules: IssuerRules) throws(InvalidToken) {
        guard let audience = claims.member("aud") else { throw .audience }
        if let single = audience.string {
            guard Self.isOurs(single, rules) else { throw .audience }
            return
        }
        guard let several = audience.array else { throw .claims }
        var isOurs = false
        for element in several {
            guard let name = element.string else { throw .claims }
            if Self.isOurs(name, rules) { isOurs = true }
        }
        guard isOurs else { throw .audience }
    }

    private static func isOurs(_ audience: String, _ rules: IssuerRules) -> Bool {
        rules.issuer.audiences.contains { $0.isByteIdentical(to: audience) }
    }

    /// The thumbprint in `cnf` (RFC 8705 §3.1), nil without one; other ways of confirmation are not ours to heed
    /// (RFC 7800 §3.1).
    func confirmation() throws(InvalidToken) -> SHA256Value? {
        guard let confirmation = claims.member("cnf") else { return nil }
        guard confirmation.object != nil else { throw .claims }
        guard let thumbprint = confirmation.member("x5t#S256") else { return nil }
        guard let text = thumbprint.string, let bytes = Base64.decodeURL(Array(text.utf8)[...]),
            let value = SHA256Value(bytes)
        else { throw .claims }
        return value
    }

    /// `sub` is a string when present; under RFC 9068 §2.2 it must be, as must `client_id` and `jti`.
    func checkProfile(_ rules: IssuerRules) throws(InvalidToken) {
        if let subject = claims.member("sub"), subject.string == nil { throw .claims }
        guard rules.issuer.profile9068 else { return }
        for name in ["sub", "client_id", "jti"] {
            guard let text = claims.member(name)?.string, !text.isEmpty else { throw .claims }
        }
    }
}
