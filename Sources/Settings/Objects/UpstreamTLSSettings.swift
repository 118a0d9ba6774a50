import StrictJSON
import TLS

/// TLS towards an upstream, as it stands in the file.
struct UpstreamTLSSettings: Sendable {
    var authorities: FileContent?
    var serverName: String?
    var certificate: FileContent?
    var key: FileContent?
    var verify = true

    static let shape = Shape<UpstreamTLSSettings>(
        "UpstreamTLS", "TLS towards the https:// endpoints of an upstream.", prototype: UpstreamTLSSettings(),
        [
            Field(
                "authorities", \.authorities, .optional(.authoritiesFile),
                "The certificates, in PEM, that have to have signed the server's; null for the system's."),
            Field(
                "serverName", \.serverName, .optional(.text),
                "The host that is asked for and that the certificate has to be good for; null for the endpoint's."),
            Field(
                "certificate", \.certificate, .optional(.certificateFile),
                "The certificate and its chain in PEM that servers are shown which ask for one."),
            Field("key", \.key, .optional(.privateKey), "Its private key in PEM, without a passphrase."),
            Field(
                "verify", \.verify, .bool,
                "Whether the server's certificate and its names are verified. Without, anybody can be the upstream."),
        ],
        check: { tls, json, reading in
            if let certificate = tls.certificate, let key = tls.key {
                checkKeyPair(certificate: certificate, key: key, json, &reading)
            } else if json.member("certificate").map({ !$0.isNull }) ?? false
                != json.member("key").map({ !$0.isNull }) ?? false
            {
                reading.error("\"certificate\" and \"key\" belong together; give both", at: json)
            }
            if !tls.verify, let place = json.member("verify") {
                reading.at(.member("verify")) {
                    $0.warning("the upstream is not verified: whoever is on the way can read and answer", at: place)
                }
            }
        })

    /// The context, or nil after recording why there is none.
    static var kind: Kind<TLSClientContext?> {
        Kind<UpstreamTLSSettings?>.optional(.object(shape)).map(
            { form, json, reading in
                guard let form, !reading.hasErrors(at: reading.path) else { return .some(nil) }
                var pair: TLSKeyPair?
                if let certificate = form.certificate, let key = form.key {
                    pair = TLSKeyPair(chain: certificate.bytes, key: key.bytes)
                }
                return context(
                    TLSClientSettings(
                        authorities: form.authorities?.bytes, verifies: form.verify, certificate: pair,
                        serverName: form.serverName), at: json, &reading)
            },
            back: { _ in .some(nil) })
    }

    static func context(
        _ settings: TLSClientSettings, protocols: [String] = ["http/1.1"], at json: JSON, _ reading: inout Reading
    ) -> TLSClientContext?? {
        do throws(TLSError) {
            return try TLSClientContext(settings, protocols: protocols)
        } catch {
            reading.error("\(error)", at: json)
            return nil
        }
    }
}
