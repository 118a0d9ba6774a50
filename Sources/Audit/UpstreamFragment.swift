/// The members of a record that say where the request went, rendered once per endpoint.
///
/// `,"upstream":"…","pool":"…"`, each left out where its text is empty.
package struct UpstreamFragment: Sendable, Equatable {
    /// The rendered members.
    let members: [UInt8]

    /// Nowhere.
    package static let none = UpstreamFragment(endpoint: .none, pool: .none)

    /// Renders the address of an endpoint and the configured name of its upstream. Linear in their length, allocates.
    package init(endpoint: AuditText, pool: AuditText) {
        var members: [UInt8] = []
        for (name, text) in [("upstream", endpoint), ("pool", pool)] where !text.isEmpty {
            members += Array(",\"\(name)\":\"".utf8) + text.escaped + [UInt8(ascii: "\"")]
        }
        self.members = members
    }
}
