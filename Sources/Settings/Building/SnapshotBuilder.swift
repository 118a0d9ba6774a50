package import Authentication
package import Gate
import Identity
import Policy
import RateLimit
import Routing
import Upstream
import Wire

/// Compiles settings into what the gate decides with.
package struct SnapshotBuilder: Sendable {
    private let fetchedKeys: @Sendable (IssuerSettings) -> KeySource

    /// `fetchedKeys` gives the keys of an issuer whose keys are fetched (by url or discovery); it has to give the same source
    /// for the same issuer again, so that keys survive a reload. Keys that stand in files need no such source.
    package init(fetchedKeys: @escaping @Sendable (IssuerSettings) -> KeySource) {
        self.fetchedKeys = fetchedKeys
    }

    /// For checking a configuration without fetching anything.
    package static let offline = SnapshotBuilder(fetchedKeys: { _ in KeySource(initial: nil) })

    /// The snapshot of settings that `Settings.read` gave out.
    ///
    /// Settings changed by hand may not compile; the error then names what does not, without its line.
    package func build(_ settings: GatewaySettings) throws(SettingsError) -> Snapshot {
        var issuers: [Issuer] = []
        for issuer in settings.issuers { issuers.append(try compiled(issuer, settings)) }
        let (engines, engineIndex) = try engines(settings)
        var rules: [RouteRule] = []
        var routes: [Route] = []
        for (index, route) in settings.routes.enumerated() {
            let path = JSONPath.root.member("routes").index(index)
            for name in route.upstreamNames where !settings.upstreams.contains(where: { $0.name == name }) {
                throw Self.failure("there is no upstream \"\(name)\"", path.member("upstream"), settings)
            }
            var engine: Int?
            if let policy = route.policy {
                // A guarded route never becomes an open one because its policy cannot be found.
                guard let found = engineIndex[policy.use] else {
                    throw Self.failure("there is no policy \"\(policy.use)\"", path.member("policy"), settings)
                }
                engine = found
            }
            do throws(RoutingError) {
                let rule = try route.rule()
                routes.append(try compiled(route, rule, settings, engine))
                rules.append(rule)
            } catch {
                throw Self.failure(error.description, path, settings)
            }
        }
        let table: RouteTable
        do throws(RoutingError) {
            table = try RouteTable(rules)
        } catch {
            throw Self.failure(error.description, JSONPath.root.member("routes"), settings)
        }
        return Snapshot(
            routes: routes, table: table,
            authenticator: Authenticator(issuers: issuers, solutions: settings.solutions.map(\.credentials)),
            engines: engines, limits: try limits(settings), forwarding: settings.forwarding.rules,
            connection: settings.limits.rules,
            certificates: settings.listeners.reduce(into: [:]) { $0[$1.name] = $1.tls?.clientCertificates?.rules })
    }

    private static func failure(_ message: String, _ path: JSONPath, _ settings: GatewaySettings) -> SettingsError {
        SettingsError(problems: [
            Problem(
                severity: .error, file: settings.file, line: 1, column: 1, path: path.description, message: message)
        ])
    }

    // MARK: Who

    private func compiled(_ issuer: IssuerSettings, _ settings: GatewaySettings) throws(SettingsError) -> Issuer {
        let path = JSONPath.root.member("issuers").member(issuer.name)
        let algorithms = Set(issuer.algorithms)
        let keys: KeySource
        switch issuer.keys {
        case .file(_, let document), .inline(let document):
            do throws(KeySetError) {
                keys = KeySource(initial: try KeySet.parse(jwks: document, for: algorithms))
            } catch {
                throw Self.failure(error.description, path.member("keys"), settings)
            }
        case .url, .discovery: keys = fetchedKeys(issuer)
        case nil: throw Self.failure("the member \"keys\" is missing", path, settings)
        }
        return Issuer(
            name: issuer.name, issuer: issuer.issuer, audiences: issuer.audiences, algorithms: algorithms, keys: keys,
            clockSkew: issuer.clockSkew.roundedUpToSeconds, requiredType: issuer.requiredType,
            profile9068: issuer.profile == .rfc9068, subjects: issuer.subjects, subjectPrefix: issuer.subjectPrefix,
            client: issuer.client, solution: issuer.solution, tenant: issuer.tenant,
            maximumTokenBytes: issuer.maximumTokenBytes, requireExpiry: issuer.requireExpiry,
            maximumLifetime: issuer.maximumLifetime?.roundedUpToSeconds)
    }

    // MARK: Whether

    /// The engines that routes use, and where each policy's stands. Others would cost every admission a view.
    private func engines(
        _ settings: GatewaySettings
    ) throws(SettingsError) -> (engines: [PolicyEngine], index: [String: Int]) {
        var engines: [PolicyEngine] = []
        var index: [String: Int] = [:]
        for policy in settings.policies {
            guard settings.routes.contains(where: { $0.policy?.use == policy.name }) else { continue }
            do throws(PolicyError) {
                engines.append(
                    try PolicyEngine(document: policy.document, resolving: settings.policy(withID:)))
                index[policy.name] = engines.count - 1
            } catch {
                throw Self.failure(
                    error.description, JSONPath.root.member("policies").member(policy.name), settings)
            }
        }
        return (engines, index)
    }

    private func limits(_ settings: GatewaySettings) throws(SettingsError) -> LimitRules {
        do throws(QuotaError) {
            var overrides: [String: Quota] = [:]
            for solution in settings.solutions {
                if let limit = solution.rateLimit { overrides[solution.name] = try limit.quota() }
            }
            let scope: LimitRules.Scope =
                switch settings.rateLimit.per {
                case .client: .client
                case .solution: .solution
                case .subject: .subject
                }
            return LimitRules(
                name: settings.rateLimit.name, scope: scope, quota: try settings.rateLimit.quota(),
                overrides: overrides, failures: try settings.failedAuthentication.quota(),
                sendsLegacyFields: settings.rateLimit.legacyHeaders)
        } catch {
            throw Self.failure(error.description, JSONPath.root.member("rateLimit"), settings)
        }
    }

    // MARK: Where

    private func compiled(
        _ route: RouteSettings, _ rule: RouteRule, _ settings: GatewaySettings, _ engine: Int?
    ) throws(RoutingError) -> Route {
        var policy: RoutePolicy?
        if let guarding = route.policy, let engine {
            policy = RoutePolicy(
                engine: engine,
                resource: try CaptureTemplate(resource: guarding.resource, for: rule.path),
                reading: guarding.reading.requirement, writing: guarding.writing.requirement)
        }
        return Route(
            name: route.name, upstream: route.upstream, accepts: settings.accepted(by: route),
            requiresSolution: route.requireSolution, policy: policy,
            rewrite: try route.compiledRewrite(of: rule.path), forwardsCredentials: route.forwardCredentials,
            preAuthenticates: route.preAuthenticated,
            maximumBodyBytes: (route.maximumBodyBytes ?? settings.limits.maximumBodyBytes).map(Int64.init),
            upgrades: route.upgrades.compactMap { UpgradeProtocol($0) }.filter { !$0.carriesRequests },
            timeouts: route.timeouts, canary: route.canary, mirror: route.mirror)
    }
}
