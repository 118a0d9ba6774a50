package import Authentication
import Identity
package import NIOCore
import Policy
package import RateLimit
package import Routing
package import Wire

/// The whole decision about a request, without I/O: owned by one event loop.
///
/// The order is that of DESIGN.md: path, route, credential, identity, limit, policy. A request whose credential is in
/// the loop's cache is decided without a lock, a String or an allocation.
package final class Gatekeeper {
    /// What all loops share.
    package struct Shared: Sendable {
        package let limiter: LimiterTable
        package let admissions: SharedCredentialCache<Admission>
        package let hashKey: CredentialHashKey

        package init(
            limiter: LimiterTable, admissions: SharedCredentialCache<Admission>, hashKey: CredentialHashKey
        ) {
            self.limiter = limiter
            self.admissions = admissions
            self.hashKey = hashKey
        }
    }

    /// The configuration and the number that every cached admission must bear: both come from the same publication.
    package var snapshot: Snapshot
    package var generation: UInt64

    let shared: Shared
    var cache: CredentialCache<Admission>
    /// The path of the request decided last; see `appendTarget`.
    package internal(set) var path = NormalPath()
    let spends: Bool
    private var lastViews: [PolicyView] = []
    private var tokenHeaders = TokenHeaders()

    /// `spends` is false for `explain`: buckets are looked at and not taken from.
    package init(snapshot: Snapshot, generation: UInt64, shared: Shared, spends: Bool = true) {
        self.snapshot = snapshot
        self.generation = generation
        self.shared = shared
        self.cache = CredentialCache(key: shared.hashKey)
        self.spends = spends
    }

    /// Decides about the head that stands at the reader index of `bytes`.
    ///
    /// `attempted` is the outcome of what an earlier call for the same head returned to be run.
    package func decide(
        _ head: borrowing RequestHead, in bytes: borrowing ByteBuffer, peer: inout Peer, now: Now,
        attempted: Attempt.Outcome? = nil
    ) -> Verdict {
        // One reference for the whole of the decision, lent: what it holds is lent with it.
        decide(under: snapshot, head, in: bytes, peer: &peer, now: now, attempted: attempted)
    }

    private func decide(
        under snapshot: Snapshot, _ head: borrowing RequestHead, in bytes: borrowing ByteBuffer, peer: inout Peer,
        now: Now,
        attempted: Attempt.Outcome?
    ) -> Verdict {
        let span = bytes.readableBytesUInt8Span
        // RFC 9110 §7.4: what is asked for as secure is not answered in the clear, unless one of our proxies asks.
        if head.namesHTTPS, !peer.isSecure, !trusts(peer.address) {
            return .refused(Refused(.misdirected))
        }
        switch head.method {
        case .connect, .trace:
            return .refused(Refused(.methodNotAllowed(allow: Self.usualMethods)))
        case .get, .head, .post, .put, .patch, .delete, .options, .other:
            break
        }
        if let defect = path.assign(span.extracting(head.path.range)) { return .refused(Refused(.path(defect))) }
        let match = snapshot.table.match(
            method: head.method, methodBytes: span.extracting(head.methodRange.range),
            host: span.extracting(head.authority.range), path: path)
        switch match {
        case .notFound:
            return .refused(Refused(.unrouted))
        case .methodNotAllowed(let allow):
            return .refused(Refused(.methodNotAllowed(allow: allow)))
        case .route(let index, let restStart):
            let matched = MatchedRoute(route: snapshot.routes[index], index: index, restStart: restStart)
            guard !matched.route.accepts.isEmpty else {
                let (limit, affinity) = takeFromPeer(&peer, head, in: bytes, now: now)
                return admit(head, matched, nil, nil, limit: limit, affinity: affinity)
            }
            let identification = authenticate(
                head, in: bytes, matched, peer: &peer, now: now, attempted: attempted)
            switch consume identification {
            case .verify(let attempt):
                return .verify(attempt)
            case .refused(let refused):
                return .refused(refused)
            case .known(let admission, let credentials):
                if matched.route.requiresSolution, !admission.hasSolution {
                    return .refused(Refused(.solutionRequired, routeIndex: index, admission: admission))
                }
                let (limit, affinity) = (take(admission.cell, now: now), admission.affinity)
                return admit(head, matched, admission, credentials, limit: limit, affinity: affinity)
            }
        }
    }

    /// Appends the target of the request decided last as the route rewrites it: path, and the query as it came.
    package func appendTarget(
        _ admitted: borrowing Admitted, head: borrowing RequestHead, in bytes: borrowing ByteBuffer,
        to out: inout ByteBuffer
    ) {
        if head.asksForServer {
            out.writeStaticString("*")
        } else if path.isPlain, admitted.route.keepsPath {
            path.appendEncoded(to: &out)
        } else {
            admitted.route.rewrite.append(path: path, restStart: admitted.restStart, to: &out)
        }
        guard let query = head.query else { return }
        let raw = bytes.readableBytesUInt8Span.extracting(query.range)
        if InboundQuery.namesIdentity(raw) {
            InboundQuery.appendWithoutIdentity(raw, to: &out)
        } else {
            out.writeInteger(UInt8(ascii: "?"))
            out.writeBytes(bytes.readableBytesSpan.extracting(query.range))
        }
    }

    // MARK: Who

    struct MatchedRoute {
        let route: Route
        let index: Int
        let restStart: Int
    }

    enum Identification {
        case known(Admission, CredentialKey?)
        case refused(Refused)
        case verify(Attempt)
    }

    private func authenticate(
        _ head: borrowing RequestHead, in bytes: borrowing ByteBuffer, _ matched: MatchedRoute, peer: inout Peer,
        now: Now,
        attempted: Attempt.Outcome?
    ) -> Identification {
        let span = bytes.readableBytesUInt8Span
        let authorization = span.extracting(head.valueRange(head.authorization).range)
        let apiToken = span.extracting(head.valueRange(head.apiToken).range)
        let allowed = matched.route.accepts
        let unix = now.unix
        if authorization.isEmpty && apiToken.isEmpty || allowed == .certificate {
            return identify(&peer, matched, now: now)
        }
        // What was just proven is as well put there again as looked for.
        if case .proven(let authenticated, let digest) = attempted {
            let key = CredentialKey(authorization: authorization, apiToken: apiToken, allowed: allowed)
            return bound(remember(authenticated, key, digest, now: now), key, &peer, matched)
        }
        if let known = cache.find(
            authorization: authorization, apiToken: apiToken, allowed: allowed, generation: generation, now: unix)
        {
            return bound(known.value, known.key, &peer, matched)
        }
        let digest = CredentialDigest(authorization: authorization, apiToken: apiToken, allowed: allowed)
        if let digest,
            let hit = shared.admissions.lookup(digest, generation: generation, now: unix)
        {
            let key = CredentialKey(authorization: authorization, apiToken: apiToken, allowed: allowed)
            cache.insert(key, value: hit.value, expires: hit.expires, generation: generation, now: unix)
            return bound(hit.value, key, &peer, matched)
        }
        let outcome: Attempt.Outcome
        if let attempted {
            outcome = attempted
        } else {
            // Guessing is throttled before anything is computed for the guess.
            let cell = failureCell(&peer, head, in: bytes, now: now)
            let failures = cell.peek(now: now.monotonic)
            if failures.isAllowed {
                let presented = PresentedCredentials(
                    authorization: head.authorization.map { _ in span.copy(head.valueRange(head.authorization)) },
                    apiToken: head.apiToken.map { _ in span.copy(head.valueRange(head.apiToken)) })
                switch snapshot.authenticator.begin(presented, allowed: allowed, now: unix, headers: &tokenHeaders) {
                case .finished(.success(let authenticated)):
                    outcome = .proven(authenticated, digest)
                case .finished(.failure(let failure)):
                    if case .invalid = failure, spends { _ = cell.take(now: now.monotonic) }
                    outcome = .failed(failure)
                case .pending(let proof):
                    return .verify(Attempt(proof: proof, failures: cell, spends: spends, digest: digest))
                }
            } else {
                outcome = .throttled(failures)
            }
        }
        switch outcome {
        case .proven(let authenticated, let digest):
            let key = CredentialKey(authorization: authorization, apiToken: apiToken, allowed: allowed)
            return bound(remember(authenticated, key, digest, now: now), key, &peer, matched)
        case .failed(.missing) where allowed.contains(.certificate):
            return identify(&peer, matched, now: now)
        case .failed(let failure):
            return .refused(Refused(.unauthenticated(failure), routeIndex: matched.index))
        case .throttled(let failures):
            return .refused(Refused(.guessing(failures), routeIndex: matched.index, limit: failures))
        }
    }

    /// A token that is bound to a certificate proves nothing on a connection that did not show it, whoever proved it
    /// before (RFC 8705 §3).
    func bound(
        _ admission: consuming Admission, _ key: consuming CredentialKey, _ peer: inout Peer, _ matched: MatchedRoute
    ) -> Identification {
        guard let wanted = admission.boundTo, peer.certificate(under: generation)?.thumbprint != wanted else {
            return .known(admission, key)
        }
        return .refused(Refused(.unauthenticated(.invalid(.binding)), routeIndex: matched.index))
    }

    /// Whom the certificate of the connection names: found once for a connection and generation.
    func identify(_ peer: inout Peer, _ matched: MatchedRoute, now: Now) -> Identification {
        guard matched.route.accepts.contains(.certificate), let certificate = peer.certificate(under: generation) else {
            return .refused(Refused(.unauthenticated(.missing), routeIndex: matched.index))
        }
        if let known = peer.admission, known.generation == generation, now.unix < known.value.expires {
            return .known(known.value, nil)
        }
        guard let rules = snapshot.certificates[peer.listener] else {
            return .refused(Refused(.unauthenticated(.missing), routeIndex: matched.index))
        }
        switch rules.identify(certificate, now: now.unix) {
        case .success(let authenticated):
            let admission = makeAdmission(authenticated, now: now)
            peer.admission = (admission, generation)
            return .known(admission, nil)
        case .failure(let failure):
            return .refused(Refused(.unauthenticated(failure), routeIndex: matched.index))
        }
    }

    /// Makes the admission of a proven caller, and puts it where the next request looks first.
    func remember(
        _ authenticated: Authenticated, _ key: CredentialKey, _ digest: CredentialDigest?, now: Now
    ) -> Admission {
        let admission = makeAdmission(authenticated, now: now)
        cache.insert(key, value: admission, expires: admission.expires, generation: generation, now: now.unix)
        if let digest {
            shared.admissions.insert(
                digest, value: admission, bytes: admission.size, expires: admission.expires, generation: generation,
                now: now.unix)
        }
        return admission
    }

    private func makeAdmission(_ authenticated: Authenticated, now: Now) -> Admission {
        let principal = authenticated.principal
        let engines = snapshot.engines
        // Callers of one kind come one after the other, and then one array of views does for all of them.
        if lastViews.count > engines.count { lastViews = [] }
        for index in engines.indices {
            let view = engines[index].view(for: principal.subjects, now: now.unix)
            if index == lastViews.count {
                lastViews.append(view)
            } else if lastViews[index] !== view {
                lastViews[index] = view
            }
        }
        let views = lastViews
        return Admission(
            principal: principal,
            cell: clientCell(principal, now: now),
            views: views,
            expires: views.reduce(authenticated.expires) { min($0, $1.validUntil) }, boundTo: authenticated.boundTo,
            evidence: authenticated.evidence)
    }

    // MARK: Whether

    private func admit(
        _ head: borrowing RequestHead, _ matched: MatchedRoute, _ admission: consuming Admission?,
        _ credentials: consuming CredentialKey?, limit: LimitVerdict, affinity: UInt64
    ) -> Verdict {
        guard limit.isAllowed else {
            return .refused(
                Refused(.limited(limit), routeIndex: matched.index, admission: admission, limit: limit))
        }
        let (isAllowed, entry) = grants(head.method, matched, admission)
        guard isAllowed else {
            return .refused(
                Refused(.forbidden, routeIndex: matched.index, admission: admission, limit: limit, entry: entry))
        }
        return .admitted(
            Admitted(
                route: matched.route, routeIndex: matched.index, admission: admission, credentials: credentials,
                limit: limit, affinity: affinity, entry: entry, restStart: matched.restStart))
    }

    /// What the route's policy says about the present path, and the entry that decided.
    func grants(
        _ method: Method, _ matched: MatchedRoute, _ admission: Admission?
    ) -> (isAllowed: Bool, entry: PolicyEntry?) {
        guard let policy = matched.route.policy else { return (true, nil) }
        let view = admission?.views[policy.engine] ?? snapshot.anonymousViews[policy.engine]
        let requirement = policy.requirement(for: method)
        var cursor = PolicyCursor(view, type: policy.resource.type)
        policy.resource.walk(path, restStart: matched.restStart) { cursor.descend($0) }
        let verdict = cursor.verdict(requirement.permissions, requirement.check)
        let entry = verdict.entry >= 0 ? PolicyEntry(engine: policy.engine, entry: verdict.entry) : nil
        return (verdict.isAllowed, entry)
    }

    private static let usualMethods = Array("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS".utf8)
}

extension RequestHead {
    /// The value of the field of this index; empty when there is none.
    fileprivate func valueRange(_ index: Int?) -> ByteRange {
        guard let index, index < fields.count else { return .empty }
        return fields[index].value
    }
}

extension Span<UInt8> {
    /// The bytes of a range, for those who keep them.
    func copy(_ range: ByteRange) -> [UInt8] {
        let part = extracting(range.range)
        // Unsafe: the span lends its bytes for the call.
        return unsafe part.withUnsafeBufferPointer { unsafe Array($0) }
    }
}
