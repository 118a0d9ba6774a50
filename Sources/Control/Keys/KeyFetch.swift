import StrictJSON

/// One fetch of an issuer's JWKS: discovery, redirects and bounds, over any transport.
package struct KeyFetch: Sendable {
    /// What a transport brings back: the status, `Location` where there is one, at most `maximumBytes` of body.
    package struct Answer: Sendable {
        package let status: Int
        package let location: String?
        package let body: [UInt8]

        package init(status: Int, location: String? = nil, body: [UInt8] = []) {
            self.status = status
            self.location = location
            self.body = body
        }
    }

    /// Asks for one URL and follows nothing.
    package typealias Transport = @Sendable (FetchURL) async throws(KeyFetchError) -> Answer

    package static let maximumBytes = 1 << 20
    package static let maximumRedirects = 3
    package static let timeout: Duration = .seconds(10)

    private let transport: Transport

    package init(transport: @escaping Transport) {
        self.transport = transport
    }

    /// Fetches the JWKS document; the bytes are not yet looked at.
    ///
    /// - Returns: the document and where it was found.
    package func keys(at location: KeyLocation) async throws(KeyFetchError) -> (url: FetchURL, document: [UInt8]) {
        switch location {
        case .url(let url):
            return (url, try await get(url))
        case .discovery(let issuer, let url):
            let keys = try Self.keysURL(in: try await get(url), of: url, issuer: issuer)
            return (keys, try await get(keys))
        }
    }

    private func get(_ first: FetchURL) async throws(KeyFetchError) -> [UInt8] {
        var url = first
        for _ in 0...Self.maximumRedirects {
            let answer = try await transport(url)
            switch answer.status {
            case 200: return answer.body
            case 301, 302, 303, 307, 308:
                guard let location = answer.location else { throw .status(url, answer.status) }
                url = try url.following(location: location)
            case _: throw .status(url, answer.status)
            }
        }
        throw .tooManyRedirects(first)
    }

    /// Reads `jwks_uri` of a discovery document whose `issuer` is exactly the configured one (OpenID Connect
    /// Discovery 1.0 §4.3); otherwise one provider could speak for another.
    static func keysURL(in document: [UInt8], of url: FetchURL, issuer: String) throws(KeyFetchError) -> FetchURL {
        let json: JSON
        do {
            json = try JSON.parse(document, limits: .configuration)
        } catch {
            throw .badDiscovery(url, "\(error)")
        }
        guard let stated = json.member("issuer")?.string else { throw .badDiscovery(url, "it names no issuer") }
        guard stated.utf8.elementsEqual(issuer.utf8) else {
            throw .badDiscovery(url, "it speaks for the issuer \(quoted(stated)), not for \(quoted(issuer))")
        }
        guard let keys = json.member("jwks_uri")?.string else { throw .badDiscovery(url, "it names no jwks_uri") }
        let found = try FetchURL(keys)
        guard found.isAsSafe(as: url) else {
            throw .badDiscovery(url, "its jwks_uri leaves https")
        }
        return found
    }
}
