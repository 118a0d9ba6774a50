import StrictJSON

/// Where an issuer's keys come from.
package enum KeysSettings: Sendable {
    /// A JSON Web Key Set from a file, as it was when the configuration was read.
    case file(path: String, document: [UInt8])
    /// A JSON Web Key Set that stands in the configuration.
    case inline(document: [UInt8])
    /// A JSON Web Key Set that is fetched and refreshed.
    case url(String)
    /// The `jwks_uri` of the issuer's `/.well-known/openid-configuration`, fetched and refreshed.
    case discovery

    /// The key set that is at hand without fetching.
    package var document: [UInt8]? {
        switch self {
        case .file(_, let document), .inline(let document): document
        case .url, .discovery: nil
        }
    }

    /// The object as it stands in the file.
    struct Form: Sendable {
        var file: String?
        var jwks: JSON?
        var secret: String?
        var url: String?
        var discovery: Bool?
    }

    static let shape = Shape<Form>(
        "Keys", "Where an issuer's public keys come from; exactly one of the members.", prototype: Form(),
        exactlyOneOf: ["file", "jwks", "secret", "url", "discovery"],
        [
            Field("file", \.file, .optional(.path), "A JSON Web Key Set (RFC 7517) in a file, read at every reload."),
            Field("jwks", \.jwks, .optional(.anyObject), "A JSON Web Key Set in place."),
            Field("secret", \.secret, .optional(.secret), "The shared secret of HS256, HS384 or HS512."),
            Field("url", \.url, .optional(.webAddress), "Where a JSON Web Key Set is fetched and refreshed."),
            Field(
                "discovery", \.discovery, .optional(.bool),
                "true: ask the issuer's /.well-known/openid-configuration where the keys are."),
        ])

    static var kind: Kind<KeysSettings?> {
        Kind<Form>.object(shape).map(
            { form, json, reading in
                if let path = form.file {
                    guard let file = json.member("file") else { return nil }
                    let document = reading.at(.member("file")) { $0.fileBytes(path, namedAt: file) }
                    return document.map { .some(.file(path: path, document: $0)) }
                }
                if let jwks = form.jwks {
                    var writer = JSONWriter()
                    writer.value(jwks)
                    return .some(.inline(document: writer.finish()))
                }
                if let secret = form.secret { return .some(.inline(document: keySet(ofSecret: secret))) }
                if let url = form.url { return .some(.url(url)) }
                if form.discovery == true { return .some(.discovery) }
                if form.discovery == false {
                    reading.error("\"discovery\" can only be true; name another source of keys instead", at: json)
                }
                return nil
            },
            back: { _ in nil })
    }

    /// A key set of one symmetric key (RFC 7518 §6.4).
    private static func keySet(ofSecret secret: String) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("keys") { writer in
                writer.array { writer in
                    writer.object { writer in
                        writer.member("kty", "oct")
                        writer.member("k", base64url(Array(secret.utf8)))
                    }
                }
            }
        }
        return writer.finish()
    }

    /// RFC 4648 §5 without padding.
    private static func base64url(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let bits = group.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } << (8 * UInt32(3 - group.count))
            for digit in 0...group.count {
                text.append(alphabet[Int(bits >> (18 - 6 * UInt32(digit)) & 0x3f)])
            }
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension Kind where Value == JSON {
    /// Any object, whose contents somebody else knows.
    static var anyObject: Kind {
        Kind(
            schema: { _ in .members(["type": .text("object")]) },
            read: { json, reading in
                if json.object != nil { return json }
                reading.error("expected an object, found \(json.shapeName)", at: json)
                return nil
            },
            write: { $0 })
    }
}

extension Kind where Value == String {
    /// An address that is fetched: https, or http where nobody in between can change the answer.
    static var webAddress: Kind {
        Kind<String>.text.map(
            { text, json, reading in
                guard let place = webOrigin(of: text) else {
                    reading.error("\"\(text)\" is no address to fetch from; write \"https://host/path\"", at: json)
                    return nil
                }
                guard place.isSecure || place.origin.isLoopback else {
                    reading.error(
                        "keys fetched over http:// can be replaced on the way, and then anybody can make tokens;"
                            + " use https://", at: json)
                    return nil
                }
                return text
            }, back: { $0 })
    }
}

/// Scheme and authority of an absolute http or https URL without user information; nil for anything else.
func webOrigin(of url: String) -> (isSecure: Bool, origin: HostAndPort)? {
    guard url.utf8.allSatisfy({ (0x21...0x7e).contains($0) }) else { return nil }
    let lowercased = url.lowercased()
    let isSecure = lowercased.hasPrefix("https://")
    guard isSecure || lowercased.hasPrefix("http://") else { return nil }
    let rest = url.dropFirst(isSecure ? "https://".count : "http://".count)
    let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    guard !rest.contains("#"), let origin = try? HostAndPort(String(authority), defaultPort: isSecure ? 443 : 80)
    else { return nil }
    return (isSecure, origin)
}
