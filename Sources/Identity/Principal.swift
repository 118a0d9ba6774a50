/// Who a caller is, once that is proven: what policies, limits, upstream headers and audit records go by.
///
/// No text in here holds a control character, or begins or ends with a blank: Authentication refuses a token that would put one
/// there, and Settings a solution's subject.
package struct Principal: Sendable, Equatable {
    /// The subjects policies name, most significant first; empty for an anonymous caller.
    package var subjects: [String]
    /// The solution on whose behalf the call is made.
    package var solution: String?
    /// The tenant, when the issuer names one.
    package var tenant: String?
    /// Whose rate limit is spent. Two issuers may give the same text: a limiter's key takes `issuer` along.
    package var client: String
    /// The configured name of the issuer; nil when no JWT was presented.
    package var issuer: String?
    /// What proved all this. A JWT beside an API token counts as `jwt`.
    package var credential: CredentialKind

    package init(
        subjects: [String], solution: String? = nil, tenant: String? = nil, client: String, issuer: String? = nil,
        credential: CredentialKind
    ) {
        self.subjects = subjects
        self.solution = solution
        self.tenant = tenant
        self.client = client
        self.issuer = issuer
        self.credential = credential
    }

    /// The first subject.
    package var subject: String? { subjects.first }

    /// Byte-wise: `String ==` would take two canonically equivalent names for one.
    package static func == (left: Principal, right: Principal) -> Bool {
        left.credential == right.credential
            && left.client.isByteIdentical(to: right.client)
            && hasSameBytes(left.solution, right.solution)
            && hasSameBytes(left.tenant, right.tenant)
            && hasSameBytes(left.issuer, right.issuer)
            && left.subjects.count == right.subjects.count
            && zip(left.subjects, right.subjects).allSatisfy { $0.isByteIdentical(to: $1) }
    }

    private static func hasSameBytes(_ left: String?, _ right: String?) -> Bool {
        switch (left, right) {
        case (nil, nil): true
        case (let left?, let right?): left.isByteIdentical(to: right)
        case (nil, _?), (_?, nil): false
        }
    }
}

extension Principal {
    /// Whether a text can become a header field and a log line: no control characters, C1 (U+0080...U+009F) included, and no
    /// blank at either end, where it would be none of the field (RFC 9110 §5.5), so that an upstream takes two callers for one.
    package static func canHold(_ text: String) -> Bool {
        var previous: UInt8 = 0
        let bytes = text.utf8.span
        let blank = UInt8(ascii: " ")
        guard bytes.isEmpty || bytes[0] != blank && bytes[bytes.count - 1] != blank else { return false }
        for index in bytes.indices {
            let byte = bytes[index]
            if byte < 0x20 || byte == 0x7f || (previous == 0xc2 && byte < 0xa0) { return false }
            previous = byte
        }
        return true
    }
}
