import ArgumentParser
import Settings

/// `--config`, and what every command does with it.
struct ConfigurationOption: ParsableArguments {
    @Option(name: .customLong("config"), help: "The configuration.", completion: .file(extensions: ["json"]))
    var file = "gateway.json"

    /// Reads and checks the configuration.
    ///
    /// Everything that is wrong with it goes to standard error, and the command ends with exit code 78.
    func load() throws -> Plan {
        do throws(Plan.Failure) {
            return try Plan.load(file)
        } catch {
            throw Self.refuse(error, file: file)
        }
    }

    /// Reports what is wrong with `file`; the result is to be thrown.
    static func refuse(_ failure: Plan.Failure, file: String) -> ExitCode {
        Console.error(failure.description)
        Console.error("\(file): \(failure.errors) \(failure.errors == 1 ? "error" : "errors")")
        return .badConfiguration
    }
}

extension ExitCode {
    /// EX_CONFIG of sysexits.h.
    static let badConfiguration = ExitCode(78)
}
