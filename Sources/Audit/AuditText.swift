package import Identity

/// A text that is escaped once and copied into many records: a route's name, a policy entry, a peer's address.
///
/// Holding the escaped bytes in a type of their own is what lets the ring copy them without looking at them.
package struct AuditText: Sendable, Equatable {
    /// Most bytes of rendered content; longer texts are cut and end in U+2026.
    package static let maximumBytes = 1_024

    /// The inside of a JSON string, without quotes.
    package let escaped: [UInt8]

    /// Escapes a text. Linear in its length, allocates.
    package init(_ text: String) {
        self.init(utf8: Array(text.utf8))
    }

    /// Escapes bytes that should be UTF-8; what is not becomes U+FFFD. Linear in their number, allocates.
    package init(utf8: [UInt8]) {
        escaped = AuditText.escape(utf8)
    }

    static func escape(_ bytes: [UInt8]) -> [UInt8] {
        // Unsafe: the cursor lives only inside the closure, and the array it fills is the closure's own.
        unsafe [UInt8](unsafeUninitializedCapacity: maximumBytes + 8) { buffer, initialized in
            var line = unsafe AuditLine(buffer)
            line.appendContent(bytes.span, limit: maximumBytes)
            initialized = line.count
        }
    }
}

/// The members of a record that say who the caller was, rendered once per admission.
///
/// `"subject":…,"solution":…,"tenant":…,"client":…,"issuer":…,"credential":…`, without braces.
package struct IdentityFragment: Sendable, Equatable {
    /// The rendered members.
    package let bytes: [UInt8]

    /// Nobody was authenticated: every member is null and the credential is `none`.
    package static let none = IdentityFragment(
        subject: nil, solution: nil, tenant: nil, client: nil, issuer: nil, credential: "\(CredentialKind.none.label)")

    /// Renders a principal; each member is bounded by `AuditText.maximumBytes`.
    package static func render(_ principal: Principal) -> IdentityFragment {
        IdentityFragment(
            subject: principal.subject, solution: principal.solution, tenant: principal.tenant,
            client: principal.client, issuer: principal.issuer, credential: "\(principal.credential.label)")
    }

    private init(
        subject: String?, solution: String?, tenant: String?, client: String?, issuer: String?, credential: String
    ) {
        var bytes: [UInt8] = []
        let members: [(name: String, value: String?)] = [
            ("subject", subject), ("solution", solution), ("tenant", tenant), ("client", client), ("issuer", issuer),
            ("credential", credential),
        ]
        for (name, value) in members {
            if !bytes.isEmpty { bytes.append(UInt8(ascii: ",")) }
            bytes.append(contentsOf: "\"\(name)\":".utf8)
            if let value {
                bytes.append(UInt8(ascii: "\""))
                bytes.append(contentsOf: AuditText.escape(Array(value.utf8)))
                bytes.append(UInt8(ascii: "\""))
            } else {
                bytes.append(contentsOf: "null".utf8)
            }
        }
        self.bytes = bytes
    }
}
