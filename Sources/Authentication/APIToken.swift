/// stub
package struct APIToken: Sendable {
    package var id: String
    package var sha256: [UInt8]
    package var expires: Int64?
    package init(id: String, sha256: [UInt8], expires: Int64? = nil) { self.id = id; self.sha256 = sha256; self.expires = expires }
    package static func mint(random: inout some RandomNumberGenerator) -> (token: String, sha256: [UInt8]) { ("", []) }
    package static func digest(of token: [UInt8]) -> [UInt8] { [] }
}
