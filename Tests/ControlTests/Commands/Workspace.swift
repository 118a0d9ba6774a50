import TestKit

/// A directory with the configuration, keys, policies and demo credentials that ship, for one test.
final class Workspace: Sendable {
    let directory: String

    /// The folder of the package.
    static var package: String { Oracle.directory + "/../.." }

    /// - Parameter edit: changes the text of `gateway.json`.
    init(_ edit: (String) -> String = { $0 }) throws {
        directory = try TemporaryDirectory.make()
        for name in [
            "policies/things.json", "demo/issuer.jwks.json", "demo/alice.jwt", "demo/bob.jwt", "demo/expired.jwt",
            "demo/lamps.token",
        ] {
            try TemporaryDirectory.write(
                try TemporaryDirectory.read("\(Self.package)/\(name)"), to: "\(directory)/\(name)")
        }
        let text = String(decoding: try TemporaryDirectory.read("\(Self.package)/gateway.json"), as: UTF8.self)
        try TemporaryDirectory.write(Array(edit(text).utf8), to: directory + "/gateway.json")
    }

    deinit {
        TemporaryDirectory.remove(directory)
    }

    /// Runs a command of the executable in the directory.
    func run(_ arguments: String...) throws -> GatewayProcess.Run {
        try GatewayProcess.run(arguments, in: directory)
    }

    /// One of the committed demo credentials, without its line end.
    func credential(_ name: String) throws -> String {
        let bytes = try TemporaryDirectory.read("\(directory)/demo/\(name)")
        return String(decoding: bytes.prefix { $0 != 10 }, as: UTF8.self)
    }
}
