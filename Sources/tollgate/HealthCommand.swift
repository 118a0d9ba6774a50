import ArgumentParser
import Control
import Settings

struct HealthCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "health",
        abstract: "Ask a running gateway whether it takes requests.",
        discussion: """
            Asks GET /health/ready on the admin address of the configuration, within two seconds. Exit code 0 when the \
            gateway is ready, 1 when it drains, refuses requests because it could not record them, or does not answer, \
            78 when the configuration has errors. \
            Made for container health checks.
            """)

    @OptionGroup var configuration: ConfigurationOption

    func run() async throws {
        let admin = try configuration.load().settings.admin
        guard admin.enabled else {
            Console.error("\(configuration.file) has no admin listener to ask.")
            throw ExitCode.failure
        }
        let status: Int
        do {
            status = try await HealthProbe.status(host: admin.address.host, port: admin.address.port)
        } catch {
            Console.error(
                "\(admin.address) does not answer: \(error). Is the gateway running, with this configuration?")
            throw ExitCode.failure
        }
        Console.out(status == 200 ? "ready" : "not ready (\(status))")
        guard status == 200 else { throw ExitCode.failure }
    }
}
