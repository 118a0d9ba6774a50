package import Audit
import Authentication
package import Identity
package import Policy
package import RateLimit
package import Wire

/// One proven caller, ready to be admitted again and again: everything a request needs that does not depend on it.
///
/// Made once per credential and snapshot, immutable, and shared by every cache that holds it. There may be hundreds of
/// thousands: it is one object and one text, and names are not kept a second time beside the fields that tell them.
package final class Admission: Sendable {
    /// The client's bucket.
    package let cell: Cell
    /// What each policy of the snapshot says about the caller's subjects, by the index of its engine.
    package let views: [PolicyView]
    /// The members of the audit record that say who the caller was; the identity fields stand in front of them.
    package let auditMembers: IdentityFragment
    /// A stable hash of the client, by which it keeps its endpoint and its side of a canary split.
    package let affinity: UInt64
    /// Unix seconds from which on nothing may be decided by this any more: the credential's expiry, or the first
    /// moment at which a policy may say something else about the caller.
    package let expires: Int64
    /// The client certificate that a connection has to have shown (RFC 8705 §3).
    let boundTo: SHA256Value?
    /// What the proof rested on.
    let evidence: Evidence
    private let issuer: String?
    private let credential: CredentialKind
    /// Whether the caller's solution is known.
    let hasSolution: Bool
    private let listStart: UInt32
    private let listEnd: UInt32

    init(
        principal: Principal, cell: Cell, views: [PolicyView], expires: Int64, boundTo: SHA256Value?, evidence: Evidence
    ) {
        self.evidence = evidence
        self.cell = cell
        self.views = views
        let fields = IdentityFields(principal)
        auditMembers = IdentityFragment.render(principal, behind: fields.bytes)
        listStart = UInt32(clamping: fields.list.lowerBound)
        listEnd = UInt32(clamping: fields.list.upperBound)
        issuer = principal.issuer
        credential = principal.credential
        hasSolution = principal.solution != nil
        var client = StableHash()
        if let issuer = principal.issuer { client.combine(issuer.utf8.span) }
        client.combine(0)
        client.combine(principal.client.utf8.span)
        self.affinity = client.value
        self.expires = expires
        self.boundTo = boundTo
    }

    /// How many bytes `appendIdentityFields` appends.
    package var identityCount: Int { auditMembers.leadCount }

    /// Appends the identity header fields towards the upstream, rendered with their line ends.
    package func appendIdentityFields(to out: inout ByteWriter) {
        auditMembers.withLead { out.append($0) }
    }

    /// Appends the value of `x-ditto-pre-authenticated` for routes that set it: the list of subjects, as it stands in the
    /// fields.
    package func appendPreAuthenticated(to out: inout ByteWriter) {
        auditMembers.withLead { out.append($0.extracting(Int(listStart)..<Int(listEnd))) }
    }

    /// Who the caller is, read back from the fields. For explanations: allocates.
    package var principal: Principal {
        IdentityFields.principal(auditMembers.lead, issuer: issuer, credential: credential)
    }

    /// About how many bytes of memory this takes, with its bucket and its places in tables.
    var size: Int { auditMembers.leadCount + auditMembers.count + 384 }
}
