import Reactor
import Wire

/// Where the endpoints of one pool are, and how a connection to one is opened.
///
/// A literal is one address for ever. A name is looked up when a connection is first needed and again at intervals; its
/// addresses take turns, and a failed attempt goes on to the next. A lookup that fails leaves the last good addresses.
final class EndpointConnecting {
    private struct Place {
        let endpoint: Endpoint
        let isName: Bool
        var addresses: [StreamAddress] = []
        /// The same as text, which can be compared.
        var hosts: [String] = []
        var turn = 0
        var lookedUp = Int64.min
        var isLookingUp = false
        /// Who waits for the first addresses.
        var waiting: [(Bool) -> Void] = []
    }

    private let settings: UpstreamSettings
    private let reactor: Reactor
    private let resolver: NameResolver
    private var places: [Place]
    /// Connections that many requests share, by endpoint: those that are there, and who waits for one to come.
    private var sessions: [[HTTP2Session]]
    private var joining: [[(Result<HTTP2Session, UpstreamFailure>) -> Void]]

    init(_ settings: UpstreamSettings, _ reactor: Reactor, _ resolver: NameResolver) {
        self.settings = settings
        self.reactor = reactor
        self.resolver = resolver
        self.sessions = settings.endpoints.map { _ in [] }
        self.joining = settings.endpoints.map { _ in [] }
        self.places = settings.endpoints.map { endpoint in
            let literal = StreamAddress(literal: endpoint.host, port: endpoint.port)
            var place = Place(endpoint: endpoint, isName: literal == nil)
            if let literal {
                place.addresses = [literal]
                place.hosts = [literal.host]
            }
            return place
        }
    }

    /// Opens a connection; `completion` is called once and never from within this call. A connection that is to serve
    /// requests knows its `pool`.
    func connect(
        _ endpoint: Int, timeout: Int64, pool: Pool?,
        completion: @escaping (Result<UpstreamConnection, UpstreamFailure>) -> Void
    ) {
        guard settings.speaksHTTP2 else {
            return open(
                endpoint, timeout: timeout, { UpstreamConnection(endpoint: endpoint, host: $0, pool: pool) }, completion
            )
        }
        join(endpoint, timeout: timeout) { found in
            completion(
                found.map { session in
                    let connection = UpstreamConnection(endpoint: endpoint, host: session.host, pool: pool)
                    connection.open(session.makeStream(for: connection))
                    return connection
                })
        }
    }

    private func open<Owner: TransportOwner>(
        _ endpoint: Int, timeout: Int64, _ make: @escaping (String) -> Owner,
        _ completion: @escaping (Result<Owner, UpstreamFailure>) -> Void
    ) {
        guard places[endpoint].addresses.isEmpty else {
            let first = places[endpoint].turn
            places[endpoint].turn = (first + 1) % places[endpoint].addresses.count
            let count = places[endpoint].addresses.count
            return attempt(endpoint, first, left: count, timeout / Int64(count), make, .refused, completion)
        }
        places[endpoint].waiting.append { [self] isFound in
            guard isFound else { return completion(.failure(.unresolved)) }
            open(endpoint, timeout: timeout, make, completion)
        }
        lookUp(endpoint) { _ in }
    }

    private func attempt<Owner: TransportOwner>(
        _ endpoint: Int, _ index: Int, left: Int, _ timeout: Int64, _ make: @escaping (String) -> Owner,
        _ failure: UpstreamFailure, _ completion: @escaping (Result<Owner, UpstreamFailure>) -> Void
    ) {
        let place = places[endpoint]
        guard left > 0, !place.addresses.isEmpty else { return completion(.failure(failure)) }
        let index = index % place.addresses.count
        let owner = make(place.hosts[index])
        let deadline = reactor.now + timeout
        let goOn = { [self] (latest: UpstreamFailure?) in
            guard let latest else { return completion(.success(owner)) }
            // Of several addresses it is one that was reached and had no session to offer that says most.
            var telling = latest
            if case .handshakeFailed = failure { telling = failure }
            attempt(endpoint, index + 1, left: left - 1, timeout, make, telling, completion)
        }
        _ = Connector(reactor, to: place.addresses[index], timeout: timeout) { [self] outcome in
            switch outcome {
            case .connected(let descriptor) where place.endpoint.isSecure:
                UpstreamHandshake.begin(
                    owner, descriptor, to: place.endpoint.host, settings, on: reactor, deadline: deadline,
                    completion: goOn)
            case .connected(let descriptor):
                guard let stream = Stream(reactor, descriptor: descriptor, handler: owner) else {
                    return goOn(.refused)
                }
                owner.open(stream)
                goOn(nil)
            case .failed: goOn(.refused)
            case .timedOut: goOn(.connectTimeout)
            }
        }
    }

