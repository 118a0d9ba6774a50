import CTLS

/// The oldest version of the protocol that is spoken; 1.3 always is.
package enum TLSVersion: String, Sendable, CaseIterable {
    case v12 = "1.2"
    case v13 = "1.3"

    var code: Int32 {
        switch self {
        case .v12: 0x0303
        case .v13: 0x0304
        }
    }
}

/// A certificate with its chain, and its private key, both in PEM.
package struct TLSKeyPair: Sendable, Hashable {
    package var chain: [UInt8]
    package var key: [UInt8]

    package init(chain: [UInt8], key: [UInt8]) {
        self.chain = chain
        self.key = key
    }
}

/// What a listener's TLS is configured with.
package struct TLSServerSettings: Sendable, Hashable {
    /// Whose client certificates are believed.
    package struct ClientCertificates: Sendable, Hashable {
        /// Certificates in PEM.
        package var authorities: [UInt8]
        /// Whether a client without a certificate is turned away in the handshake.
        package var isRequired: Bool

        package init(authorities: [UInt8], isRequired: Bool) {
            self.authorities = authorities
            self.isRequired = isRequired
        }
    }

    /// At least one. The first is for clients that name no host, or none that stands in another.
    package var certificates: [TLSKeyPair]
    package var minimumVersion: TLSVersion
    package var clientCertificates: ClientCertificates?

    package init(
        certificates: [TLSKeyPair], minimumVersion: TLSVersion = .v12, clientCertificates: ClientCertificates? = nil
    ) {
        self.certificates = certificates
        self.minimumVersion = minimumVersion
        self.clientCertificates = clientCertificates
    }
}

/// The server's side of TLS for one listener: immutable, shared by all loops.
///
/// Versions 1.2 and 1.3 with Mozilla's "intermediate" suites in the server's order, X25519, P-256 and P-384, no
/// renegotiation, no compression, no early data. A handshake signs on the loop: about 30 µs with an ECDSA P-256 key and
/// 0.5 to 1 ms with an RSA key of 2048 bits.
///
/// A listener that asks for client certificates resumes nothing, so that each connection proves its key; others hand
/// out tickets, which are good only under the very same settings.
@safe
package final class TLSServerContext: Sendable {
    // Never changed after `init`, and freed when the last session is gone, since each keeps the context.
    nonisolated(unsafe) let raw: OpaquePointer
    private let tickets: TLSTicketKeys

    /// Makes a context. `protocols` are the names of ALPN (RFC 7301), best first; a client that offers none of them is
    /// turned away, one that does not offer any is not. Takes milliseconds: not for the path of a connection.
    package init(
        _ settings: TLSServerSettings, protocols: [String], tickets: TLSTicketKeys
    ) throws(TLSError) {
        self.tickets = tickets
        var error = ErrorText()
        let names = ALPN.wire(protocols)
        let resumes = settings.clientCertificates == nil
        // Unsafe, here and below: C reads the arrays during the calls only.
        let made = unsafe tollgate_tls_server_new(
            settings.minimumVersion.code, names, names.count, resumes ? tickets.raw : nil, &error.bytes)
        guard let made = unsafe made else { throw .library(reason: error.text) }
        // Owned from here on: `deinit` frees it when something below throws.
        unsafe raw = made
        if let clients = settings.clientCertificates {
            let done = unsafe tollgate_tls_server_authorities(
                raw, clients.authorities, clients.authorities.count, clients.isRequired ? 1 : 0, &error.bytes)
            guard done == 1 else { throw .authorities(reason: error.text) }
        }
        for (index, pair) in settings.certificates.enumerated() {
            let done = unsafe tollgate_tls_server_certificate(
                raw, pair.chain, pair.chain.count, pair.key, pair.key.count, &error.bytes)
            guard done == 1 else { throw TLSError(adding: done, index: index, reason: error.text) }
        }
        guard let identity = Self.identity(of: settings, protocols: protocols),
            unsafe tollgate_tls_server_identity(raw, identity) == 1
        else { throw .library(reason: "the settings could not be hashed") }
    }

    deinit {
        unsafe tollgate_tls_context_free(raw)
    }

    /// What tickets are tied to: a digest of everything that a full handshake would go by.
    private static func identity(of settings: TLSServerSettings, protocols: [String]) -> [UInt8]? {
        var all: [UInt8] = []
        func add(_ bytes: some Collection<UInt8>) {
            all += "\(bytes.count):".utf8
            all += bytes
        }
        add(settings.minimumVersion.rawValue.utf8)
        for pair in settings.certificates {
            add(pair.chain)
            add(pair.key)
        }
        add(settings.clientCertificates?.authorities ?? [])
        add(protocols.joined(separator: ",").utf8)
        var digest = [UInt8](repeating: 0, count: Int(TOLLGATE_TLS_DIGEST))
        // Unsafe: C fills the 32 bytes of the array.
        return unsafe tollgate_tls_digest(all, all.count, &digest) == 1 ? digest : nil
    }
}

/// Names of Application-Layer Protocol Negotiation (RFC 7301).
enum ALPN {
    /// Each name behind its length; names that are empty or longer than 255 bytes are left out.
    static func wire(_ names: [String]) -> [UInt8] {
        names.reduce(into: []) { list, name in
            guard let count = UInt8(exactly: name.utf8.count), count > 0 else { return }
            list.append(count)
            list += name.utf8
        }
    }
}
