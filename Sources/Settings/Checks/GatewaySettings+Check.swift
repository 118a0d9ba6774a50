import Policy
import Audit
import StrictJSON
import Upstream

extension GatewaySettings {
    /// What the parts of the configuration have to do with each other.
    mutating func check(_ json: JSON, _ reading: inout Reading) {
        tokens.file = reading.resolved(tokens.file)
        audit.trail.directory = reading.resolved(audit.trail.directory)
        checkListeners(json, &reading)
        checkIssuers(json, &reading)
        mergeTokens(json, &reading)
        checkTokens(json, &reading)
        checkPolicies(&reading)
        checkRoutes(json, &reading)
        checkUse(json, &reading)
    }

    private func checkListeners(_ json: JSON, _ reading: inout Reading) {
        for (index, listener) in listeners.enumerated() {
            let path = reading.path.member("listeners").index(index)
            if reading.hasError(exactlyAt: path) { continue }
            let earlier = listeners[..<index]
            let hasAddress = !reading.hasErrors(at: path.member("address"))
            if earlier.contains(where: { $0.name.hasSameBytes(as: listener.name) }) {
                reading.error(
                    "another listener is named \"\(listener.name)\"; names are unique", at: path.member("name"),
                    in: json)
            }
            if hasAddress, listener.address.port != 0, earlier.contains(where: { $0.address == listener.address }) {
                reading.error(
                    "another listener has the address \(listener.address)", at: path.member("address"), in: json)
            }
            if hasAddress, admin.enabled, listener.address.port != 0, listener.address == admin.address {
                reading.error(
                    "the admin listener has the address \(listener.address) too; choose another port",
                    at: path.member("address"), in: json)
            }
        }
    }

    private func checkIssuers(_ json: JSON, _ reading: inout Reading) {
        for (index, issuer) in issuers.enumerated() where !issuer.issuer.isEmpty {
            let path = reading.path.member("issuers").member(issuer.name)
            let earlier = issuers[..<index]
            if let other = earlier.first(where: { $0.issuer.hasSameBytes(as: issuer.issuer) }) {
                reading.error(
                    "\"\(other.name)\" has the same iss, so nothing would tell their tokens apart; merge the two",
                    at: path.member("issuer"), in: json)
            }
            let prefix = issuer.subjectPrefix ?? issuer.name
            if let other = earlier.first(where: { ($0.subjectPrefix ?? $0.name).hasSameBytes(as: prefix) }) {
                reading.warning(
                    "\"\(other.name)\" has the subject prefix \"\(prefix)\" too, so that each can make the other's"
                        + " subjects", at: path.member("subjectPrefix"), in: json)
            }
        }
    }

    /// What nothing refers to is probably a mistake, but harmless.
    private func checkUse(_ json: JSON, _ reading: inout Reading) {
        // What could not be read might have used everything.
        if reading.hasErrors { return }
        if routes.isEmpty {
            reading.warning("there are no routes: every request is answered 404", at: reading.path, in: json)
            return
        }
        for upstream in upstreams
        where !routes.contains(where: { $0.upstreamNames.contains { $0.hasSameBytes(as: upstream.name) } }) {
            reading.warning(
                "no route uses this upstream", at: reading.path.member("upstreams").member(upstream.name), in: json)
        }
        for policy in policies {
            let isUsed = routes.contains { $0.policy?.use.hasSameBytes(as: policy.name) ?? false }
            let isImported = policies.contains { other in
                other.document.imports.contains { $0.policyId.hasSameBytes(as: policy.document.policyId) }
            }
            if !isUsed, !isImported {
                reading.warning(
                    "no route uses this policy", at: reading.path.member("policies").member(policy.name), in: json)
            }
        }
    }
}
