/// stub
package struct PasswordHash: Sendable {
    package init(_ text: String) throws(PasswordHashError) {}
    package static func create(password: [UInt8], random: inout some RandomNumberGenerator) throws(PasswordHashError) -> PasswordHash { throw PasswordHashError(description: "") }
    package var text: String { "" }
    package func verify(_ password: some Collection<UInt8>) -> Bool { false }
}
package struct PasswordHashError: Error, Sendable, CustomStringConvertible { package let description: String }
