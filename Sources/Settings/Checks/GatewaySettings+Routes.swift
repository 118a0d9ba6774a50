import Gate
package import Identity
import Routing
import StrictJSON
import Upstream

extension GatewaySettings {
    /// The credentials that a route looks at.
    package func accepted(by route: RouteSettings) -> CredentialSet {
        guard let named = route.authenticate else {
            var all: CredentialSet = []
            if !issuers.isEmpty { all.insert(.jwt) }
            if !solutions.isEmpty { all.formUnion([.apiToken, .basic]) }
            if identifiesByCertificate { all.insert(.certificate) }
            return all
        }
        return named.reduce(into: []) { set, credential in
            switch credential {
            case .jwt: set.insert(.jwt)
            case .apiToken: set.insert(.apiToken)
            case .basic: set.insert(.basic)
            case .clientCertificate: set.insert(.certificate)
            }
        }
    }

    /// Whether some listener's client certificates name somebody.
    private var identifiesByCertificate: Bool {
        listeners.contains { !($0.tls?.clientCertificates?.subjects.isEmpty ?? true) }
    }

    /// References, names and reachability.
    func checkRoutes(_ json: JSON, _ reading: inout Reading) {
        for (index, route) in routes.enumerated() {
            let path = reading.path.member("routes").index(index)
            if reading.hasError(exactlyAt: path) { continue }
            if !route.name.isEmpty, routes[..<index].contains(where: { $0.name.hasSameBytes(as: route.name) }) {
                reading.error(
                    "another route is named \"\(route.name)\"; names are unique", at: path.member("name"), in: json)
            }
            checkUpstream(route.upstream, at: path.member("upstream"), json, &reading)
            for (member, share) in [("canary", route.canary), ("mirror", route.mirror)] {
                guard let share, !share.upstream.isEmpty else { continue }
                let place = path.member(member).member("upstream")
                checkUpstream(share.upstream, at: place, json, &reading)
                if share.upstream.hasSameBytes(as: route.upstream) {
                    reading.error("this is the route's own upstream; name another", at: place, in: json)
                }
            }
            if let use = route.policy?.use, !use.isEmpty, !policies.contains(where: { $0.name.hasSameBytes(as: use) }) {
                let hint = suggestion(for: use, among: policies.map(\.name), none: "add it under \"policies\"")
                reading.error(
                    "there is no policy \"\(use)\"; \(hint)", at: path.member("policy").member("use"), in: json)
            }
            checkCredentials(of: route, at: path, json, &reading)
        }
        checkReachability(json, &reading)
    }

    private func checkUpstream(_ name: String, at path: JSONPath, _ json: JSON, _ reading: inout Reading) {
        guard !name.isEmpty, !upstreams.contains(where: { $0.name.hasSameBytes(as: name) }) else { return }
        let hint = suggestion(for: name, among: upstreams.map(\.name), none: "add it under \"upstreams\"")
        reading.error("there is no upstream \"\(name)\"; \(hint)", at: path, in: json)
    }

    private func checkCredentials(of route: RouteSettings, at path: JSONPath, _ json: JSON, _ reading: inout Reading) {
        guard !reading.hasErrors(at: path.member("authenticate")) else { return }
        let accepted = accepted(by: route)
        if accepted.isEmpty {
            if route.authenticate == nil {
                reading.error(
                    "nobody could be authenticated, because there are no issuers and no solutions; add some, or let"
                        + " everybody in with \"authenticate\": []", at: path, in: json)
                return
            }
            if route.policy != nil {
                // Allowed: a policy that grants nobody anything closes a path, and says so with a 403.
                reading.warning(
                    "the policy is asked about a caller without subjects, because \"authenticate\": [] asks nobody",
                    at: path.member("policy"), in: json)
            }
            for (isSet, member) in [
                (route.requireSolution, "requireSolution"), (route.preAuthenticated, "preAuthenticated"),
            ] where isSet {
                reading.error(
                    "\"\(member)\" needs to know who asks, and \"authenticate\": [] asks nobody; remove one",
                    at: path.member(member), in: json)
            }
            return
        }
        for (index, credential) in (route.authenticate ?? []).enumerated() {
            let (isHopeless, missing) =
                switch credential {
                case .jwt: (issuers.isEmpty, "issuers")
                case .apiToken, .basic: (solutions.isEmpty, "solutions")
                case .clientCertificate:
                    (!identifiesByCertificate, "listeners with tls.clientCertificates.subjects")
                }
            if isHopeless {
                reading.warning(
                    "\"\(credential.rawValue)\" can prove nothing: there are no \(missing)",
                    at: path.member("authenticate").index(index), in: json)
            }
        }
    }

    /// Routes that an earlier one hides; found one at a time, so hidden ones are taken out until nothing is left to say.
    private func checkReachability(_ json: JSON, _ reading: inout Reading) {
        var rules: [(index: Int, rule: RouteRule)] = []
        for (index, route) in routes.enumerated() {
            if reading.hasErrors(at: reading.path.member("routes").index(index).member("match")) { continue }
            if let rule = try? route.rule(), (try? RouteTable([rule])) != nil { rules.append((index, rule)) }
        }
        while true {
            do throws(RoutingError) {
                // By position, because a name may stand twice.
                _ = try RouteTable(rules.map { Self.numbered($0.rule, $0.index) })
                return
            } catch {
                guard case .unreachable(let hidden, let behind) = error,
                    let place = rules.firstIndex(where: { Self.numbered($0.rule, $0.index).name == hidden })
                else {
                    reading.error(error.description, at: reading.path.member("routes"), in: json)
                    return
                }
                let other = rules.first { Self.numbered($0.rule, $0.index).name == behind }
                let path = reading.path.member("routes").index(rules[place].index).member("match")
                reading.error(
                    "the route is never reached: \"\(other?.rule.name ?? behind)\" before it takes the same hosts,"
                        + " path and methods", at: path, in: json)
                rules.remove(at: place)
            }
        }
    }

    private static func numbered(_ rule: RouteRule, _ index: Int) -> RouteRule {
        var rule = rule
        rule.name = String(index)
        return rule
    }
}
