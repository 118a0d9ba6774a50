/// One thing wrong with the configuration, where it stands, and the way out.
package struct Problem: Sendable, Equatable, CustomStringConvertible {
    /// How much it matters.
    package enum Severity: String, Sendable {
        /// The configuration is not used.
        case error
        /// The configuration is used; somebody should look.
        case warning
    }

    package let severity: Severity
    /// The file as it was named to the gateway.
    package let file: String
    /// Counted from 1; columns count Unicode scalars.
    package let line: Int
    /// Counted from 1.
    package let column: Int
    /// Where in the document: a normalised JSONPath such as `$.routes[0].upstream` (RFC 9535 §2.7, with dots
    /// where the shorthand allows them).
    package let path: String
    /// What is wrong, the nearest valid name where there is one, and what to write instead.
    package let message: String

    /// `file:line:column: error: path: message`, which editors and terminals can jump to.
    package var description: String {
        "\(file):\(line):\(column): \(severity.rawValue): \(path): \(message)"
    }
}

/// Why there is no configuration: everything that is wrong with it at once.
package struct SettingsError: Error, Sendable, CustomStringConvertible {
    /// In the order of the files; at least one of them is an error, the others may be warnings.
    package let problems: [Problem]

    /// Makes an error of problems that were found elsewhere, such as by the builder of snapshots.
    package init(problems: [Problem]) {
        self.problems = problems
    }

    /// One problem a line.
    package var description: String {
        problems.map(\.description).joined(separator: "\n")
    }
}
