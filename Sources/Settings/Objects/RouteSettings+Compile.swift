import Gate
package import Routing
import StrictJSON

extension RouteSettings {
    /// The rule by which requests are matched.
    package func rule() throws(RoutingError) -> RouteRule {
        RouteRule(name: name, hosts: match.hosts, path: try RoutePattern(match.path), methods: match.methods)
    }

    /// The path that the upstream sees.
    package func compiledRewrite(of pattern: RoutePattern) throws(RoutingError) -> Rewrite {
        guard let rewrite else { return .none }
        if let prefix = rewrite.stripPrefix { return try .stripPrefix(prefix, of: pattern) }
        if let prefix = rewrite.replacePrefix, let with = rewrite.with {
            return try .replacePrefix(prefix, with: with, of: pattern)
        }
        if let path = rewrite.path { return try .template(path, of: pattern) }
        return .none
    }

    /// Every upstream that its requests may go to.
    var upstreamNames: [String] { [upstream] + [canary, mirror].compactMap { $0?.upstream } }

    /// What one route can be blamed for by itself.
    func check(_ json: JSON, _ reading: inout Reading) {
        checkUpgrades(json, &reading)
        guard !match.path.isEmpty, !reading.hasErrors(at: reading.path.member("match")) else { return }
        let pattern: RoutePattern
        do throws(RoutingError) {
            pattern = try RoutePattern(match.path)
        } catch {
            reading.error(error.description, below: ["match", "path"], of: json)
            return
        }
        do throws(RoutingError) {
            _ = try RouteTable([RouteRule(name: name, hosts: match.hosts, path: pattern, methods: match.methods)])
        } catch {
            reading.error(error.description, below: ["match", error.blamedMember], of: json)
        }
        do throws(RoutingError) {
            _ = try compiledRewrite(of: pattern)
        } catch {
            reading.error(error.description, below: ["rewrite"], of: json)
        }
        guard let policy, !policy.resource.isEmpty else { return }
        do throws(RoutingError) {
            _ = try CaptureTemplate(resource: policy.resource, for: pattern)
        } catch {
            var hint = ""
            if case .unknownCapture(_, let name, let known) = error, let near = nearestName(to: name, among: known) {
                hint = "; did you mean {\(near)}?"
            }
            reading.error(error.description + hint, below: ["policy", "resource"], of: json)
        }
    }

    private func checkUpgrades(_ json: JSON, _ reading: inout Reading) {
        for name in upgrades {
            guard let upgrade = UpgradeProtocol(name) else {
                reading.error(
                    "\"\(name)\" is no protocol name; \"websocket\", or name/version, is wanted", below: ["upgrades"],
                    of: json)
                continue
            }
            guard upgrade.carriesRequests else { continue }
            reading.error(
                "\"\(name)\" would carry requests past the gateway; remove it", below: ["upgrades"], of: json)
        }
    }
}

extension RoutingError {
    /// The member of `match` that an error is about.
    fileprivate var blamedMember: String {
        switch self {
        case .patternNotAbsolute, .emptySegment, .dotSegment, .restNotLast, .badCapture, .duplicateCapture,
            .forbiddenCharacter, .patternTooDeep, .prefixNotOfPattern, .unknownCapture, .noResourceType, .unreachable:
            "path"
        case .badHost: "hosts"
        case .badMethod, .noMethods: "methods"
        }
    }
}

extension Reading {
    /// Records an error about a value some members below the one at hand.
    mutating func error(_ message: String, below members: [String], of json: JSON) {
        record(.error, message, below: members, of: json)
    }

    /// Records a warning about a value some members below the one at hand.
    mutating func warning(_ message: String, below members: [String], of json: JSON) {
        record(.warning, message, below: members, of: json)
    }

    private mutating func record(
        _ severity: Problem.Severity, _ message: String, below members: [String], of json: JSON
    ) {
        var place = json
        var path = path
        for member in members {
            guard let value = place.member(member) else { break }
            place = value
            path = path.member(member)
        }
        record(severity, message, offset: place.offset, path: path)
    }
}
