import Settings

/// The credentials of `demo/`, which everybody can read: fine for a first look, fatal in production.
enum DemoCredentials {
    /// The hash of `demo/lamps.token`.
    static let tokenHash = "457ed88bdff4caa17e05b91a0381fdda51df4cc8f35255f81644db54b2ed248d"
    /// How the modulus in `demo/issuer.jwks.json` begins.
    static let modulus = "0B5EDXviwaBCM8is_KY6x27MKLGXbqvCiLuPwC-2lT1ew8nQUGiYQZZutKe6lUnw"

    /// A sentence for each use in the configuration.
    static func uses(in settings: GatewaySettings) -> [String] {
        var uses: [String] = []
        for issuer in settings.issuers {
            guard let document = issuer.keys?.document, contains(document, Array(modulus.utf8)) else { continue }
            uses.append(
                "the issuer \"\(issuer.name)\" trusts the public key of demo/: remove it before production")
        }
        for solution in settings.solutions {
            for token in solution.apiTokens where hexadecimal(token.sha256) == tokenHash {
                uses.append(
                    "the solution \"\(solution.name)\" has the token of demo/, which everybody knows:"
                        + " remove it before production")
            }
        }
        return uses
    }

    private static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    private static func contains(_ document: [UInt8], _ part: [UInt8]) -> Bool {
        guard document.count >= part.count else { return false }
        return (0...(document.count - part.count)).contains { document[$0...].starts(with: part) }
    }
}
