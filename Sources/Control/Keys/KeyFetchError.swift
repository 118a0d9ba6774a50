/// Why an issuer's keys could not be had this time.
package enum KeyFetchError: Error, Sendable, Equatable, CustomStringConvertible {
    case badURL(String, String)
    case unreachable(FetchURL, String)
    case status(FetchURL, Int)
    case tooManyRedirects(FetchURL)
    case tooLarge(FetchURL, limit: Int)
    case timeout(FetchURL)
    case badDiscovery(FetchURL, String)
    case unusableKeys(FetchURL, String)

    package var description: String {
        switch self {
        case .badURL(let text, let reason): "\(quoted(text)) cannot be fetched: \(reason)."
        case .unreachable(let url, let reason): "\(url) could not be reached: \(reason)."
        case .status(let url, let status): "\(url) answered with status \(status) instead of 200."
        case .tooManyRedirects(let url): "\(url) leads to more than \(KeyFetch.maximumRedirects) redirects."
        case .tooLarge(let url, let limit): "\(url) answered with more than \(limit) bytes."
        case .timeout(let url): "\(url) did not answer in full within \(KeyFetch.timeout)."
        case .badDiscovery(let url, let reason): "The discovery document \(url) is unusable: \(reason)."
        case .unusableKeys(let url, let reason): "The keys of \(url) are unusable: \(reason)."
        }
    }
}

/// Text of a peer, bounded and without control characters, for a message.
func quoted(_ text: String) -> String {
    "\""
        + String(
            text.unicodeScalars.prefix(200).map {
                $0.properties.isWhitespace || $0.value < 0x20 || $0.value == 0x7F ? "?" : Character($0)
            }) + "\""
}
