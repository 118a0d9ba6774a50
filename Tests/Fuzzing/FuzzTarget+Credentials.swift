import Authentication
import Crypto
import Identity
import TestKit

/// What callers present to prove who they are.
extension FuzzTarget {
    private static let now: Int64 = 1_800_000_000
    private static let apiToken = latin1("tgt_0123456789012345678901234567890123456789012")
    private static let secret = TokenMint(
        keyID: "k1", key: .hmac(SymmetricKey(data: [UInt8](repeating: 7, count: 64)), algorithm: "HS256"))

    /// A token that counts, around these claims.
    private static func token(_ header: [UInt8], _ claims: [UInt8]) -> [UInt8] {
        latin1((try? secret.token(headerBytes: header, payloadBytes: claims)) ?? "")
    }

    private static let header = latin1(#"{"alg":"HS256","typ":"JWT","kid":"k1"}"#)
    private static let payload = latin1(
        #"{"iss":"https://idp.example/","aud":"api://tollgate","sub":"user-1","iat":1799999990,"exp":1800000600,"azp":"lamps"}"#
    )
    /// Most of it may be anything.
    private static let roomy = Array(
        """
        {"iss":"https://idp.example/","aud":"api://tollgate","sub":"a user with a rather long name, for whom there is room",
        "exp":1800000600,"scope":"read write and other things that a token may say, none of which matters here",
        "permissions":["thing:read","thing:write"],"nested":{"a":[1,2.5,-3e4,null,true],"b":{"c":"d"}}}
        """.utf8)
    private static let genuine = token(header, payload)

    private static let authenticator: Authenticator = {
        let algorithms: Set<Algorithm> = [.HS256, .ES256]
        let keys = (try? TokenMint.jwks([secret]).bytes).flatMap { try? KeySet.parse(jwks: $0, for: algorithms) }
        let issuer = Issuer(
            name: "idp", issuer: "https://idp.example/", audiences: ["api://tollgate"], algorithms: algorithms,
            keys: KeySource(initial: keys))
        let lamps = SolutionCredentials(
            id: "lamps", apiTokens: [APIToken(id: "t1", sha256: APIToken.digest(of: apiToken))],
            subjects: ["integration:lamps"])
        return Authenticator(issuers: [issuer], solutions: [lamps])
    }()

    private static func result(_ presented: PresentedCredentials) -> Result<Authenticated, AuthenticationFailure> {
        switch authenticator.begin(presented, allowed: .all, now: now) {
        case .finished(let result): result
        case .pending(let proof): proof.run()
        }
    }

    /// The Authorization field, and behind a line break the field of API tokens.
    static let credentials = FuzzTarget(
        "credentials",
        corpus: [
            latin1("Bearer ") + genuine, latin1("Bearer ") + apiToken + latin1(" "), latin1("Basic bGFtcHM6c2VjcmV0"),
            [10] + apiToken,
            latin1("bearer  ") + genuine + [10] + apiToken,
            latin1("Bearer eyJhbGciOiJub25lIn0.e30."), latin1("Bearer eyJhbGciOiJFUzI1NiIsImtpZCI6ImsxIn0.e30.AAAA"),
        ],
        words: [
            "Bearer ", "Basic ", "Digest ", ".", "..", "=", "==", "\n", " ", "\t", ",", "eyJ", "e30", "tgt_", "\u{0}",
            "\u{FF}",
            "Bearer Bearer ", "bGFtcHM6", "Og==",
        ].map { latin1($0) }
    ) { bytes in
        let parts = bytes.split(separator: 10, maxSplits: 1, omittingEmptySubsequences: false)
        let presented = PresentedCredentials(
            authorization: parts.first.flatMap { $0.isEmpty ? nil : Array($0) },
            apiToken: parts.count > 1 ? Array(parts[1]) : nil)
        let outcome = result(presented)
        guard outcome == result(presented) else { return .wrong("the same credentials prove something else") }
        guard case .success(let authenticated) = outcome else { return .refused }
        // White space around a field is none of it (RFC 9110 §5.5).
        var carried = presented.authorization ?? []
        while carried.last == UInt8(ascii: " ") { carried.removeLast() }
        let isProven =
            presented.apiToken == apiToken || carried.suffix(genuine.count) == genuine[...]
            || carried.suffix(apiToken.count) == apiToken[...]
        guard isProven else { return .wrong("what nobody has handed out is believed") }
        return authenticated.expires > now ? .taken : .wrong("something expired is believed")
    }

    /// Header and claims of a token whose signature is right, a line each.
    static let claims = FuzzTarget(
        "claims",
        corpus: [
            header + [10] + payload, header + [10] + roomy, header + [10] + latin1(#"{"iss":"https://idp.example/"}"#),
        ],
        words: [
            #""aud":["api://tollgate","b"]"#, #""sub":null"#, #""exp":1e400"#, #""exp":-1"#,
            #""exp":9223372036854775807"#,
            #""nbf":1800000000"#, #""iat":1.5"#, #""alg":"none""#, #""crit":["b64"]"#, #""b64":false"#,
            #""typ":"at+jwt""#,
            #""cnf":{"x5t#S256":"AAAA"}"#, #""sub":"\u0000""#, #""sub":"\ud800""#, "{", "}", "[", "]", ",", ":", "\"",
            "\\", "null",
            "[[[[[[[[[[[[[[[[[[", "0", "1e9", "true", "\u{E9}",
        ].map { latin1($0) }
    ) { bytes in
        let parts = bytes.split(separator: 10, maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return .refused }
        let presented = PresentedCredentials(authorization: latin1("Bearer ") + token(Array(parts[0]), Array(parts[1])))
        let outcome = result(presented)
        guard outcome == result(presented) else { return .wrong("the same token proves something else") }
        guard case .success(let authenticated) = outcome else { return .refused }
        let subjects = authenticated.principal.subjects
        guard (1...Authenticator.maximumSubjects).contains(subjects.count) else { return .wrong("a caller is nobody") }
        guard authenticated.expires > now - 11 else { return .wrong("something expired is believed") }
        return .taken
    }
}
