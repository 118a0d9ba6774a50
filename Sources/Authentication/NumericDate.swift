import StrictJSON

/// What a time claim says (RFC 7519 §2): seconds since 1970, perhaps with a fraction, perhaps absurd.
enum NumericDate: Equatable {
    /// The claim is not there.
    case absent
    /// Unix seconds, a fraction rounded up; within the years up to 9999, on both sides of 1970.
    ///
    /// Rounding up is exact for whole-second clocks: `now < e` and `now >= n` mean the same for `e` and its ceiling.
    case at(Int64)
    /// Later than the year 9999: seconds taken for milliseconds, or mischief.
    case absurdlyLate
    /// As far on the other side.
    case absurdlyEarly
    /// Not a number.
    case malformed

    private static let bound: Int64 = 253_402_300_799

    init(_ claim: JSON?) {
        guard let claim else {
            self = .absent
            return
        }
        guard let number = claim.number else {
            self = .malformed
            return
        }
        if let integer = number.integer {
            self = Self.bounded(integer)
            return
        }
        guard let double = number.double else {
            // Too large for a double, hence infinitely late or early as far as anybody is concerned.
            self = number.text.utf8.first == UInt8(ascii: "-") ? .absurdlyEarly : .absurdlyLate
            return
        }
        let rounded = double.rounded(.up)
        // `exactly` because a conversion that does not fit would trap.
        if let integer = Int64(exactly: rounded) {
            self = Self.bounded(integer)
        } else {
            self = rounded < 0 ? .absurdlyEarly : .absurdlyLate
        }
    }

    private static func bounded(_ seconds: Int64) -> NumericDate {
        if seconds > bound { return .absurdlyLate }
        if seconds < -bound { return .absurdlyEarly }
        return .at(seconds)
    }
}

/// The time claims of one token, held against the clock.
struct TimeClaims {
    private let expiry: NumericDate
    private let notBefore: NumericDate
    private let issued: NumericDate

    init(_ claims: JSON) {
        expiry = NumericDate(claims.member("exp"))
        notBefore = NumericDate(claims.member("nbf"))
        issued = NumericDate(claims.member("iat"))
    }

    /// The moment from which no cache may serve the token: `exp`, or `Int64.max` without one.
    ///
    /// All three claims get the same skew: `now < exp + skew`, `now >= nbf - skew`, `now >= iat - skew`.
    func check(_ rules: IssuerRules, now: Int64) throws(InvalidToken) -> Int64 {
        let expires: Int64
        switch expiry {
        case .absent:
            guard !rules.issuer.requireExpiry, rules.issuer.maximumLifetime == nil else { throw .claims }
            expires = .max
        case .at(let time):
            guard now < time + rules.issuer.clockSkew else { throw .expired }
            expires = time
        case .absurdlyEarly: throw .expired
        case .absurdlyLate, .malformed: throw .claims
        }
        try Self.checkStart(notBefore, rules, now)
        try Self.checkStart(issued, rules, now)
        if rules.issuer.profile9068, case .absent = issued { throw .claims }
        if let maximum = rules.issuer.maximumLifetime {
            guard case .at(let start) = issued, expires - start <= maximum else { throw .claims }
        }
        return expires
    }

    private static func checkStart(_ date: NumericDate, _ rules: IssuerRules, _ now: Int64) throws(InvalidToken) {
        switch date {
        case .absent: return
        case .at(let time): guard now >= time - rules.issuer.clockSkew else { throw .notYetValid }
        case .absurdlyLate: throw .notYetValid
        case .absurdlyEarly, .malformed: throw .claims
        }
    }
}
