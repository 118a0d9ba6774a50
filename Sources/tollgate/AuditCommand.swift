import ArgumentParser
import Audit
import Identity
import Proxy

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit",
        abstract: "Verify or search the audit log.",
        subcommands: [Verify.self, Query.self])

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check that no record was changed, removed, inserted or moved.",
            discussion: """
                Every record carries the SHA-256 of the one before and itself. This command recomputes them over a \
                file or a whole directory and names the first place that does not hold (exit code 1).

                A chain shows what happened between two known points. That its end was not cut off, and that the \
                whole was not written anew, shows only a comparison: note the printed end elsewhere, and later give \
                it as --after 1234:<chain> with the records that follow, or look for it in the trail.
                """)

        @Argument(help: "An audit file or the directory of them.", completion: .file())
        var path: String

        @Option(help: "Where the records follow on, as an earlier run printed it: NUMBER:CHAIN.")
        var after: String?

        @Flag(help: "Accept that older files were taken away.")
        var allowMissingStart = false

        func run() throws {
            let report = try AuditVerifier.verify(
                path: path, after: try after.map(Self.anchor), allowMissingStart: allowMissingStart)
            Console.out(
                "\(report.records) records in \(report.files) files, numbers \(report.firstSequence) to"
                    + " \(report.lastSequence).")
            switch report.anchor {
            case .genesis: Console.out("The trail is there from its first record.")
            case .file(let name): Console.out("The first record follows the last one of \(name).")
            case .given: Console.out("The first record follows the one that was given.")
            case .missing: Console.out("What the first record follows is not known.")
            }
            if report.lostRecords > 0 { Console.out("The trail itself says: \(report.lostRecords) records were lost.") }
            if report.refusedRequests > 0 {
                Console.out(
                    "The trail itself says: \(report.refusedRequests) requests were refused, without records of their own, "
                        + "because there was no room for them.")
            }
            if report.recoveries > 0 { Console.out("It was continued after a crash \(report.recoveries) times.") }
            if report.tornTailBytes > 0 {
                Console.out("\(report.tornTailBytes) bytes of an unfinished record at the end: a crash, or a writer.")
            }
            if let broken = report.firstBreak {
                Console.out("BROKEN: \(broken)")
                throw ExitCode.failure
            }
            Console.out("The chain holds. It ends in \(report.lastSequence):\(report.lastChain)")
        }

        private static func anchor(_ text: String) throws -> AuditVerifier.Anchor {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2, let sequence = UInt64(parts[0]), parts[1].utf8.count == 64 else {
                throw ValidationError("--after takes NUMBER:CHAIN, as a run of this command prints it.")
            }
            return AuditVerifier.Anchor(sequence: sequence, chain: String(parts[1]))
        }
    }

    struct Query: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the records that match, one JSON object a line.",
            discussion: """
                All given conditions must hold. For example, what was refused to one solution in the last hour:

                  tollgate audit query var/audit --solution acme-lamps --outcome forbidden --since 1h
                """)

        @Argument(help: "An audit file or the directory of them.", completion: .file())
        var path: String

        @Option(help: "Only this solution.")
        var solution: String?

        @Option(help: "Only this decision id, as in x-request-id and in problem documents.")
        var decision: String?

        @Option(help: "Only this moment or later: 2026-01-31T12:00:00Z, or a time ago such as 10m, 2h, 7d.")
        var since: String?

        @Option(help: "Only this status.")
        var status: Int?

        @Option(
            help: "Only this outcome: \(Outcome.allCases.map { "\($0.label)" }.joined(separator: ", ")).",
            transform: { text in
                guard let outcome = Outcome.allCases.first(where: { "\($0.label)" == text }) else {
                    throw ValidationError("There is no outcome \(text).")
                }
                return outcome
            })
        var outcome: Outcome?

        @Option(help: "Stop after this many records.")
        var limit: Int?

        func run() throws {
            let query = AuditQuery(
                solution: solution, decision: decision,
                since: try since.map { try Moment.before($0, SystemClock.now()).nanoseconds }, status: status,
                outcome: outcome)
            var left = limit ?? Int.max
            let summary = try query.run(path: path) { line in
                guard left > 0 else { return false }
                left -= 1
                Console.out(line)
                return left > 0
            }
            if summary.unreadable > 0 {
                Console.error("\(summary.unreadable) lines are no audit records; run: tollgate audit verify \(path)")
            }
        }
    }
}
