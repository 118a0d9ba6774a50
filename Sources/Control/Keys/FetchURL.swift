/// An address the gateway may fetch keys from: `https` anywhere, plain `http` only on this machine.
///
/// Keys decide who is believed, so a network between here and the issuer must not be able to change them.
package struct FetchURL: Sendable, Hashable, CustomStringConvertible {
    /// The address as written; printable ASCII without spaces.
    package let description: String
    private let scheme: Scheme
    private let originLength: Int

    private enum Scheme: String { case https, http }

    /// Reads an absolute URL (RFC 3986 §3).
    ///
    /// - Throws: `KeyFetchError.badURL` with what is wrong and what is allowed.
    package init(_ text: String) throws(KeyFetchError) {
        let bytes = Array(text.utf8)
        guard bytes.count <= 2048, bytes.allSatisfy(Self.isURLByte) else {
            throw .badURL(text, "only printable ASCII characters of RFC 3986 may stand in it, at most 2048")
        }
        guard let scheme = Self.scheme(of: bytes) else {
            throw .badURL(text, "it has to begin with https://")
        }
        let start = scheme.rawValue.utf8.count + 3
        let authority = bytes[start...].prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
        guard let host = Self.host(of: authority) else {
            throw .badURL(text, "the host or port is malformed")
        }
        guard scheme == .https || Self.isLoopback(host) else {
            throw .badURL(text, "http is for this machine only, use https")
        }
        self.scheme = scheme
        description = text
        originLength = authority.endIndex
    }

    /// Where a redirect leads: a path on the same origin or an absolute URL with the same scheme.
    package func following(location: String) throws(KeyFetchError) -> FetchURL {
        if location.utf8.starts(with: "/".utf8), !location.utf8.starts(with: "//".utf8) {
            return try FetchURL(
                String(decoding: Array(description.utf8.prefix(originLength)), as: UTF8.self) + location)
        }
        let next = try FetchURL(location)
        guard next.scheme == scheme else { throw .badURL(location, "a redirect may not change the scheme") }
        return next
    }

    /// Whether fetching this after `other` keeps the protection that `other` had.
    func isAsSafe(as other: FetchURL) -> Bool {
        scheme == .https || other.scheme == .http
    }

    private static func isURLByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\\"), UInt8(ascii: "^"),
            UInt8(ascii: "`"), UInt8(ascii: "{"), UInt8(ascii: "|"), UInt8(ascii: "}"), UInt8(ascii: "#"):
            false
        case _: byte > 0x20 && byte < 0x7F
        }
    }

    private static func scheme(of bytes: [UInt8]) -> Scheme? {
        for scheme in [Scheme.https, .http] {
            let prefix = Array("\(scheme.rawValue)://".utf8)
            let isPrefixed =
                bytes.count > prefix.count
                && zip(bytes, prefix).allSatisfy { $0 == $1 || (65...90).contains($0) && $0 | 0x20 == $1 }
            if isPrefixed { return scheme }
        }
        return nil
    }

    /// The host without its port, or nil where either is malformed or user information is present.
    private static func host(of authority: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        let host: ArraySlice<UInt8>
        if authority.first == UInt8(ascii: "[") {
            guard let end = authority.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            host = authority[...end]
        } else {
            host = authority.prefix { $0 != UInt8(ascii: ":") }
            let isName = host.allSatisfy {
                switch $0 {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"):
                    true
                case _: false
                }
            }
            guard isName else { return nil }
        }
        let rest = authority[host.endIndex...]
        guard !host.isEmpty else { return nil }
        if rest.isEmpty { return host }
        guard rest.first == UInt8(ascii: ":"), rest.count <= 6,
            let port = Int(String(decoding: rest.dropFirst(), as: UTF8.self)), (1...65535).contains(port),
            rest.dropFirst().allSatisfy({ (48...57).contains($0) })
        else { return nil }
        return host
    }

    private static func isLoopback(_ host: ArraySlice<UInt8>) -> Bool {
        let name = String(decoding: host, as: UTF8.self).lowercased()
        if name == "localhost" || name == "[::1]" { return true }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
