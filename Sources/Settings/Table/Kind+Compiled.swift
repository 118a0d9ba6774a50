import Authentication
import Identity
import StrictJSON

extension Kind where Value == ClaimTemplate {
    /// A template over a token's claims.
    static var claimTemplate: Kind { claimTemplate(.token) }

    /// A template over what the source gives.
    static func claimTemplate(_ source: ClaimTemplate.Source) -> Kind {
        Kind<String>.text.map(
            { text, json, reading in
                do throws(TemplateError) {
                    return try ClaimTemplate(text, source: source)
                } catch {
                    reading.error("the template \"\(text)\" is wrong \(error.description)", at: json)
                    return nil
                }
            }, back: { $0.text })
    }
}

extension Kind where Value == PasswordHash {
    /// The hash of a secret in PHC notation, here or elsewhere.
    static var passwordHash: Kind {
        Kind<String>.secret.map(
            { text, json, reading in
                do throws(PasswordHashError) {
                    return try PasswordHash(text)
                } catch {
                    // The text itself stays out of the message: it may be a secret that somebody forgot to hash.
                    reading.error("this is no password hash: \(error.description)", at: json)
                    return nil
                }
            }, back: { $0.text })
    }
}
