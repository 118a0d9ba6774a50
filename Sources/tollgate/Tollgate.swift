import ArgumentParser

@main
struct Tollgate: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tollgate",
        abstract: "A rate-limiting authentication gateway.",
        discussion: """
            Tollgate stands in front of HTTP services. It checks who calls (JWT, API token, Basic, client \
            certificate), how often they may and whether a policy lets them; what passes is forwarded with the \
            caller's identity in headers, and every decision leaves one line in a tamper-evident audit log.

            Exit codes: 0 fine, 64 bad usage, 78 bad configuration, 1 anything else.
            """,
        subcommands: [
            ServeCommand.self, CheckCommand.self, ExplainCommand.self, SchemaCommand.self, TokenCommand.self,
            HashSecretCommand.self, AuditCommand.self, HealthCommand.self, DemoUpstreamCommand.self,
        ])
}
