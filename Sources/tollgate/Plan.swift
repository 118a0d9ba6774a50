import Audit
import Authentication
import Control
import Proxy
import Settings
import NIOConcurrencyHelpers
import TLS

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
    /// Those of them that hold certificates and keys of TLS.
    let certificateFiles: [String]

    /// Reads a configuration with everything it refers to.
    static func load(_ file: String) throws(Failure) -> Plan {
        try load(file, surroundings: .process)
    }

    /// The same configuration with these of its files as they are now. All others count as they were, so that a new
    /// token never brings half-finished edits of something else into force.
    func rereading(_ paths: [String], of file: String) throws(Failure) -> Plan {
        let process = Surroundings.process
        return try Self.load(
            file,
            surroundings: Surroundings(
                environment: process.environment,
                readFile: { [files] path in
                    if paths.contains(where: { $0.utf8.elementsEqual(path.utf8) }) { return process.readFile(path) }
                    return files[path] ?? process.readFile(path)
                }, now: process.now))
    }

    /// What the data plane takes.
    ///
    /// - Parameters:
    ///   - tickets: those of the process; nil for a publication that nobody will connect to.
    ///   - keys: gives the source for an issuer whose keys are fetched.
    func publication(
        tickets: TLSTicketKeys? = nil, keys: (KeyRequest) -> KeySource
    ) throws(Failure) -> Publication {
        let sources = keyRequests.map { (issuer: $0.issuer, source: keys($0.request)) }
        let builder = SnapshotBuilder { issuer in
            let known = sources.first { $0.issuer.utf8.elementsEqual(issuer.name.utf8) }
            return known?.source ?? KeySource(initial: nil)
        }
        let listeners = try tickets.map { tickets throws(Failure) in try self.listeners(tickets) } ?? []
        do throws(SettingsError) {
            return Publication(
                snapshot: try builder.build(settings), upstreams: settings.upstreams, listeners: listeners)
        } catch {
            throw Failure(error)
        }
    }

    /// Throws when the audit trail cannot lie where it is to lie.
    func checkAudit() throws(Failure) {
        guard settings.audit.enabled else { return }
        do throws(AuditError) {
            try settings.audit.trail.check()
        } catch {
            throw Failure(lines: ["\(error); name a directory in audit.directory"], errors: 1)
        }
    }

    private static func load(_ file: String, surroundings: Surroundings) throws(Failure) -> Plan {
        let read = NIOLockedValueBox<[String: Surroundings.File]>([:])
        let recording = Surroundings(
            environment: surroundings.environment,
            readFile: { path in
                let content = surroundings.readFile(path)
                read.withLockedValue { $0[path] = content }
                return content
            },
            now: surroundings.now)
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
            files: read.withLockedValue { $0 }, certificateFiles: loaded.certificateFiles)
    }

    private func listeners(_ tickets: TLSTicketKeys) throws(Failure) -> [ListenerTLS] {
        var listeners: [ListenerTLS] = []
        for listener in settings.listeners {
            do throws(TLSError) {
                let context = try listener.tls.map { tls throws(TLSError) in
                    let protocols = (listener.http2 ? ["h2"] : []) + ["http/1.1", "http/1.0"]
                    return try TLSServerContext(tls.server, protocols: protocols, tickets: tickets)
                }
                listeners.append(ListenerTLS(name: listener.name, context: context))
            } catch {
                throw Failure(
                    lines: ["\(settings.file): error: $.listeners: \"\(listener.name)\": \(error)"], errors: 1)
            }
        }
        return listeners
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
