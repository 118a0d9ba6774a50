/// stub
package struct KeySet: Sendable {
    /// A key that was left out, and why.
    package struct Skipped: Sendable { package let index: Int; package let keyID: String?; package let reason: String }
    package private(set) var skipped: [Skipped] = []
    package var isEmpty: Bool { true }
    package var count: Int { 0 }
    package static func parse(jwks: [UInt8], for algorithms: Set<Algorithm>) throws(KeySetError) -> KeySet { KeySet() }
}
package struct KeySetError: Error, Sendable, CustomStringConvertible { package let offset: Int; package let description: String }
