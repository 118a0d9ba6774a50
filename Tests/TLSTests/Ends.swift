import NIOCore
import TLS
import TestKit

/// One end of a session with everything that came out of it.
final class End {
    private var session: TLSSession
    var plaintext: [UInt8] = []
    var isOpen = false
    var hasEnded = false
    var hasFailed = false

    init(_ session: consuming TLSSession) {
        self.session = session
    }

    // Of the session, which `#expect` could not look into: it cannot be copied.
    var failure: String { session.failure }
    var certificate: TLSCertificate? { session.peerCertificate }
    var applicationProtocol: String? { session.applicationProtocol }
    var version: TLSVersion { session.version }
    var wasResumed: Bool { session.wasResumed }

    /// Takes ciphertext and gives what is to be sent in answer. `room` bounds the plaintext of one call.
    func take(_ bytes: [UInt8], room size: Int = 4096) -> [UInt8] {
        var input = ByteBuffer(bytes: bytes)
        var output = ByteBuffer()
        while true {
            var room = ByteBufferAllocator().buffer(capacity: size)
            let event = session.receive(&input, into: &room)
            session.takeOutput(into: &output)
            plaintext += room.readableBytesView
            switch event {
            case .waiting: return Array(output.readableBytesView)
            case .opened: isOpen = true
            case .full: continue
            case .ended:
                hasEnded = true
                return Array(output.readableBytesView)
            case .failed:
                hasFailed = true
                return Array(output.readableBytesView)
            }
        }
    }

    /// The ciphertext of some bytes; nil when the session is broken.
    func send(_ first: [UInt8], _ second: [UInt8]? = nil) -> [UInt8]? {
        var out = ByteBuffer()
        guard session.send(ByteBuffer(bytes: first), second.map { ByteBuffer(bytes: $0) }, into: &out) else {
            return nil
        }
        return Array(out.readableBytesView)
    }

    /// What says that nothing more will be sent.
    func finish() -> [UInt8] {
        session.finish()
        var out = ByteBuffer()
        session.takeOutput(into: &out)
        return Array(out.readableBytesView)
    }
}

/// Both ends of one connection.
final class Ends {
    let client: End
    let server: End

    init(client: End, server: End) {
        self.client = client
        self.server = server
    }

    /// Carries bytes to and fro, in pieces of at most `step` bytes, until nobody has anything to say.
    func settle(step: Int = .max) {
        var toServer = client.take([])
        var toClient: [UInt8] = []
        while !toServer.isEmpty || !toClient.isEmpty {
            let (up, down) = (toServer, toClient)
            (toServer, toClient) = ([], [])
            for piece in Self.pieces(up, step) where !server.hasFailed { toClient += server.take(piece) }
            for piece in Self.pieces(down, step) where !client.hasFailed { toServer += client.take(piece) }
        }
    }

    private static func pieces(_ bytes: [UInt8], _ step: Int) -> [[UInt8]] {
        stride(from: 0, to: bytes.count, by: min(step, max(1, bytes.count))).map {
            Array(bytes[$0..<min($0 + min(step, bytes.count), bytes.count)])
        }
    }
}

/// What the tests of this room share: one authority and the certificates of two hosts and of one client.
struct Fixture {
    static let shared = Result { try Fixture() }

    let authority: Certificates
    let a: TLSKeyPair
    let b: TLSKeyPair
    let robot: TLSKeyPair
    let robotPair: Certificates.Pair

    private init() throws {
        authority = try Certificates()
        func pair(_ made: Certificates.Pair) -> TLSKeyPair { TLSKeyPair(chain: made.chain, key: made.keyBytes) }
        a = pair(try authority.make("a", names: "DNS:a.test,DNS:*.wild.test,IP:127.0.0.1"))
        b = pair(try authority.make("b", names: "DNS:b.test,DNS:exact.wild.test"))
        robotPair = try authority.make(
            "robot", subject: "/O=acme/OU=line 1/CN=robot", names: "DNS:r.test,URI:urn:robot:1,email:r@a.test")
        robot = pair(robotPair)
    }

    func server(
        _ certificates: [TLSKeyPair]? = nil, minimumVersion: TLSVersion = .v12, required: Bool? = nil,
        protocols: [String] = ["http/1.1"], tickets: TLSTicketKeys? = nil
    ) throws -> TLSServerContext {
        try TLSServerContext(
            TLSServerSettings(
                certificates: certificates ?? [a, b], minimumVersion: minimumVersion,
                clientCertificates: required.map {
                    .init(authorities: authority.authority.chain, isRequired: $0)
                }),
            protocols: protocols, tickets: try tickets ?? TLSTicketKeys(now: 0))
    }

    func client(
        certificate: TLSKeyPair? = nil, verifies: Bool = true, authorities: [UInt8]? = nil,
        protocols: [String] = ["http/1.1"]
    ) throws -> TLSClientContext {
        try TLSClientContext(
            TLSClientSettings(
                authorities: authorities ?? authority.authority.chain, verifies: verifies, certificate: certificate),
            protocols: protocols)
    }
}

/// Two ends that have not spoken yet.
func ends(_ server: TLSServerContext, _ client: TLSClientContext, host: String = "a.test") -> Ends? {
    guard let one = TLSSession(client: client, host: host), let other = TLSSession(server: server) else { return nil }
    return Ends(client: End(one), server: End(other))
}
