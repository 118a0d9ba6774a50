package import Authentication
import Identity
import Routing
package import Wire

/// Asking again about a stream that lasts: would the request that opened it still be admitted?
///
/// Everything is asked that `decide` asks, under the snapshot in force, but the limit, which was spent once: the path
/// leads to a route of the same name, the route accepts the credential and allows the protocol, and its policy grants
/// what the method needs. Of the credential everything cheap is checked anew: API token or solution still configured,
/// issuer, algorithm, times, audience, key. A signature is not verified and a secret not hashed a second time: that the
/// key or the hash is the very one that proved it before says the same. Any other key or hash ends the stream. A caller
/// who is known by the connection's certificate is identified by it again.
extension Gatekeeper {
    /// What a review comes to.
    package enum Review: Sendable {
        /// With what holds from now on; nil on a route that asks nobody.
        case admitted(Admission?)
        /// The credential is past its time.
        case expired
        case revoked
    }

    /// Reviews a request that was admitted earlier, by its own words: method, path and host as they were sent.
    ///
    /// Nothing is spent, and no failure is counted. Microseconds; no waiting.
    package func review(
        _ method: Method, methodBytes: Span<UInt8>, path bytes: Span<UInt8>, host: Span<UInt8>, on earlier: Route,
        switchingTo upgrade: UpgradeProtocol?, admission: Admission?, credentials: CredentialKey?, peer: inout Peer,
        now: Now
    ) -> Review {
        guard path.assign(bytes) == nil,
            case .route(let index, let restStart) = snapshot.table.match(
                method: method, methodBytes: methodBytes, host: host, path: path)
        else { return .revoked }
        let matched = MatchedRoute(route: snapshot.routes[index], index: index, restStart: restStart)
        guard matched.route.name.utf8.elementsEqual(earlier.name.utf8) else { return .revoked }
        if let upgrade, !matched.route.upgrades.contains(upgrade) { return .revoked }
        guard !matched.route.accepts.isEmpty else {
            return grants(method, matched, nil).isAllowed ? .admitted(nil) : .revoked
        }
        guard let admission else { return .revoked }
        switch renew(admission, credentials, on: matched, peer: &peer, now: now) {
        case .failure(.invalid(.expired)), .failure(.invalid(.expiredAPIToken)):
            return .expired
        case .failure:
            return .revoked
        case .success(let renewed):
            // A token that only clock skew still accepts opens nothing for longer.
            guard renewed.expires > now.unix else { return .expired }
            if matched.route.requiresSolution, !renewed.hasSolution { return .revoked }
            if let wanted = renewed.boundTo, peer.certificate(under: generation)?.thumbprint != wanted {
                return .revoked
            }
            return grants(method, matched, renewed).isAllowed ? .admitted(renewed) : .revoked
        }
    }

    private func renew(
        _ admission: Admission, _ credentials: CredentialKey?, on matched: MatchedRoute, peer: inout Peer, now: Now
    ) -> Result<Admission, AuthenticationFailure> {
        let route = matched.route
        guard let presented = credentials?.presented else {
            switch identify(&peer, matched, now: now) {
            case .known(let admission, _): return .success(admission)
            case .refused, .verify: return .failure(.missing)
            }
        }
        let (authorization, apiToken) = (presented.authorization ?? [], presented.apiToken ?? [])
        let known = cache.find(
            authorization: authorization.span, apiToken: apiToken.span, allowed: route.accepts,
            generation: generation, now: now.unix)
        if let known { return .success(known.value) }
        let result: Result<Authenticated, AuthenticationFailure>
        switch snapshot.authenticator.begin(presented, allowed: route.accepts, now: now.unix) {
        case .finished(let finished):
            result = finished
        case .pending(let proof):
            guard let renewed = proof.renewed(on: admission.evidence) else { return .failure(.invalid(.unknownKey)) }
            result = renewed
        }
        let key = CredentialKey(presented, allowed: route.accepts)
        return result.map { remember($0, key, key.digest, now: now) }
    }
}
