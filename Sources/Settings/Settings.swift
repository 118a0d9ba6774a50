import StrictJSON

/// gateway.json: read, checked and described.
package enum Settings {
    /// What came of reading a configuration that can be used.
    package struct Loaded: Sendable {
        package let settings: GatewaySettings
        /// What somebody should look at.
        package let warnings: [Problem]
        /// The files that hold certificates and their keys.
        package let certificateFiles: [String]
    }

    /// Reads a configuration from its bytes, or throws everything that is wrong with it at once.
    ///
    /// `file` is its name in messages; relative paths in it start from that name's directory. Files it refers to (keys,
    /// policies, secrets, the token file) are read through `surroundings` and are part of the result.
    package static func read(
        _ bytes: [UInt8], file: String, surroundings: Surroundings
    ) throws(SettingsError) -> Loaded {
        var reading = Reading(
            document: SourceDocument(file: file, bytes: bytes), directory: directory(of: file),
            surroundings: surroundings)
        var settings: GatewaySettings?
        do throws(JSONError) {
            settings = GatewaySettings.shape.read(try JSON.parse(bytes, limits: .configuration), &reading)
        } catch {
            reading.error(error.description, offset: error.offset)
        }
        let problems = sorted(reading.problems, first: file)
        guard var settings, !reading.hasErrors else { throw SettingsError(problems: problems) }
        settings.file = file
        return Loaded(settings: settings, warnings: problems, certificateFiles: reading.certificateFiles)
    }

    /// Reads the file of a configuration; see `read(_:file:surroundings:)`.
    package static func load(
        file: String, surroundings: Surroundings = .process
    ) throws(SettingsError) -> Loaded {
        let reason: String
        switch surroundings.readFile(file) {
        case .bytes(let bytes): return try read(bytes, file: file, surroundings: surroundings)
        case .missing: reason = "there is no such file; name one with --config"
        case .unreadable(let why): reason = "it cannot be read: \(why)"
        }
        throw SettingsError(problems: [
            Problem(severity: .error, file: file, line: 1, column: 1, path: "$", message: reason)
        ])
    }

    /// The JSON Schema (draft 2020-12) of gateway.json, made from the tables that also read it; ends in a line break.
    package static func schema() -> [UInt8] {
        GatewaySettings.shape.document(title: "Tollgate gateway")
    }

    /// Everything up to the last slash; empty without one.
    static func directory(of file: String) -> String {
        guard let slash = file.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "" }
        return slash == file.utf8.startIndex ? "/" : String(file[..<slash])
    }

    /// In reading order: the configuration first, then the files it refers to.
    private static func sorted(_ problems: [Problem], first: String) -> [Problem] {
        problems.enumerated().sorted { left, right in
            let (a, b) = (left.element, right.element)
            if a.file != b.file {
                if a.file == first || b.file == first { return a.file == first }
                return a.file < b.file
            }
            return (a.line, a.column, left.offset) < (b.line, b.column, right.offset)
        }.map(\.element)
    }
}
