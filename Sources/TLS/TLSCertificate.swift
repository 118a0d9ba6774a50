import CTLS

/// A certificate, read once: what anybody here goes by.
package struct TLSCertificate: Sendable, Equatable {
    /// A kind of name that stands in a certificate.
    package enum NameKind: Sendable, CaseIterable {
        case commonName, organisation, unit, dns, uri, email

        fileprivate var code: Int32 {
            switch self {
            case .commonName: Int32(TOLLGATE_TLS_COMMON_NAME.rawValue)
            case .organisation: Int32(TOLLGATE_TLS_ORGANISATION.rawValue)
            case .unit: Int32(TOLLGATE_TLS_UNIT.rawValue)
            case .dns: Int32(TOLLGATE_TLS_DNS.rawValue)
            case .uri: Int32(TOLLGATE_TLS_URI.rawValue)
            case .email: Int32(TOLLGATE_TLS_EMAIL.rawValue)
            }
        }
    }

    /// Names of one kind that are looked at, and the longest in bytes: a certificate is its holder's text.
    private static let maximumNames: Int32 = 64
    private static let maximumNameBytes = 1024

    /// SHA-256 of the DER, 32 bytes (RFC 8705 §3.1).
    package let thumbprint: [UInt8]
    /// Unix seconds between which it is good.
    package let notBefore: Int64
    package let notAfter: Int64
    /// Hexadecimal digits.
    package let serialNumber: String
    /// In the order in which they stand; those that are no UTF-8, or longer than 1 KiB, are left out.
    package let names: [NameKind: [String]]

    /// The first certificate of a PEM text.
    package init(pem: [UInt8]) throws(TLSError) {
        var error = ErrorText()
        // Unsafe: C reads the array during the call.
        guard let raw = unsafe tollgate_tls_certificate_read(pem, pem.count, &error.bytes) else {
            throw .certificate(index: 0, reason: error.text)
        }
        guard let read = unsafe TLSCertificate(consuming: raw) else {
            throw .certificate(index: 0, reason: "it could not be hashed")
        }
        self = read
    }

    /// Reads a certificate of C and frees it.
    ///
    /// Unsafe: the caller hands the only reference over.
    @unsafe
    init?(consuming raw: OpaquePointer) {
        // Unsafe, all of it: the pointer is good until `defer`, and C fills at most the bytes it is told of.
        defer { unsafe tollgate_tls_certificate_free(raw) }
        var digest = [UInt8](repeating: 0, count: Int(TOLLGATE_TLS_DIGEST))
        guard unsafe tollgate_tls_certificate_digest(raw, &digest) == 1 else { return nil }
        thumbprint = digest
        unsafe notBefore = tollgate_tls_certificate_not_before(raw)
        unsafe notAfter = tollgate_tls_certificate_not_after(raw)
        var text = [CChar](repeating: 0, count: Self.maximumNameBytes)
        let digits = unsafe tollgate_tls_certificate_serial(raw, &text, text.count)
        serialNumber = Self.string(text, digits) ?? ""
        var names: [NameKind: [String]] = [:]
        for kind in NameKind.allCases {
            for index in 0..<Self.maximumNames {
                let count = unsafe tollgate_tls_certificate_name(raw, kind.code, index, &text, text.count)
                if count == -1 { break }
                guard count >= 0, let name = Self.string(text, Int(count)) else { continue }
                names[kind, default: []].append(name)
            }
        }
        self.names = names
    }

    private static func string(_ text: [CChar], _ count: Int) -> String? {
        String(validating: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
