/// Where an issuer publishes its keys.
package enum KeyLocation: Sendable, Hashable, CustomStringConvertible {
    /// A JWKS document (RFC 7517 §5).
    case url(FetchURL)
    /// An OpenID provider that names its JWKS in `<issuer>/.well-known/openid-configuration`.
    case discovery(issuer: String, FetchURL)

    /// The location for `"discovery": true` (OpenID Connect Discovery 1.0 §4): one slash between, whether or not the
    /// issuer ends with one.
    package static func discovering(issuer: String) throws(KeyFetchError) -> KeyLocation {
        let slash = issuer.utf8.last == UInt8(ascii: "/") ? "" : "/"
        return .discovery(issuer: issuer, try FetchURL("\(issuer)\(slash).well-known/openid-configuration"))
    }

    package var description: String {
        switch self {
        case .url(let url), .discovery(_, let url): url.description
        }
    }
}
