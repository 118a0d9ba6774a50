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

    init(_ settings: UpstreamSettings, _ reactor: Reactor, _ resolver: NameResolver) {
        self.settings = settings
        self.reactor = reactor
        self.resolver = resolver
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
        guard places[endpoint].addresses.isEmpty else {
            let first = places[endpoint].turn
            places[endpoint].turn = (first + 1) % places[endpoint].addresses.count
            let count = places[endpoint].addresses.count
            return attempt(endpoint, first, left: count, timeout / Int64(count), pool, .refused, completion)
        }
        places[endpoint].waiting.append { [self] isFound in
            guard isFound else { return completion(.failure(.refused)) }
            connect(endpoint, timeout: timeout, pool: pool, completion: completion)
        }
        lookUp(endpoint) { _ in }
    }

    private func attempt(
        _ endpoint: Int, _ index: Int, left: Int, _ timeout: Int64, _ pool: Pool?, _ failure: UpstreamFailure,
        _ completion: @escaping (Result<UpstreamConnection, UpstreamFailure>) -> Void
    ) {
        let place = places[endpoint]
        guard left > 0, !place.addresses.isEmpty else { return completion(.failure(failure)) }
        let index = index % place.addresses.count
        let connection = UpstreamConnection(endpoint: endpoint, host: place.hosts[index], pool: pool)
        let deadline = reactor.now + timeout
        let goOn = { [self] (failure: UpstreamFailure?) in
            guard let failure else { return completion(.success(connection)) }
            attempt(endpoint, index + 1, left: left - 1, timeout, pool, failure, completion)
        }
        _ = Connector(reactor, to: place.addresses[index], timeout: timeout) { [self] outcome in
            switch outcome {
            case .connected(let descriptor) where place.endpoint.isSecure:
                UpstreamHandshake.begin(
                    connection, descriptor, settings, on: reactor, deadline: deadline, completion: goOn)
            case .connected(let descriptor): goOn(connection.open(descriptor, on: reactor) ? nil : .refused)
            case .failed: goOn(.refused)
            case .timedOut: goOn(.connectTimeout)
            }
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
