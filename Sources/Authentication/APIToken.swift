import Crypto
import FoundationEssentials

/// A token minted for a solution, as the gateway keeps it: never the token, only its hash.
///
/// The text is `tgt_` and 43 base64url characters: 256 random bits, so that plain SHA-256 cannot be searched, and a
/// prefix by which secret scanners know it.
package struct APIToken: Sendable, Equatable {
    /// The name under which it is listed and revoked.
    package var id: String
    /// SHA-256 of the token's text; 32 bytes, or the token never matches.
    package var sha256: [UInt8]
    /// Unix seconds from which on it is refused; nil for never.
    package var expires: Int64?

    package init(id: String, sha256: [UInt8], expires: Int64? = nil) {
        self.id = id
        self.sha256 = sha256
        self.expires = expires
    }

    /// How every minted token begins.
    package static let prefix = "tgt_"

    /// Makes a new token of 256 bits. `random` must be fit for secrets: `SystemRandomNumberGenerator` is.
    package static func mint(random: inout some RandomNumberGenerator) -> (token: String, sha256: [UInt8]) {
        var secret: [UInt8] = []
        for _ in 0..<4 {
            let word = random.next()
            for shift in stride(from: 0, to: 64, by: 8) {
                secret.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
            }
        }
        let token = Array(prefix.utf8) + Base64.encodeURL(secret)
        return (String(decoding: token, as: UTF8.self), digest(of: token))
    }

    /// SHA-256 of a token's text: what `sha256` is to hold.
    package static func digest(of token: [UInt8]) -> [UInt8] {
        Array(SHA256.hash(data: token))
    }
}
