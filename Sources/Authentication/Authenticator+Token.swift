import Identity
import StrictJSON

extension Authenticator {
    /// Everything about a token that can be said without its signature.
    ///
    /// Junk leaves at the first step that condemns it: size, form, header, payload, issuer, algorithm, type, times,
    /// audience, key, length of the signature.
    func signatureProof(
        _ token: ArraySlice<UInt8>, _ named: NamedSolution?, now: Int64, headers: inout TokenHeaders
    ) throws(AuthenticationFailure) -> Proof.Signature {
        let checked: CheckedToken
        do throws(InvalidToken) {
            checked = try check(token, now: now, headers: &headers)
        } catch {
            throw .invalid(error)
        }
        return Proof.Signature(
            form: checked.form, key: try key(of: checked, now: now), authenticator: self, rules: checked.rules,
            named: named, expires: min(checked.expires, named?.expires ?? .max), boundTo: checked.boundTo)
    }

    private struct CheckedToken {
        let form: TokenForm
        let rules: IssuerRules
        let expires: Int64
        let boundTo: SHA256Value?
    }

    private func check(
        _ token: ArraySlice<UInt8>, now: Int64, headers: inout TokenHeaders
    ) throws(InvalidToken) -> CheckedToken {
        guard token.count <= maximumTokenBytes else { throw .tooLarge }
        let form = try TokenForm(token, maximumDepth: maximumDepth, accepting: algorithms, headers: &headers)
        // Not believed yet: `iss` only says whose keys and rules to hold the token to.
        guard let claimed = form.claims.member("iss")?.string, let rules = issuers[ExactName(claimed)] else {
            throw .unknownIssuer
        }
        guard token.count <= rules.issuer.maximumTokenBytes else { throw .tooLarge }
        guard rules.issuer.algorithms.contains(form.header.algorithm) else { throw .algorithm }
        if rules.issuer.maximumDepth < maximumDepth {
            var none = TokenHeaders()
            _ = try TokenForm(
                token, maximumDepth: rules.issuer.maximumDepth, accepting: rules.issuer.algorithms, headers: &none)
        }
        try form.checkType(rules)
        // Times and audience come before the key: a stale token must not send anybody to fetch keys.
        let expires = try TimeClaims(form.claims).check(rules, now: now)
        try form.checkAudience(rules)
        try form.checkProfile(rules)
        return CheckedToken(form: form, rules: rules, expires: expires, boundTo: try form.confirmation())
    }

    private func key(of token: CheckedToken, now: Int64) throws(AuthenticationFailure) -> VerificationKey {
        let source = token.rules.issuer.keys
        guard let keys = source.current else {
            source.missed(keyID: nil, now: now)
            throw .keysUnavailable(issuer: token.rules.issuer.name)
        }
        switch keys.key(token.form.header.keyID, for: token.form.header.algorithm) {
        case .found(let key):
            guard token.form.signature.count == key.signatureLength(for: token.form.header.algorithm) else {
                throw .invalid(.signature)
            }
            return key
        case .unfit:
            throw .invalid(.algorithm)
        case .unknown:
            // Without a `kid` there is nothing a fetch could bring that is known to be missing.
            if let keyID = token.form.header.keyID { source.missed(keyID: keyID, now: now) }
            throw .invalid(.unknownKey)
        }
    }

    // MARK: - What verified claims mean

    /// The principal of a token whose signature has been verified.
    func principal(
        _ claims: JSON, _ rules: IssuerRules, named: NamedSolution?
    ) throws(AuthenticationFailure) -> Principal {
        let subjects: [String]
        let client: String?
        let tenant: String?
        let claimed: String?
        do throws(InvalidToken) {
            subjects = try Self.subjects(claims, rules.issuer.subjects, prefix: rules.issuer.subjectPrefix)
            client = try Self.single(rules.issuer.client, claims)
            tenant = try Self.single(rules.issuer.tenant, claims)
            claimed = try Self.single(rules.issuer.solution, claims)
        } catch {
            throw .invalid(error)
        }
        let solution = named.map { solutions[$0.index].id } ?? claimed
        if let claimed, let solution, !claimed.isByteIdentical(to: solution) { throw .contradictory }
        // There is always a first subject: a token without any was refused before.
        guard let first = subjects.first else { throw .invalid(.claims) }
        return Principal(
            subjects: subjects, solution: solution, tenant: tenant, client: client ?? solution ?? first,
            issuer: rules.issuer.name, credential: .jwt)
    }

    /// All subjects in the order of the templates, each once, with the prefix; without any, the claim `sub`.
    static func subjects(
        _ claims: JSON, _ templates: [ClaimTemplate], prefix: String
    ) throws(InvalidToken) -> [String] {
        var subjects: [String] = []
        for template in templates {
            for value in try resolve(template, claims) {
                let subject = prefix + ":" + value
                // Quadratic, but over no more than `maximumSubjects`, and most tokens have two or three.
                if subjects.contains(where: { $0.isByteIdentical(to: subject) }) { continue }
                guard subjects.count < maximumSubjects else { throw .claims }
                subjects.append(subject)
            }
        }
        if subjects.isEmpty {
            guard let subject = claims.member("sub")?.string, !subject.isEmpty, Principal.canHold(subject) else {
                throw .claims
            }
            subjects.append(prefix + ":" + subject)
        }
        return subjects
    }

    /// One name, or none; several different ones are refused, because picking one would be guessing who calls.
    static func single(_ template: ClaimTemplate?, _ claims: JSON) throws(InvalidToken) -> String? {
        guard let template else { return nil }
        let values = try resolve(template, claims)
        guard let first = values.first else { return nil }
        guard values.allSatisfy({ $0.isByteIdentical(to: first) }) else { throw .claims }
        return first
    }

    private static func resolve(_ template: ClaimTemplate, _ claims: JSON) throws(InvalidToken) -> [String] {
        let values: [String]
        do throws(TemplateOverflow) {
            values = try template.resolve(claims)
        } catch {
            throw .claims
        }
        guard values.allSatisfy(Principal.canHold) else { throw .claims }
        return values
    }
}