    // MARK: Shared connections

    /// Finds a connection with room for one more, or opens one: whoever comes meanwhile waits for it as well.
    private func join(
        _ endpoint: Int, timeout: Int64, completion: @escaping (Result<HTTP2Session, UpstreamFailure>) -> Void
    ) {
        if let session = roomy(endpoint) {
            return reactor.afterEvent { [self] in
                // Others may have filled it before it came to this.
                guard !session.hasRoom else { return completion(.success(session)) }
                join(endpoint, timeout: timeout, completion: completion)
            }
        }
        joining[endpoint].append(completion)
        guard joining[endpoint].count == 1 else { return }
        openSession(endpoint, timeout: timeout)
    }

    private func openSession(_ endpoint: Int, timeout: Int64) {
        let isSecure = settings.endpoints[endpoint].isSecure
        let deadline = reactor.now + timeout
        open(
            endpoint, timeout: timeout,
            { [reactor] in HTTP2Session(reactor: reactor, host: $0, isSecure: isSecure) },
            { [self] outcome in
                guard case .success(let session) = outcome else {
                    return serveJoining(endpoint, outcome, timeout: timeout)
                }
                session.establish(deadline: deadline) { [self] failure in
                    if let failure { return serveJoining(endpoint, .failure(failure), timeout: timeout) }
                    guard session.takesRequests else {
                        // Another connection would be told the same (RFC 9113 §6.5.2): that is for the pool to try later.
                        session.retire()
                        return serveJoining(endpoint, .failure(.refused), timeout: timeout)
                    }
                    sessions[endpoint].append(session)
                    serveJoining(endpoint, outcome, timeout: timeout)
                }
            })
    }

    /// Gives everybody who waits a place, as far as there are some; the rest gets another connection.
    private func serveJoining(
        _ endpoint: Int, _ outcome: Result<HTTP2Session, UpstreamFailure>, timeout: Int64
    ) {
        let waiting = joining[endpoint]
        joining[endpoint] = []
        for (index, completion) in waiting.enumerated() {
            if case .success(let session) = outcome, !session.hasRoom {
                joining[endpoint] += waiting[index...]
                break
            }
            completion(outcome)
        }
        if !joining[endpoint].isEmpty { openSession(endpoint, timeout: timeout) }
    }

    /// Ends what nobody has used for longer than unused connections are kept.
    func endUnused(now: Int64) {
        for session in sessions.joined() { session.endIfUnused(since: now - settings.idleTimeout) }
    }

    /// Opens no more, and keeps connections no longer than requests on them last.
    func close() {
        for session in sessions.joined() { session.retire() }
    }

    private func roomy(_ endpoint: Int) -> HTTP2Session? {
        sessions[endpoint].removeAll { $0.isOver }
        return sessions[endpoint].first { session in
            session.hasRoom && (!places[endpoint].isName || places[endpoint].hosts.contains(session.host))
        }
    }

    // MARK: Names

    /// Whether the connection leads to an address that its endpoint still has.
    func isCurrent(_ connection: UpstreamConnection) -> Bool {
        !places[connection.endpoint].isName || places[connection.endpoint].hosts.contains(connection.host)
    }

    /// Looks names up whose time has come; `changed` hears of each endpoint that has moved.
    func refreshNames(now: Int64, changed: @escaping (Int) -> Void) {
        for index in places.indices where places[index].isName && !places[index].addresses.isEmpty {
            guard now - settings.resolveEvery >= places[index].lookedUp else { continue }
            lookUp(index, changed)
        }
    }

    private func lookUp(_ index: Int, _ changed: @escaping (Int) -> Void) {
        guard !places[index].isLookingUp else { return }
        places[index].isLookingUp = true
        let endpoint = places[index].endpoint
        let bound = ReactorBound((self, changed), on: reactor)
        resolver.resolve(endpoint.host, endpoint.port, for: reactor.handle) { reactor, found in
            guard let (connecting, changed) = bound.value(on: reactor) else { return }
            connecting.lookedUp(index, found, changed)
        }
    }

    private func lookedUp(_ index: Int, _ found: [StreamAddress], _ changed: (Int) -> Void) {
        places[index].isLookingUp = false
        places[index].lookedUp = reactor.now
        let hosts = found.map(\.host)
        if !found.isEmpty, Set(hosts) != Set(places[index].hosts) {
            places[index].addresses = found
            places[index].hosts = hosts
            places[index].turn = 0
            changed(index)
        }
        let waiting = places[index].waiting
        places[index].waiting = []
        for body in waiting { body(!places[index].addresses.isEmpty) }
    }
}
