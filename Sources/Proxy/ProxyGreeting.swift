import Gate
import Logging
import NIOCore
import Reactor
import Wire

/// A connection of a trusted load balancer that has not yet said whom it speaks for (the PROXY protocol): what follows is the
/// client's, from its first byte on, be it TLS, HTTP/1.1 or HTTP/2.
///
/// The time of a head applies to it from the accepting on.
final class ProxyGreeting: Deadlined {
    private let worker: Worker
    private let balancer: PeerAddress
    private var preamble: Preamble?
    private var source: ProxyHeader.Source?
    /// Whether something was sent that is no header, or nothing in time: not a balancer that only looks whether we are there.
    private var isBad = false
    private var completion: ((Int32, PeerAddress) -> Void)?
    private var reason = "The connection ended or took too long."

    var deadline = Int64.max
    var wheelPlace = WheelPlace()

    init(worker: Worker, balancer: PeerAddress) {
        self.worker = worker
        self.balancer = balancer
    }

    /// Takes an accepted descriptor over; `completion` gets it back with the client's address, once, if the balancer names one
    /// or says that there is none. Else the connection is closed.
    func begin(_ descriptor: Int32, completion: @escaping (Int32, PeerAddress) -> Void) {
        self.completion = completion
        deadline = worker.now().monotonic + worker.rules.headTimeout
        worker.began(self)
        preamble = Preamble(
            worker.reactor, descriptor: descriptor, maximumBytes: ProxyHeader.maximumBytes,
            look: { [self] bytes in look(bytes) }, completion: { [self] descriptor in finish(descriptor) })
    }

    private func look(_ bytes: ByteBuffer) -> Preamble.Verdict {
        switch ProxyHeader.parse(bytes) {
        case .incomplete:
            isBad = true
            return .incomplete
        case .malformed(let reason):
            isBad = true
            self.reason = reason.rawValue
            return .malformed
        case .complete(let length, let source):
            self.source = source
            isBad = false
            return .complete(length: length)
        }
    }

    private func finish(_ descriptor: Int32?) {
        deadline = .max
        worker.forgetDeadline(self)
        preamble = nil
        let completion = self.completion
        self.completion = nil
        worker.ended(self, isBad: isBad)
        guard let descriptor else {
            return worker.shared.logger.debug(
                "A trusted peer has sent no header of the PROXY protocol.",
                metadata: ["peer": "\(String(decoding: balancer.text, as: UTF8.self))", "reason": "\(reason)"])
        }
        let client = source.flatMap { PeerAddress(octets: $0.octets) } ?? balancer
        completion?(descriptor, client)
    }

    func deadlinePassed(now: Int64) {
        isBad = true
        close()
    }

    /// Gives it up.
    func close() {
        deadline = .max
        preamble?.close()
    }
}
