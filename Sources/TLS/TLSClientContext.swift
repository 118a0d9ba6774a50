import CTLS

/// What TLS towards an upstream is configured with.
package struct TLSClientSettings: Sendable, Hashable {
    /// Certificates in PEM that servers are verified with; nil for the system's.
    package var authorities: [UInt8]?
    /// Whether the server's certificate and its names are verified at all.
    package var verifies: Bool
    /// What is shown to servers that ask for a certificate.
    package var certificate: TLSKeyPair?
    /// The name that is asked for and verified, instead of the endpoint's host.
    package var serverName: String?

    package init(
        authorities: [UInt8]? = nil, verifies: Bool = true, certificate: TLSKeyPair? = nil, serverName: String? = nil
    ) {
        self.authorities = authorities
        self.verifies = verifies
        self.certificate = certificate
        self.serverName = serverName
    }
}

/// The client's side of TLS for one upstream: immutable, shared by all loops. Equal when the settings are.
@safe
package final class TLSClientContext: Sendable, Hashable {
    // Never changed after `init`, and freed when the last session is gone, since each keeps the context.
    nonisolated(unsafe) let raw: OpaquePointer
    package let settings: TLSClientSettings
    private let protocols: [String]

    /// Makes a context. `protocols` are the names of ALPN that are offered, best first. Takes milliseconds.
    package init(_ settings: TLSClientSettings, protocols: [String]) throws(TLSError) {
        self.settings = settings
        self.protocols = protocols
        var error = ErrorText()
        let names = ALPN.wire(protocols)
        let authorities = settings.authorities
        // Unsafe, here and below: C reads the arrays during the calls only.
        let made = unsafe tollgate_tls_client_new(
            TLSVersion.v12.code, names, names.count, authorities, authorities?.count ?? 0, settings.verifies ? 1 : 0,
            &error.bytes)
        guard let made = unsafe made else {
            throw authorities == nil ? .library(reason: error.text) : .authorities(reason: error.text)
        }
        // Owned from here on: `deinit` frees it when something below throws.
        unsafe raw = made
        if let pair = settings.certificate {
            let done = unsafe tollgate_tls_client_certificate(
                raw, pair.chain, pair.chain.count, pair.key, pair.key.count, &error.bytes)
            guard done == 1 else { throw TLSError(adding: done, index: 0, reason: error.text) }
        }
    }

    deinit {
        unsafe tollgate_tls_context_free(raw)
    }

    package static func == (left: TLSClientContext, right: TLSClientContext) -> Bool {
        left === right || left.settings == right.settings && left.protocols == right.protocols
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(settings)
    }
}
