import FoundationEssentials
package import StrictJSON

/// The files of cases with verdicts that lie in `Tests/Oracles`.
package enum Oracle {
    /// The folder, found from where this file stood when it was compiled.
    package static var directory: String {
        var parts = #filePath.split(separator: "/", omittingEmptySubsequences: false)
        parts.removeLast(2)
        return parts.joined(separator: "/") + "/Oracles"
    }

    /// The bytes of one file, such as `jwt-cases.json`.
    package static func bytes(_ name: String) throws -> [UInt8] {
        try [UInt8](Data(contentsOf: URL(filePath: directory + "/" + name)))
    }

    /// The lines of one file that holds a JSON value a line; empty lines are left out.
    package static func lines(_ name: String) throws -> [[UInt8]] {
        try bytes(name).split(separator: UInt8(ascii: "\n")).map(Array.init)
    }

    /// The JSON value of one file.
    package static func json(_ name: String) throws -> JSON {
        try JSON.parse(try bytes(name), limits: limits)
    }

    /// The JSON values of one file that holds one a line.
    package static func jsonLines(_ name: String) throws -> [JSON] {
        try lines(name).map { try JSON.parse($0, limits: limits) }
    }

    private static let limits = JSON.Limits(
        maximumBytes: 64 << 20, maximumDepth: 64, maximumValues: 4_000_000)
}
