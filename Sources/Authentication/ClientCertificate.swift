package import Identity
import StrictJSON

/// A verified client certificate, as far as anything here goes by it.
package final class ClientCertificate: Sendable {
    /// SHA-256 of its DER (RFC 8705 §3.1).
    package let thumbprint: SHA256Value
    /// Unix seconds from which on it proves nothing.
    package let notAfter: Int64
    /// What templates look into: `subject.CN`, `subject.O`, `subject.OU`, `san.dns`, `san.uri`, `san.email`, each with
    /// all names of its kind.
    let names: JSON

    /// Nil unless the thumbprint has 32 bytes.
    package init?(thumbprint: [UInt8], notAfter: Int64, names: [(kind: String, values: [String])]) {
        guard let thumbprint = SHA256Value(thumbprint) else { return nil }
        self.thumbprint = thumbprint
        self.notAfter = notAfter
        self.names = JSON(
            value: .object(
                names.map { kind, values in
                    JSON.Member(name: kind, value: JSON(value: .array(values.map { JSON(value: .string($0)) })))
                }))
    }
}

/// Whom the client certificates of a listener name.
package struct CertificateRules: Sendable {
    /// At least one; the first that resolves is the first subject.
    package var subjects: [ClaimTemplate]
    /// Subjects become `<subjectPrefix>:<resolved>`, so that no certificate can make an issuer's subjects.
    package var subjectPrefix: String
    /// The solution a certificate belongs to.
    package var solution: ClaimTemplate?

    package init(subjects: [ClaimTemplate], subjectPrefix: String = "certificate", solution: ClaimTemplate? = nil) {
        self.subjects = subjects
        self.subjectPrefix = subjectPrefix
        self.solution = solution
    }

    /// Who the holder of a certificate is. That it was verified is the handshake's business; `now` in Unix seconds.
    package func identify(
        _ certificate: ClientCertificate, now: Int64
    ) -> Result<Authenticated, AuthenticationFailure> {
        do throws(InvalidToken) {
            guard now < certificate.notAfter else { throw .expiredCertificate }
            let subjects = try Authenticator.subjects(certificate.names, subjects, prefix: subjectPrefix)
            let solution = try Authenticator.single(solution, certificate.names)
            guard let first = subjects.first else { throw .certificateNames }
            let principal = Principal(
                subjects: subjects, solution: solution, client: solution ?? first, credential: .certificate)
            return .success(Authenticated(principal: principal, expires: certificate.notAfter))
        } catch .claims {
            return .failure(.invalid(.certificateNames))
        } catch {
            return .failure(.invalid(error))
        }
    }
}
