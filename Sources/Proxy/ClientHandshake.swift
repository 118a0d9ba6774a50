import Authentication
import Gate
import Logging
import Reactor
import TLS

/// A client connection whose TLS handshake is under way; an `HTTP1Connection` or an
/// `HTTP2ServerConnection` follows it.
///
/// The time of a head applies to it from the accepting on: it is not moved by what arrives.
final class ClientHandshake: HandshakeObserver, Deadlined {
    private let worker: Worker
    private let address: PeerAddress
    private let listener: String
    private let place: AddressPlaces.Place?
    private var stream: TLSStream?
    private var isLate = false

    var deadline = Int64.max
    var wheelPlace = WheelPlace()

    init(worker: Worker, address: PeerAddress, listener: String, place: AddressPlaces.Place?) {
        self.place = place
        self.worker = worker
        self.address = address
        self.listener = listener
    }

    /// Takes an accepted descriptor over.
    func begin(_ descriptor: Int32, _ context: TLSServerContext) {
        guard let stream = TLSStream(worker.reactor, accepting: descriptor, context, observer: self) else { return }
        self.stream = stream
        deadline = worker.now().monotonic + worker.rules.headTimeout
        worker.began(self)
    }

    func handshakeCompleted(_ stream: TLSStream) -> (any StreamHandler)? {
        leave(stream.wasResumed ? .resumed : .full)
        let peer = peer(stream)
        // RFC 9113 §3.2: over TLS it is ALPN that chooses.
        if stream.applicationProtocol == "h2" {
            let connection = HTTP2ServerConnection(worker: worker, peer: peer)
            connection.open(on: stream)
            return connection
        }
        let connection = HTTP1Connection(worker: worker, peer: peer)
        connection.open(stream)
        return connection
    }

    private func peer(_ stream: TLSStream) -> Peer {
        guard let certificate = stream.peerCertificate.flatMap(ClientCertificate.init) else {
            return Peer(address: address, isSecure: true, listener: listener, place: place)
        }
        return Peer(
            address: address, isSecure: true, listener: listener, certificate: certificate,
            isVouched: { [weak stream, weak worker, listener] in
                guard let stream, let context = worker?.doors[listener] else { return false }
                return stream.isVouched(by: context)
            }, place: place)
    }

    func handshakeFailed(_ reason: String) {
        worker.shared.logger.debug(
            "No TLS session with a client.",
            metadata: ["peer": "\(String(decoding: address.text, as: UTF8.self))", "reason": "\(reason)"])
        leave(isLate ? .timedOut : .failed)
    }

    func deadlinePassed(now: Int64) {
        isLate = true
        close()
    }

    /// Gives the handshake up.
    func close() {
        deadline = .max
        stream?.close()
    }

    private func leave(_ result: HandshakeResult) {
        deadline = .max
        worker.forgetDeadline(self)
        stream = nil
        worker.ended(self, result)
    }
}

extension ClientCertificate {
    /// The names of a certificate as templates know them.
    fileprivate convenience init?(_ certificate: TLSCertificate) {
        let names = TLSCertificate.NameKind.allCases.map { kind in
            let name =
                switch kind {
                case .commonName: "subject.CN"
                case .organisation: "subject.O"
                case .unit: "subject.OU"
                case .dns: "san.dns"
                case .uri: "san.uri"
                case .email: "san.email"
                }
            return (kind: name, values: certificate.names[kind] ?? [])
        }
        self.init(thumbprint: certificate.thumbprint, notAfter: certificate.notAfter, names: names)
    }
}
