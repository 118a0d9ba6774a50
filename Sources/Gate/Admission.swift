package import Audit
import Authentication
package import Identity
package import Policy
package import RateLimit
import Wire

/// One proven caller, ready to be admitted again and again: everything a request needs that does not depend on it.
///
/// Made once per credential and snapshot, immutable, and shared by every cache that holds it.
package final class Admission: Sendable {
    package let principal: Principal
    /// The client's bucket.
    package let cell: Cell
    /// What each policy of the snapshot says about the caller's subjects, by the index of its engine.
    package let views: [PolicyView]
    /// The identity header fields towards the upstream, rendered with their line ends.
    package let identityFields: [UInt8]
    /// The value of `x-ditto-pre-authenticated` for routes that set it.
    package let preAuthenticated: [UInt8]
    /// The members of the audit record that say who the caller was.
    package let auditMembers: IdentityFragment
    /// A stable hash of the client, by which it keeps its endpoint and its side of a canary split.
    package let affinity: UInt64
    /// Unix seconds from which on nothing may be decided by this any more: the credential's expiry, or the first
    /// moment at which a policy may say something else about the caller.
    package let expires: Int64
    /// The client certificate that a connection has to have shown (RFC 8705 §3).
    let boundTo: SHA256Value?
    /// The credentials, to be looked at again while a stream lasts that they opened; nil where it was the connection's
    /// certificate. Shares its bytes with the caches.
    let key: CredentialKey?
    /// What their proof rested on.
    let evidence: Evidence

    init(
        principal: Principal, cell: Cell, views: [PolicyView], expires: Int64, boundTo: SHA256Value?,
        key: CredentialKey?, evidence: Evidence
    ) {
        self.principal = principal
        self.key = key
        self.evidence = evidence
        self.cell = cell
        self.views = views
        self.identityFields = IdentityFields.render(principal)
        self.preAuthenticated = IdentityFields.renderPreAuthenticated(principal)
        self.auditMembers = IdentityFragment.render(principal)
        var client = StableHash()
        client.combine((principal.issuer ?? "").utf8)
        client.combine(CollectionOfOne(0))
        client.combine(principal.client.utf8)
        self.affinity = client.value
        self.expires = expires
        self.boundTo = boundTo
    }
}

/// How a principal is told to the upstream.
enum IdentityFields {
    /// The fields of CONTRACT.md, each on its line; absent ones are left out.
    static func render(_ principal: Principal) -> [UInt8] {
        var out: [UInt8] = []
        append("x-tollgate-subject", principal.subject, to: &out)
        if !principal.subjects.isEmpty {
            out += "x-tollgate-subjects: ".utf8
            for (index, subject) in principal.subjects.enumerated() {
                if index > 0 { out.append(UInt8(ascii: ",")) }
                appendListMember(subject, to: &out)
            }
            out += "\r\n".utf8
        }
        append("x-tollgate-solution", principal.solution, to: &out)
        append("x-tollgate-tenant", principal.tenant, to: &out)
        append("x-tollgate-client", principal.client, to: &out)
        return out
    }

    /// `issuer:subject[,issuer:subject]`, as Ditto's pre-authentication takes it.
    static func renderPreAuthenticated(_ principal: Principal) -> [UInt8] {
        var out: [UInt8] = []
        for (index, subject) in principal.subjects.enumerated() {
            if index > 0 { out.append(UInt8(ascii: ",")) }
            appendListMember(subject, to: &out)
        }
        return out
    }

    private static func append(_ name: String, _ value: String?, to out: inout [UInt8]) {
        guard let value else { return }
        out += name.utf8
        out += ": ".utf8
        out += value.utf8
        out += "\r\n".utf8
    }

    /// A comma inside a subject is percent-encoded, and with it the percent sign: else a subject of the caller's
    /// choosing could pass for two.
    private static func appendListMember(_ subject: String, to out: inout [UInt8]) {
        for byte in subject.utf8 {
            switch byte {
            case UInt8(ascii: ","): out += "%2C".utf8
            case UInt8(ascii: "%"): out += "%25".utf8
            case _: out.append(byte)
            }
        }
    }
}
