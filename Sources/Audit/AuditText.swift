package import Identity

/// A text that is escaped once and copied into many records: a route's name, a policy entry, a peer's address.
///
/// Holding the escaped bytes in a type of their own is what lets the ring copy them without looking at them.
package struct AuditText: Sendable, Equatable {
    /// Most bytes of rendered content; longer texts are cut and end in U+2026.
    package static let maximumBytes = 1_024

    /// Nothing: what has none is null or left out. Not an optional, which could not be lent without being counted.
    package static let none = AuditText("")

    /// The inside of a JSON string, without quotes.
    package let escaped: [UInt8]

    /// Whether there is nothing to be written down.
    package var isEmpty: Bool { escaped.isEmpty }

    /// Escapes a text. Linear in its length, allocates.
    package init(_ text: String) {
        self.init(utf8: Array(text.utf8))
    }

    /// Escapes bytes that should be UTF-8; what is not becomes U+FFFD. Linear in their number, allocates.
    package init(utf8: [UInt8]) {
        escaped = AuditText.escape(utf8)
    }

    /// No longer than it must be, because there is one for each connection; the same array where nothing is escaped.
    static func escape(_ bytes: [UInt8]) -> [UInt8] {
        // Unsafe: the cursor lives only inside the closure, which copies out what it has written.
        unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: maximumBytes + 8) { buffer in
            var line = unsafe AuditLine(buffer)
            line.appendContent(bytes.span, limit: maximumBytes)
            let rendered = unsafe UnsafeBufferPointer(rebasing: buffer[..<line.count])
            return unsafe rendered.elementsEqual(bytes) ? bytes : Array(rendered)
        }
    }
}

/// The members of a record that say who the caller was, rendered once per admission.
///
/// `"subject":…,"solution":…,"tenant":…,"client":…,"issuer":…,"credential":…`, without braces.
package struct IdentityFragment: Sendable, Equatable {
    @usableFromInline
    let text: [UInt8]
    @usableFromInline
    let start: Int

    /// The rendered members.
    package var bytes: ArraySlice<UInt8> { text[start...] }

    /// How many bytes they are.
    package var count: Int { text.count - start }

    /// Lends the rendered members.
    @inline(__always)
    func withBytes(_ body: (Span<UInt8>) -> Void) {
        body(text.span.extracting(droppingFirst: start))
    }

    /// What `render` was given to stand in front of them, so that one allocation holds both.
    package var lead: ArraySlice<UInt8> { text[..<start] }

    /// How many bytes stand in front.
    package var leadCount: Int { start }

    /// Lends what stands in front.
    @inlinable
    package func withLead(_ body: (Span<UInt8>) -> Void) {
        body(text.span.extracting(first: start))
    }

    /// Nobody was authenticated: every member is null and the credential is `none`.
    package static let none = IdentityFragment(
        subject: nil, solution: nil, tenant: nil, client: nil, issuer: nil, credential: .none, behind: [])

    /// Renders a principal; each member is bounded by `AuditText.maximumBytes`.
    package static func render(_ principal: Principal, behind lead: [UInt8] = []) -> IdentityFragment {
        IdentityFragment(
            subject: principal.subject, solution: principal.solution, tenant: principal.tenant,
            client: principal.client, issuer: principal.issuer, credential: principal.credential, behind: lead)
    }

    private init(
        subject: String?, solution: String?, tenant: String?, client: String?, issuer: String?,
        credential: CredentialKind, behind lead: [UInt8]
    ) {
        var bound = lead.count + 128
        bound += Self.room(subject) + Self.room(solution) + Self.room(tenant) + Self.room(client) + Self.room(issuer)
        start = lead.count
        // Unsafe: the cursor lives only inside the closure, which copies out what it has written.
        text = unsafe withUnsafeTemporaryAllocation(of: UInt8.self, capacity: bound) { buffer in
            var line = unsafe AuditLine(buffer)
            line.append(escaped: lead)
            line.append("\"subject\":")
            line.appendText(subject)
            line.append(",\"solution\":")
            line.appendText(solution)
            line.append(",\"tenant\":")
            line.appendText(tenant)
            line.append(",\"client\":")
            line.appendText(client)
            line.append(",\"issuer\":")
            line.appendText(issuer)
            line.append(",\"credential\":\"")
            line.append(credential.label)
            line.append("\"")
            return unsafe Array(UnsafeBufferPointer(rebasing: buffer[..<line.count]))
        }
    }

    /// The most that a text comes to, with its quotes.
    private static func room(_ text: String?) -> Int {
        guard let text else { return 4 }
        return min(text.utf8.count * 6, AuditText.maximumBytes) + 8
    }
}

extension AuditLine {
    fileprivate mutating func appendText(_ text: String?) {
        guard let text else { return append("null") }
        append("\"")
        appendContent(text.utf8.span, limit: AuditText.maximumBytes)
        append("\"")
    }
}
