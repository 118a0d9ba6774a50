import Authentication
import Control
import Proxy
import Settings
import Synchronization

/// A configuration that was read and checked as a whole and can be put in force.
struct Plan: Sendable {
    /// Why there is no plan: lines for the operator.
    struct Failure: Error, CustomStringConvertible {
        let lines: [String]
        let errors: Int
        var description: String { lines.joined(separator: "\n") }

        init(lines: [String], errors: Int) {
            self.lines = lines
            self.errors = errors
        }

        init(_ error: SettingsError) {
            lines = error.problems.map(\.description)
            errors = error.problems.count { $0.severity == .error }
        }
    }

    let settings: GatewaySettings
    /// What somebody should look at, a line each.
    let warnings: [String]
    /// The issuers whose keys are fetched, by configured name.
    let keyRequests: [(issuer: String, request: KeyRequest)]
    /// Every file that was read, as it was.
    private let files: [String: Surroundings.File]

    /// Reads a configuration with everything it refers to.
    static func load(_ file: String) throws(Failure) -> Plan {
        try load(file, surroundings: .process)
    }

    /// The same configuration with the tokens file as it is now. All other files count as they were, so that a new
    /// token never brings half-finished edits of something else into force.
    func withPresentTokens(_ file: String) throws(Failure) -> Plan {
        let process = Surroundings.process
        return try Self.load(
            file,
            surroundings: Surroundings(
                environment: process.environment,
                readFile: { [files, tokens = settings.tokens.file] path in
                    if path.utf8.elementsEqual(tokens.utf8) { return process.readFile(path) }
                    return files[path] ?? process.readFile(path)
                }))
    }

    /// What the data plane takes.
    ///
    /// - Parameter keys: gives the source for an issuer whose keys are fetched.
    func publication(keys: (KeyRequest) -> KeySource) throws(Failure) -> Publication {
        let sources = keyRequests.map { (issuer: $0.issuer, source: keys($0.request)) }
        let builder = SnapshotBuilder { issuer in
            let known = sources.first { $0.issuer.utf8.elementsEqual(issuer.name.utf8) }
            return known?.source ?? KeySource(initial: nil)
        }
        do throws(SettingsError) {
            return Publication(snapshot: try builder.build(settings), upstreams: settings.upstreams)
        } catch {
            throw Failure(error)
        }
    }

    private static func load(_ file: String, surroundings: Surroundings) throws(Failure) -> Plan {
        let read = Mutex<[String: Surroundings.File]>([:])
        let recording = Surroundings(
            environment: surroundings.environment,
            readFile: { path in
                let content = surroundings.readFile(path)
                read.withLock { $0[path] = content }
                return content
            })
        let loaded: Settings.Loaded
        do throws(SettingsError) {
            loaded = try Settings.load(file: file, surroundings: recording)
        } catch {
            throw Failure(error)
        }
        var warnings = loaded.warnings.map(\.description)
        warnings += DemoCredentials.uses(in: loaded.settings).map { "\(file): warning: \($0)" }
        return Plan(
            settings: loaded.settings, warnings: warnings, keyRequests: try requests(of: loaded.settings, file: file),
            files: read.withLock { $0 })
    }

    private static func requests(
        of settings: GatewaySettings, file: String
    ) throws(Failure) -> [(issuer: String, request: KeyRequest)] {
        var requests: [(issuer: String, request: KeyRequest)] = []
        for issuer in settings.issuers {
            do throws(KeyFetchError) {
                let location: KeyLocation
                switch issuer.keys {
                case .file, .inline, nil: continue
                case .url(let url): location = .url(try FetchURL(url))
                case .discovery: location = try .discovering(issuer: issuer.issuer)
                }
                requests.append(
                    (
                        issuer.name,
                        KeyRequest(
                            issuer: issuer.name, location: location, algorithms: Set(issuer.algorithms),
                            interval: issuer.refreshInterval)
                    ))
            } catch {
                throw Failure(lines: ["\(file): error: $.issuers['\(issuer.name)'].keys: \(error)"], errors: 1)
            }
        }
        return requests
    }
}
