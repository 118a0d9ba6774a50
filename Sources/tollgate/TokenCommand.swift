import ArgumentParser
import Authentication
import Control
import Gate
import Proxy
import Settings

struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Create, list and revoke the API tokens of solutions.",
        discussion: """
            Tokens are kept in the file that gateway.json names as tokens.file; only their SHA-256 stands there. A \
            running gateway looks at the file each second: a new token works, and a revoked one stops working, within \
            two.
            """,
        subcommands: [Create.self, List.self, Revoke.self])
}

extension TokenCommand {
    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a token and print it, once.",
            discussion: """
                The token goes to standard output, everything else to standard error:

                  tollgate token create --solution acme-lamps --expires 90d --label "nightly export" > token.txt

                Clients send it as x-cr-api-token, or as Authorization: Bearer.
                """)

        @OptionGroup var configuration: ConfigurationOption

        @Option(help: "The solution it stands for, as in gateway.json.")
        var solution: String

        @Option(help: "How long it is good for (90d, 12h), or until when (2030-01-01T00:00:00Z). Without: for ever.")
        var expires: String?

        @Option(help: "What it is for, for people.")
        var label: String?

        func run() throws {
            let settings = try configuration.load().settings
            guard settings.solutions.contains(where: { $0.name.utf8.elementsEqual(solution.utf8) }) else {
                let known = settings.solutions.map(\.name).joined(separator: ", ")
                throw ValidationError(
                    "\(configuration.file) has no solution \"\(solution)\"; it has \(known.isEmpty ? "none" : known).")
            }
            // What cannot be read again would keep the gateway from starting, and every other token from being revoked.
            if let defect = label.flatMap(textDefect) { throw ValidationError("The label \(defect).") }
            let now = SystemClock.now()
            let expiry = try expires.map { try Moment.ahead($0, of: now).seconds }
            if let expiry, expiry <= now.unix { throw ValidationError("--expires lies in the past.") }
            var random = SystemRandomNumberGenerator()
            let minted = APIToken.mint(random: &random)
            var id = ""
            try LockedFile(path: settings.tokens.file).updateTokens { file in
                let taken = file.tokens.map(\.id) + settings.solutions.flatMap { $0.apiTokens.map(\.id) }
                repeat {
                    id = "t" + String(UInt32.random(in: .min ... .max, using: &random), radix: 36)
                } while taken.contains(id)
                file.tokens.append(
                    TokenFile.Entry(
                        id: id, solution: solution, sha256: minted.sha256, expires: expiry, label: label,
                        created: now.unix))
                return true
            }
            // First, so that its id is known even where the token itself cannot be written.
            Console.error(
                "Token \(id) of \(solution), \(expiry.map { "good until \(Timestamp.text($0))" } ?? "good for ever")."
                    + " It is not shown again; \(settings.tokens.file) keeps its SHA-256."
                    + " To end it: tollgate token revoke \(id)")
            Console.out(minted.token)
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the tokens, without anything secret.",
            discussion: "Tokens that stand in gateway.json itself are listed as well; those are removed by hand.")

        @OptionGroup var configuration: ConfigurationOption

        @Option(help: "Only those of this solution.")
        var solution: String?

        func run() throws {
            let settings = try configuration.load().settings
            let file = try LockedFile(path: settings.tokens.file).tokens()
            let now = SystemClock.now().unix
            var rows = [["ID", "SOLUTION", "CREATED", "EXPIRES", "WHERE", "LABEL"]]
            for token in file.tokens {
                rows.append([
                    token.id, token.solution, token.created.map(Timestamp.text) ?? "-",
                    expiry(token.expires, now: now), settings.tokens.file, token.label ?? "",
                ])
            }
            for solution in settings.solutions {
                // The settings hold the tokens of both places.
                for token in solution.apiTokens where !file.tokens.contains(where: { $0.sha256 == token.sha256 }) {
                    rows.append([
                        token.id, solution.name, "-", expiry(token.expires, now: now), configuration.file,
                        token.label ?? "",
                    ])
                }
            }
            if let solution {
                rows = rows.enumerated().filter { $0.offset == 0 || $0.element[1].utf8.elementsEqual(solution.utf8) }
                    .map(\.element)
            }
            for line in Table.lines(rows) { Console.out(line) }
        }

        private func expiry(_ seconds: Int64?, now: Int64) -> String {
            guard let seconds else { return "never" }
            return Timestamp.text(seconds) + (seconds <= now ? " (over)" : "")
        }
    }

    struct Revoke: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Revoke a token by its id.",
            discussion: "A running gateway refuses it within two seconds. Exit code 1 when there is no such token.")

        @OptionGroup var configuration: ConfigurationOption

        @Argument(help: "The token's id, as listed.")
        var id: String

        func run() throws {
            let settings = try configuration.load().settings
            var found = false
            try LockedFile(path: settings.tokens.file).updateTokens { file in
                let before = file.tokens.count
                file.tokens.removeAll { $0.id.utf8.elementsEqual(id.utf8) }
                found = file.tokens.count < before
                return found
            }
            guard found else {
                let isStatic = settings.solutions.contains { solution in
                    solution.apiTokens.contains { $0.id.utf8.elementsEqual(id.utf8) }
                }
                Console.error(
                    isStatic
                        ? "The token \(id) stands in \(configuration.file): remove it there, then reload with SIGHUP."
                        : "\(settings.tokens.file) has no token \"\(id)\"; see: tollgate token list")
                throw ExitCode.failure
            }
            Console.error("Token \(id) is revoked.")
        }
    }
}

extension LockedFile {
    /// The tokens in the file; a file that cannot be understood is reported in full (exit code 78).
    func tokens() throws -> TokenFile {
        try Self.parse(try read(), path: path)
    }

    /// Changes the tokens; `change` says whether it did.
    func updateTokens(_ change: (inout TokenFile) throws -> Bool) throws {
        try update { bytes in
            var file = try Self.parse(bytes, path: path)
            return try change(&file) ? file.serialised() : nil
        }
    }

    private static func parse(_ bytes: [UInt8], path: String) throws -> TokenFile {
        if bytes.isEmpty { return TokenFile() }
        do throws(SettingsError) {
            return try TokenFile.parse(bytes, file: path)
        } catch {
            throw ConfigurationOption.refuse(Plan.Failure(error), file: path)
        }
    }
}
