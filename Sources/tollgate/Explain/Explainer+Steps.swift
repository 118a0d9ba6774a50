import Authentication
import Gate
import Identity
import Policy
import Proxy
import RateLimit
import Routing
import Wire

extension Explainer {
    /// Adds the steps after the parser's, up to the one that refused.
    func describe(
        _ explanation: inout Explanation, _ gatekeeper: Gatekeeper, _ head: borrowing RequestHead, routeIndex: Int?,
        admission: Admission?, resource: ResourcePath?, proof: String?, limit: LimitVerdict?, entry: PolicyEntry?,
        refusal: Refusal?
    ) {
        if case .path? = refusal {
            explanation.steps.append(
                ExplanationStep(name: "path", passed: false, summary: "The path has no single meaning."))
            return
        }
        explanation.steps.append(
            ExplanationStep(
                name: "path", passed: true, summary: "Decoded and normalised once, for all that follows.",
                facts: [("normal", String(decoding: gatekeeper.path.bytes, as: UTF8.self))]))
        guard let routeIndex, routeIndex < publication.snapshot.routes.count else {
            explanation.steps.append(
                ExplanationStep(name: "route", passed: false, summary: "No route takes this method and path."))
            return
        }
        let route = publication.snapshot.routes[routeIndex]
        explanation.steps.append(routed(route))
        guard !route.accepts.isEmpty else {
            explanation.steps.append(
                ExplanationStep(name: "credential", passed: true, summary: "None is asked for on this route."))
            explanation.steps += limited(limit, scope: "the peer \(String(decoding: peer.text, as: UTF8.self))")
            explanation.steps += decided(route, head, subjects: [], resource: resource, entry: entry, refusal: refusal)
            return
        }
        guard let admission else {
            explanation.steps.append(refusedCredential(refusal))
            return
        }
        explanation.steps += identified(admission.principal, proof: proof)
        if case .solutionRequired? = refusal {
            explanation.steps.append(
                ExplanationStep(name: "solution", passed: false, summary: "The route must know it, and it is unknown."))
            return
        }
        explanation.steps += limited(limit, scope: owner(of: admission.principal))
        if case .limited? = refusal { return }
        explanation.steps += decided(
            route, head, subjects: admission.principal.subjects, resource: resource, entry: entry, refusal: refusal)
    }

    private func routed(_ route: Route) -> ExplanationStep {
        ExplanationStep(
            name: "route", passed: true, summary: "\(route.name), to upstream \(route.upstream).",
            facts: [
                ("authenticate", names(route.accepts)),
                ("requireSolution", route.requiresSolution ? "yes" : "no"),
            ])
    }

    private func refusedCredential(_ refusal: Refusal?) -> ExplanationStep {
        let summary: String
        if case .unauthenticated(.missing)? = refusal {
            summary = "None was sent, and the route asks for one."
        } else if case .unauthenticated(.keysUnavailable(let issuer))? = refusal {
            summary = "No key of issuer \(issuer) could be had, so nothing can be verified."
        } else {
            summary = "It proves nobody."
        }
        return ExplanationStep(name: "credential", passed: false, summary: summary)
    }

    private func identified(_ principal: Principal, proof: String?) -> [ExplanationStep] {
        var steps = [
            ExplanationStep(
                name: "credential", passed: true, summary: proof ?? "It was found by its hash.",
                facts: [("kind", "\(principal.credential.label)"), ("issuer", principal.issuer ?? "-")])
        ]
        var facts: [(name: String, value: String)] = [
            ("solution", principal.solution ?? "-"), ("tenant", principal.tenant ?? "-"), ("client", principal.client),
        ]
        for (index, subject) in principal.subjects.enumerated() { facts.append(("subject \(index + 1)", subject)) }
        steps.append(
            ExplanationStep(
                name: "principal", passed: true, summary: principal.subject ?? "No subject at all.", facts: facts))
        return steps
    }

    private func owner(of principal: Principal) -> String {
        switch publication.snapshot.limits.owner(of: principal) {
        case .client(let name): "the client \(name)"
        case .solution(let name): "the solution \(name)"
        case .subject(let name): "the subject \(name)"
        }
    }

    private func limited(_ limit: LimitVerdict?, scope: String) -> [ExplanationStep] {
        guard let limit else { return [] }
        return [
            ExplanationStep(
                name: "limit", passed: limit.isAllowed,
                summary:
                    "A bucket of \(limit.burst), refilled by \(limit.limit) in \(limit.windowSeconds) s, belongs to \(scope).",
                facts: [("note", "Shown full: only the running gateway knows what is left in it.")])
        ]
    }

    private func decided(
        _ route: Route, _ head: borrowing RequestHead, subjects: [String], resource: ResourcePath?, entry: PolicyEntry?,
        refusal: Refusal?
    ) -> [ExplanationStep] {
        guard let policy = route.policy else {
            return [ExplanationStep(name: "policy", passed: true, summary: "The route has none.")]
        }
        let requirement = policy.requirement(for: head.method)
        var facts: [(name: String, value: String)] = [
            ("asked", "\(requirement.permissions.names.joined(separator: ", ")), \(requirement.check)")
        ]
        let engine = publication.snapshot.engines[policy.engine]
        if let entry, let label = engine.label(of: entry.entry) { facts.append(("entry", label)) }
        if let resource {
            let path = resource.segments.map { "/" + String(decoding: $0, as: UTF8.self) }.joined()
            facts.append(("of", "\(String(decoding: resource.type, as: UTF8.self)):\(path.isEmpty ? "/" : path)"))
            let explanation = engine.explain(
                subjects, resource: resource, requirement.permissions, requirement.check, now: now.unix)
            facts += explanation.lines.enumerated().map { ("because \($0.offset + 1)", $0.element) }
        }
        let isRefused = if case .forbidden? = refusal { true } else { false }
        let summary = isRefused ? "It does not grant this to any of the subjects." : "It grants this."
        return [ExplanationStep(name: "policy", passed: !isRefused, summary: summary, facts: facts)]
    }

    private func names(_ kinds: CredentialSet) -> String {
        let known: [(kind: CredentialSet, name: String)] = [
            (.jwt, "jwt"), (.apiToken, "apiToken"), (.basic, "basic"),
            (.certificate, "clientCertificate"),
        ]
        let names = known.filter { kinds.contains($0.kind) }.map(\.name)
        return names.isEmpty ? "none" : names.joined(separator: ", ")
    }
}
