import ArgumentParser
import Audit
import Authentication
import Gate
import Policy
import Settings
import Upstream

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Check a configuration and everything it refers to.",
        discussion: """
            Reads the configuration, keys, policies and tokens, and compiles them as the gateway would. Every error is \
            reported at once, with file, line and column, the place in the document and the nearest valid name. \
            Warnings do not fail. Nothing is fetched and nothing is started. Exit code 78 when the gateway would \
            refuse the configuration.
            """)

    @OptionGroup var configuration: ConfigurationOption

    func run() throws {
        let plan = try configuration.load()
        do throws(Plan.Failure) {
            _ = try plan.publication { _ in KeySource(initial: nil) }
            try plan.checkAudit()
        } catch {
            throw ConfigurationOption.refuse(error, file: configuration.file)
        }
        for warning in plan.warnings { Console.error(warning) }
        for line in Self.summary(plan.settings, file: configuration.file) { Console.out(line) }
    }

    private static func summary(_ settings: GatewaySettings, file: String) -> [String] {
        var rows = settings.listeners.map { ["listener", $0.name, "\($0.address)"] }
        if settings.admin.enabled { rows.append(["admin", "", "\(settings.admin.address)"]) }
        for issuer in settings.issuers {
            let algorithms = issuer.algorithms.map(\.rawValue).joined(separator: " ")
            rows.append(["issuer", issuer.name, "\(issuer.issuer) (\(algorithms); keys \(keys(of: issuer)))"])
        }
        for solution in settings.solutions {
            let count = solution.apiTokens.count
            let secret = solution.secretHash == nil ? "" : ", a secret"
            rows.append(["solution", solution.name, "\(count) \(count == 1 ? "API token" : "API tokens")\(secret)"])
        }
        let limit = settings.rateLimit
        rows.append([
            "limit", limit.name,
            "\(limit.requestsPerMinute) a minute, burst \(limit.burst ?? limit.requestsPerMinute), per \(limit.per.rawValue)",
        ])
        for policy in settings.policies { rows.append(["policy", policy.name, "\(policy.document.policyId)"]) }
        for upstream in settings.upstreams {
            let endpoints = upstream.endpoints.map { String(decoding: $0.authority, as: UTF8.self) }
            rows.append(["upstream", upstream.name, endpoints.joined(separator: ", ")])
        }
        for route in settings.routes {
            let methods = route.match.methods.map { $0.joined(separator: " ") + " " } ?? ""
            let canary = route.canary.map { ", \($0.percent) % to \($0.upstream)" } ?? ""
            let mirror = route.mirror.map { ", copies of \($0.percent) % to \($0.upstream)" } ?? ""
            rows.append(["route", route.name, "\(methods)\(route.match.path) → \(route.upstream)\(canary)\(mirror)"])
        }
        if settings.audit.enabled { rows.append(["audit", "", settings.audit.trail.directory]) }
        return ["\(file): good"] + Table.lines(rows.map { [""] + $0 })
    }

    private static func keys(of issuer: IssuerSettings) -> String {
        switch issuer.keys {
        case .file(let path, _): "from \(path)"
        case .inline: "in place"
        case .url(let url): "from \(url)"
        case .discovery: "by discovery"
        case nil: "missing"
        }
    }
}
