package import Identity
package import Authentication
import StrictJSON
package import TLS

/// The TLS of a listener.
package struct ListenerTLSSettings: Sendable {
    package var certificates: [ServerCertificateSettings] = []
    package var minimumVersion = TLSVersion.v12
    package var clientCertificates: ClientCertificateSettings?

    static let shape = Shape<ListenerTLSSettings>(
        "ListenerTLS", "TLS 1.2 and 1.3 on a listener.", prototype: ListenerTLSSettings(),
        [
            Field(
                "certificates", \.certificates,
                .list(.object(ServerCertificateSettings.shape), atLeast: 1, orElse: "name a certificate"),
                required: true,
                "Chosen by the host that a client names, exact names before wildcards; the first is for all others. Two with the"
                    + " same names, one of ECDSA and one of RSA, count as one: a client gets the one it can verify."),
            Field("minimumVersion", \.minimumVersion, .choice(), "The oldest version that is spoken."),
            Field(
                "clientCertificates", \.clientCertificates, .optional(.object(ClientCertificateSettings.shape)),
                "Whether clients are asked for certificates; null not to ask."),
        ],
        check: { tls, json, reading in
            for (index, certificate) in tls.certificates.enumerated().dropFirst() {
                let path = reading.path.member("certificates").index(index)
                guard let read = try? TLSCertificate(pem: certificate.certificate.bytes),
                    read.names[.dns] == nil
                else { continue }
                reading.record(
                    .warning, "the certificate names no host, so that no client will ever see it; make it the first",
                    offset: json.member("certificates")?.array?[index].offset ?? json.offset, path: path)
            }
        })

    /// As the data plane takes it.
    package var server: TLSServerSettings {
        TLSServerSettings(
            certificates: certificates.map(\.pair), minimumVersion: minimumVersion,
            clientCertificates: clientCertificates.map {
                TLSServerSettings.ClientCertificates(authorities: $0.authorities.bytes, isRequired: $0.required)
            })
    }
}

/// A certificate that a listener shows.
package struct ServerCertificateSettings: Sendable {
    package var certificate = FileContent()
    package var key = FileContent()

    static let shape = Shape<ServerCertificateSettings>(
        "ServerCertificate", "A certificate that a listener shows, and its key.",
        prototype: ServerCertificateSettings(),
        [
            Field(
                "certificate", \.certificate, .certificateFile, required: true,
                "The certificate and its chain in PEM, its own first."),
            Field("key", \.key, .privateKey, required: true, "Its private key in PEM, without a passphrase."),
        ],
        check: { pair, json, reading in
            checkKeyPair(certificate: pair.certificate, key: pair.key, json, &reading)
        })

    var pair: TLSKeyPair { TLSKeyPair(chain: certificate.bytes, key: key.bytes) }
}

/// What clients' certificates are held to, and whom they name.
package struct ClientCertificateSettings: Sendable {
    package var authorities = FileContent()
    package var required = true
    package var subjects: [ClaimTemplate] = []
    package var subjectPrefix = "certificate"
    package var solution: ClaimTemplate?

    static let shape = Shape<ClientCertificateSettings>(
        "ClientCertificates", "Which client certificates are believed, and whom they name.",
        prototype: ClientCertificateSettings(),
        [
            Field(
                "authorities", \.authorities, .authoritiesFile, required: true,
                "The certificates, in PEM, that have to have signed a client's."),
            Field("required", \.required, .bool, "Refuse clients that show none, in the handshake."),
            Field(
                "subjects", \.subjects, .list(.certificateTemplate),
                "Templates of the caller's subjects, for routes that authenticate by clientCertificate:"
                    + " {{ cert:subject.CN }}, and in the same way subject.O, subject.OU, san.dns, san.uri, san.email."
                    + " None: certificates name nobody here."),
            Field(
                "subjectPrefix", \.subjectPrefix, .text,
                "Subjects become <prefix>:<resolved>, so that they are nobody else's."),
            Field(
                "solution", \.solution, .optional(.certificateTemplate),
                "Template of the solution a certificate belongs to."),
        ])

    /// Whom certificates name, as the gate wants it; nil when nobody.
    package var rules: CertificateRules? {
        subjects.isEmpty
            ? nil : CertificateRules(subjects: subjects, subjectPrefix: subjectPrefix, solution: solution)
    }
}

/// Says what is wrong with a certificate and its key, each at its place; nothing when one of them could not be read.
func checkKeyPair(certificate: FileContent, key: FileContent, _ json: JSON, _ reading: inout Reading) {
    guard !certificate.bytes.isEmpty, !key.bytes.isEmpty else { return }
    let pair = TLSKeyPair(chain: certificate.bytes, key: key.bytes)
    do throws(TLSError) {
        _ = try TLSClientContext(TLSClientSettings(verifies: false, certificate: pair), protocols: [])
    } catch {
        switch error {
        case .key(_, let reason): reading.error("\(key.name): \(reason)", below: ["key"], of: json)
        case .certificate(_, let reason), .authorities(let reason), .library(let reason):
            reading.error("\(certificate.name): \(reason)", below: ["certificate"], of: json)
        }
        return
    }
    guard let read = try? TLSCertificate(pem: certificate.bytes) else { return }
    let now = reading.surroundings.now()
    if read.notAfter <= now {
        reading.warning(
            "\(certificate.name) has expired (\(Timestamp.text(read.notAfter))); clients will not believe it",
            below: ["certificate"], of: json)
    } else if read.notBefore > now {
        reading.warning(
            "\(certificate.name) is not good before \(Timestamp.text(read.notBefore))", below: ["certificate"],
            of: json)
    }
}
