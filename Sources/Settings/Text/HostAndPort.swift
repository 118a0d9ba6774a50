import StrictJSON

/// Where to listen or to connect: `127.0.0.1:8080`, `[::1]:8080`, `localhost:8080`.
package struct HostAndPort: Sendable, Hashable, CustomStringConvertible {
    /// An IP address without brackets, or a host name.
    package var host: String
    /// 0...65535; 0 lets the system choose one to listen on.
    package var port: Int

    package init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    package var description: String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
    }

    /// Whether only this machine can reach it, as far as the text tells.
    package var isLoopback: Bool {
        if host.hasSameBytes(as: "localhost") { return true }
        guard let bytes = IPAddress.parse(host) else { return false }
        return bytes.count == 4 ? bytes[0] == 127 : bytes == [UInt8](repeating: 0, count: 15) + [1]
    }

    /// Why a text is neither.
    enum Defect: Error {
        case host, missingPort, port
    }

    /// Reads `host:port`; the port may be left out when there is a default.
    init(_ text: String, defaultPort: Int? = nil) throws(Defect) {
        var host = Substring(text)
        var port: Substring?
        if text.utf8.first == UInt8(ascii: "[") {
            guard let end = text.utf8.firstIndex(of: UInt8(ascii: "]")) else { throw .host }
            host = text[text.utf8.index(after: text.startIndex)..<end]
            guard IPAddress.parse(String(host))?.count == 16 else { throw .host }
            let rest = text[text.utf8.index(after: end)...]
            guard rest.isEmpty || rest.utf8.first == UInt8(ascii: ":") else { throw .host }
            if !rest.isEmpty { port = rest.dropFirst() }
        } else {
            if let colon = text.utf8.lastIndex(of: UInt8(ascii: ":")) {
                host = text[..<colon]
                port = text[text.utf8.index(after: colon)...]
            }
            guard IPAddress.parse(String(host))?.count == 4 || Self.isHostName(host) else { throw .host }
        }
        self.host = String(host)
        if let port {
            guard (1...5).contains(port.utf8.count), port.utf8.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }),
                let number = Int(port), number <= 65_535
            else { throw .port }
            self.port = number
        } else {
            guard let defaultPort else { throw .missingPort }
            self.port = defaultPort
        }
    }

    /// Labels of letters, digits, hyphens and underscores (which service names use), the last one not all digits.
    static func isHostName(_ text: Substring) -> Bool {
        guard (1...253).contains(text.utf8.count) else { return false }
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard let last = labels.last, !last.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) else { return false }
        return labels.allSatisfy { label in
            (1...63).contains(label.count) && label.first != UInt8(ascii: "-") && label.last != UInt8(ascii: "-")
                && label.allSatisfy { byte in
                    byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte &- UInt8(ascii: "0") < 10
                        || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                }
        }
    }
}
