package import Identity

/// A proven caller, and how long the proof may be remembered.
///
/// One object, because it goes from the thread that proves to the loop and through it: a copy would count six texts.
package final class Authenticated: Sendable, Equatable {
    /// Who the caller is.
    package let principal: Principal
    /// Unix seconds from which on no cache may serve this; `Int64.max` when the credentials never expire.
    ///
    /// The earliest expiry of everything presented. A token accepted by virtue of clock skew alone is already past it,
    /// and is proven again for each request until the skew is used up.
    package let expires: Int64
    /// The client certificate without which this proves nothing (RFC 8705 §3); nil for a token that anybody may bear.
    package let boundTo: SHA256Value?
    /// What the proof rested on, for `Proof.renewed`.
    package let evidence: Evidence

    package init(
        principal: Principal, expires: Int64, boundTo: SHA256Value? = nil, evidence: Evidence = .immediate
    ) {
        self.principal = principal
        self.expires = expires
        self.boundTo = boundTo
        self.evidence = evidence
    }

    /// Whether both say the same of the same caller.
    package static func == (left: Authenticated, right: Authenticated) -> Bool {
        left.principal == right.principal && left.expires == right.expires && left.boundTo == right.boundTo
            && left.evidence == right.evidence
    }
}

/// What of the configuration an expensive proof rested on: while it is the same, the same credentials prove the same.
package enum Evidence: Sendable, Equatable {
    /// Nothing but a lookup, which is as well done again.
    case immediate
    /// The key of this fingerprint verified the signature.
    case key([UInt8])
    /// The secret matched this hash, in PHC notation.
    case secret(String)
}
