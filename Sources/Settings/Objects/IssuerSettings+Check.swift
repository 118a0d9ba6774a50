import Authentication
import StrictJSON

extension IssuerSettings {
    /// What the members of one issuer have to do with each other.
    func check(_ json: JSON, _ reading: inout Reading) {
        let place = json.member("keys") ?? json
        reading.at(.member("keys")) { reading in
            switch keys {
            case .url, .discovery: checkFetched(place, &reading)
            case .file(_, let document), .inline(let document): checkKeys(document, place, &reading)
            case nil: break
            }
        }
        if profile == .rfc9068, let requiredType, !Self.isAccessToken(requiredType) {
            reading.error(
                "profile \"rfc9068\" wants typ \"at+jwt\" and requiredType wants \"\(requiredType)\"; remove one",
                below: ["requiredType"], of: json)
        }
    }

    private static func isAccessToken(_ type: String) -> Bool {
        let type = type.lowercased()
        return type.hasSameBytes(as: "at+jwt") || type.hasSameBytes(as: "application/at+jwt")
    }

    private func checkFetched(_ place: JSON, _ reading: inout Reading) {
        if let symmetric = algorithms.first(where: { $0.rawValue.hasPrefix("HS") }) {
            reading.error(
                "\(symmetric.rawValue) signs with a shared secret, and a secret that can be fetched is none;"
                    + " use {\"secret\": {\"file\": …}} or other algorithms", at: place)
        }
        guard case .discovery = keys, !issuer.isEmpty else { return }
        let origin = webOrigin(of: issuer)
        guard let origin, origin.isSecure || origin.origin.isLoopback else {
            reading.error(
                "\"\(issuer)\" is no https:// address, so there is nowhere to ask for its keys; use \"url\" instead",
                at: place)
            return
        }
    }

    /// A key set that can be read now is read now: an issuer without a usable key would be an outage.
    private func checkKeys(_ document: [UInt8], _ place: JSON, _ reading: inout Reading) {
        guard !algorithms.isEmpty, !reading.hasErrors(at: reading.path) else { return }
        let set: KeySet
        do throws(KeySetError) {
            set = try KeySet.parse(jwks: document, for: Set(algorithms))
        } catch {
            if case .file(let path, _) = keys {
                let at = lineAndColumn(of: error.offset, in: document)
                reading.error("\(path):\(at.line):\(at.column): \(error.description)", at: place)
            } else {
                reading.error(error.description, at: place)
            }
            return
        }
        let skipped = set.skipped.map { key in
            let name = key.keyID.map { " \"\($0.prefix(64))\"" } ?? ""
            return "key \(key.index)\(name): \(key.reason)"
        }
        if set.isEmpty {
            let why = skipped.isEmpty ? "it holds none at all" : skipped.joined(separator: "; ")
            let names = algorithms.map(\.rawValue).joined(separator: ", ")
            reading.error("there is no key here that \(names) could use: \(why)", at: place)
        } else {
            for reason in skipped { reading.warning("\(reason); it is not used", at: place) }
        }
    }
}
