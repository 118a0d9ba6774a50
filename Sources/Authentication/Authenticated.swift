package import Identity

/// A proven caller, and how long the proof may be remembered.
package struct Authenticated: Sendable, Equatable {
    /// Who the caller is.
    package let principal: Principal
    /// Unix seconds from which on no cache may serve this; `Int64.max` when the credentials never expire.
    ///
    /// The earliest expiry of everything presented. A token accepted by virtue of clock skew alone is already past it,
    /// and is proven again for each request until the skew is used up.
    package let expires: Int64
    /// The client certificate without which this proves nothing (RFC 8705 §3); nil for a token that anybody may bear.
    package let boundTo: SHA256Value?

    package init(principal: Principal, expires: Int64, boundTo: SHA256Value? = nil) {
        self.principal = principal
        self.expires = expires
        self.boundTo = boundTo
    }
}
