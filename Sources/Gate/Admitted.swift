package import Authentication
package import RateLimit

/// Proof that a request was admitted: route, caller and what its bucket said.
///
/// Only `Gatekeeper` can make one, and forwarding takes nothing else.
package struct Admitted: Sendable {
    package let route: Route
    /// Index of the route in its snapshot.
    package let routeIndex: Int
    /// `nil` on a route without authentication.
    package let admission: Admission?
    /// The credentials, to be looked at again while a stream lasts that they opened; `nil` where it was the connection's
    /// certificate, and without authentication. Shares its bytes with the loop's cache.
    package let credentials: CredentialKey?
    package let limit: LimitVerdict
    /// A stable hash of the client, or of the peer's address without one.
    package let affinity: UInt64
    /// The policy entry that decided.
    package let entry: PolicyEntry?
    /// Segment of the path at which the route's `**` begins.
    let restStart: Int

    init(
        route: Route, routeIndex: Int, admission: Admission?, credentials: CredentialKey?, limit: LimitVerdict,
        affinity: UInt64, entry: PolicyEntry?, restStart: Int
    ) {
        self.route = route
        self.routeIndex = routeIndex
        self.admission = admission
        self.credentials = credentials
        self.limit = limit
        self.affinity = affinity
        self.entry = entry
        self.restStart = restStart
    }
}

/// A policy entry by its place in the snapshot; its label is looked up only where it is written down.
package struct PolicyEntry: Sendable, Equatable {
    package let engine: Int
    package let entry: Int32
}

/// A refusal with all that was known when it was spoken.
package struct Refused: Sendable {
    package var refusal: Refusal
    package var routeIndex: Int?
    package var admission: Admission?
    /// For the rate-limit fields of an authenticated answer.
    package var limit: LimitVerdict?
    package var entry: PolicyEntry?

    package init(
        _ refusal: Refusal, routeIndex: Int? = nil, admission: Admission? = nil, limit: LimitVerdict? = nil,
        entry: PolicyEntry? = nil
    ) {
        self.refusal = refusal
        self.routeIndex = routeIndex
        self.admission = admission
        self.limit = limit
        self.entry = entry
    }
}

/// What the gate says to a request.
package enum Verdict: Sendable {
    case admitted(Admitted)
    case refused(Refused)
    /// A credential never seen before: run this off the loop and ask again with its outcome.
    case verify(Attempt)
}
