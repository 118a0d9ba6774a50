import Identity
import StrictJSON
import TLS

/// What a file held when the configuration was read.
package struct FileContent: Sendable {
    /// Resolved; nil for something that came from the environment.
    package var path: String?
    package var bytes: [UInt8] = []

    /// What messages call it.
    var name: String { path ?? "it" }
}

extension Kind where Value == FileContent {
    /// A certificate with its chain.
    static var certificateFile: Kind { pem { _ in nil } }

    /// Certificates of authorities.
    static var authoritiesFile: Kind {
        pem { bytes in
            do throws(TLSError) {
                _ = try TLSClientContext(TLSClientSettings(authorities: bytes), protocols: [])
                return nil
            } catch {
                return error.reason
            }
        }
    }

    /// A file in PEM, and what is wrong with its bytes.
    private static func pem(_ defect: @escaping @Sendable ([UInt8]) -> String?) -> Kind {
        Kind<String>.path.map(
            { path, json, reading in
                guard let content = reading.certificate(path, namedAt: json) else { return nil }
                if let reason = defect(content.bytes) {
                    reading.error("\(path): \(reason)", at: json)
                    return nil
                }
                return content
            }, back: { $0.path })
    }

    /// A private key: the path of its file, or a secret kept elsewhere.
    static var privateKey: Kind {
        Kind(
            schema: { definitions in
                .members([
                    "anyOf": .list([
                        Kind<String>.path.schema(&definitions), SecretSource.shape.reference(in: &definitions),
                    ])
                ])
            },
            note: Kind<String>.path.note,
            read: { json, reading in
                if case .string = json.value {
                    guard let path = Kind<String>.path.read(json, &reading) else { return nil }
                    return reading.certificate(path, namedAt: json)
                }
                guard case .object = json.value else {
                    reading.error(
                        "expected a path, {\"file\": \"path\"} or {\"env\": \"NAME\"}, found \(json.shapeName)",
                        at: json)
                    return nil
                }
                guard let source = SecretSource.shape.read(json, &reading) else { return nil }
                if let file = source.file { return reading.certificate(file, namedAt: json) }
                return source.text(at: json, &reading).map { FileContent(path: nil, bytes: Array($0.utf8)) }
            },
            write: { $0.path.map(JSON.text) })
    }
}

extension Kind where Value == ClaimTemplate {
    /// A template over the names in a client certificate.
    static var certificateTemplate: Kind { claimTemplate(.certificate) }
}

extension Reading {
    /// A file that belongs to TLS, or nil and an error at `reference`; the gateway watches it.
    fileprivate mutating func certificate(_ path: String, namedAt reference: JSON) -> FileContent? {
        certificateFiles.append(path)
        guard let bytes = fileBytes(path, namedAt: reference) else { return nil }
        guard !bytes.isEmpty else {
            error("\(path) is empty", at: reference)
            return nil
        }
        return FileContent(path: path, bytes: bytes)
    }
}
