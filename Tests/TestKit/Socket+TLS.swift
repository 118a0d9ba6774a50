import NIOCore
import NIOConcurrencyHelpers
package import TLS

/// TLS on a socket, with what was decrypted and not read yet.
///
/// `@unchecked`: whoever made it uses it alone; from then on the socket's lock is around every use.
final class SecureLayer: @unchecked Sendable {
    var session: TLSSession
    var plaintext: [UInt8] = []
    var hasEnded = false
    var hasFailed = false

    init(_ session: consuming TLSSession) {
        self.session = session
    }

    /// Takes ciphertext, and gives what is to be sent in answer, and whether the handshake is complete with it.
    func take(_ bytes: [UInt8]) -> (answer: [UInt8], isOpen: Bool) {
        var input = ByteBuffer(bytes: bytes)
        var output = ByteBuffer()
        var isOpen = false
        while !hasEnded, !hasFailed {
            var room = ByteBufferAllocator().buffer(capacity: 65536)
            let event = session.receive(&input, into: &room)
            session.takeOutput(into: &output)
            plaintext += room.readableBytesView
            switch event {
            case .waiting: return (Array(output.readableBytesView), isOpen)
            case .opened:
                isOpen = true
                // Whoever is served may have sent nothing yet.
                if input.readableBytes == 0 { return (Array(output.readableBytesView), isOpen) }
            case .full: continue
            case .ended: hasEnded = true
            case .failed: hasFailed = true
            }
        }
        return (Array(output.readableBytesView), isOpen)
    }
}

extension Socket {
    /// What came of a handshake.
    package struct Handshake: Sendable {
        package let isOpen: Bool
        /// Empty when there is none.
        package let failure: String
        package let version: TLSVersion
        package let wasResumed: Bool
        package let applicationProtocol: String?
        package let certificate: TLSCertificate?
    }

    var isSecure: Bool { secure.withLockedValue { $0 != nil } }

    /// Does a handshake; everything after it is encrypted.
    package func startTLS(
        _ session: consuming sending TLSSession, within limit: Duration = .seconds(20)
    ) -> Handshake {
        let deadline = ContinuousClock.now + limit
        let layer = SecureLayer(session)
        var (answer, isOpen) = layer.take([])
        _ = sendRaw(answer, by: deadline)
        var reason = ""
        while !isOpen, !layer.hasFailed, !layer.hasEnded {
            guard case .bytes(let bytes) = receiveRaw(atMost: 16_384, by: deadline) else {
                reason = "the peer closed the connection"
                break
            }
            (answer, isOpen) = layer.take(bytes)
            _ = sendRaw(answer, by: deadline)
        }
        let result = Handshake(
            isOpen: isOpen, failure: layer.session.failure.isEmpty ? reason : layer.session.failure,
            version: layer.session.version, wasResumed: layer.session.wasResumed,
            applicationProtocol: layer.session.applicationProtocol, certificate: layer.session.peerCertificate)
        secure.withLockedValue { $0 = layer }
        return result
    }

    /// The ciphertext of some bytes; nil without TLS, empty when the session is broken.
    func sealed(_ bytes: [UInt8]) -> [UInt8]? {
        secure.withLockedValue { layer in
            guard layer != nil else { return nil }
            var out = ByteBuffer()
            guard layer?.session.send(ByteBuffer(bytes: bytes), nil, into: &out) == true else { return [] }
            return Array(out.readableBytesView)
        }
    }

    /// An end without close_notify is a cut: `reset`.
    func receiveSealed(by deadline: ContinuousClock.Instant) -> Received {
        while true {
            let kept = secure.withLockedValue { layer -> Received? in
                if let bytes = layer?.plaintext, !bytes.isEmpty {
                    layer?.plaintext = []
                    return .bytes(bytes)
                }
                if layer?.hasEnded == true { return .end }
                return layer?.hasFailed == true ? .reset : nil
            }
            if let kept { return kept }
            switch receiveRaw(atMost: 65_536, by: deadline) {
            case .bytes(let bytes):
                let answer = secure.withLockedValue { $0?.take(bytes).answer ?? [] }
                if !answer.isEmpty { _ = sendRaw(answer, by: deadline) }
            case .end, .reset: return .reset
            case .timeout: return .timeout
            }
        }
    }

    /// Says that nothing more will be sent, where TLS has a word for it.
    func sayGoodbye() {
        let bytes = secure.withLockedValue { layer -> [UInt8] in
            layer?.session.finish()
            var out = ByteBuffer()
            layer?.session.takeOutput(into: &out)
            return Array(out.readableBytesView)
        }
        if !bytes.isEmpty { _ = sendRaw(bytes, by: .now + .milliseconds(500)) }
    }
}
