/// A protocol that a connection may be switched to (RFC 9110 §7.8), by its name in `Upgrade`.
package struct UpgradeProtocol: Sendable, Equatable {
    package static let webSocket = UpgradeProtocol(checked: "websocket")

    /// The name as configured, with its version if it has one. Compared without case.
    package let name: [UInt8]
    /// Whether it is the one whose frames the gateway knows (RFC 6455).
    package let isWebSocket: Bool

    /// Nil for what is no protocol name, or one with a version (RFC 9110 §7.8: `token` or `token/token`).
    package init?(_ name: String) {
        let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(Self.isTokenByte) }) else { return nil }
        self.init(checked: name)
    }

    private init(checked name: String) {
        self.name = Array(name.utf8)
        self.isWebSocket = name.utf8.map(Self.folded).elementsEqual("websocket".utf8)
    }

    /// Whether what follows the switch is HTTP again, so that requests would pass that nobody has decided about.
    package var carriesRequests: Bool {
        let base = name.prefix { $0 != UInt8(ascii: "/") }.map(Self.folded)
        return ["h2c", "h2", "http", "tls"].contains { base.elementsEqual($0.utf8) }
    }

    private static func folded(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }

    private static func isTokenByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"):
            true
        case _: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
