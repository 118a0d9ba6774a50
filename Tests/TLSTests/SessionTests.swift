import TLS
import TestKit
import Testing

@Suite struct SessionTests {
    private let fixture: Fixture

    init() throws {
        fixture = try Fixture.shared.get()
    }

    private func open(
        _ server: TLSServerContext, _ client: TLSClientContext, host: String = "a.test", step: Int = .max
    ) throws -> Ends {
        guard let both = ends(server, client, host: host) else { throw TLSError.library(reason: "no session") }
        both.settle(step: step)
        return both
    }

    @Test(arguments: [1, 2, 5, 100, Int.max]) func bytesArriveHoweverTheyAreCut(_ step: Int) throws {
        let both = try open(fixture.server(), fixture.client(), step: step)
        #expect(both.client.isOpen)
        #expect(both.server.isOpen)
        let body = (0..<50_000).map { UInt8(truncatingIfNeeded: $0) }
        let sealed = try #require(both.client.send(Array("head".utf8), body))
        for start in stride(from: 0, to: sealed.count, by: min(step, sealed.count)) {
            _ = both.server.take(Array(sealed[start..<min(start + min(step, sealed.count), sealed.count)]))
        }
        #expect(both.server.plaintext == Array("head".utf8) + body)
        // Head and body fill their records together: four of them, none of which costs 64 bytes.
        #expect(sealed.count < body.count + 4 + 4 * 64)
        let answer = try #require(both.server.send(body))
        _ = both.client.take(answer, room: 7)
        #expect(both.client.plaintext == body)
    }

    @Test(arguments: [1, 16_383, 16_384, 16_385, 40_000], [0, 1, 16_383, 16_384, 16_385])
    func twoRunsAreOneStream(_ first: Int, _ second: Int) throws {
        let both = try open(fixture.server(), fixture.client())
        let head = [UInt8](repeating: 1, count: first)
        let tail = [UInt8](repeating: 2, count: second)
        _ = both.server.take(try #require(both.client.send(head, tail)))
        #expect(both.server.plaintext == head + tail)
    }

    @Test func theCertificateIsChosenByTheNameThatIsAskedFor() throws {
        let server = try fixture.server()
        let client = try fixture.client()
        for (host, name) in [
            ("a.test", "a.test"), ("B.test", "b.test"), ("x.wild.test", "a.test"), ("exact.wild.test", "b.test"),
        ] {
            let both = try open(server, client, host: host)
            #expect(both.client.isOpen, "\(host): \(both.client.failure)")
            #expect(both.client.certificate?.names[.dns]?.first == name)
        }
        // Nobody's: the first certificate is shown, and does not verify.
        let stranger = try open(server, client, host: "y.x.wild.test")
        #expect(stranger.client.hasFailed)
        #expect(stranger.client.failure.contains("mismatch"))
        let address = try open(server, client, host: "127.0.0.1")
        #expect(address.client.isOpen)
        let other = try open(server, client, host: "127.0.0.2")
        #expect(other.client.hasFailed)
    }

    @Test func aServerIsVerified() throws {
        let stranger = try Certificates("Another Authority")
        let server = try fixture.server()
        let both = try open(server, fixture.client(authorities: stranger.authority.chain))
        #expect(both.client.hasFailed)
        #expect(both.server.hasFailed)
        #expect(both.client.failure.contains("does not verify"))
        let careless = try open(
            server, fixture.client(verifies: false, authorities: stranger.authority.chain), host: "nobody.test")
        #expect(careless.client.isOpen)
    }

    @Test func clientCertificatesAreAskedForAndVerified() throws {
        for (required, shown, works) in [
            (true, true, true), (true, false, false), (false, true, true), (false, false, true),
        ] {
            let both = try open(
                fixture.server(required: required), fixture.client(certificate: shown ? fixture.robot : nil))
            #expect(both.server.isOpen == works, "required: \(required), shown: \(shown)")
            #expect((both.server.certificate != nil) == (shown && works))
        }
        let stranger = try Certificates("Another Authority")
        let made = try stranger.make("eve", subject: "/CN=robot")
        let forged = TLSKeyPair(chain: made.chain, key: made.keyBytes)
        #expect(try open(fixture.server(required: false), fixture.client(certificate: forged)).server.hasFailed)
    }

    @Test func aCertificateIsReadForItsNames() throws {
        let both = try open(fixture.server(required: true), fixture.client(certificate: fixture.robot))
        let certificate = try #require(both.server.certificate)
        #expect(certificate.names[.commonName] == ["robot"])
        #expect(certificate.names[.organisation] == ["acme"])
        #expect(certificate.names[.unit] == ["line 1"])
        #expect(certificate.names[.dns] == ["r.test"])
        #expect(certificate.names[.uri] == ["urn:robot:1"])
        #expect(certificate.names[.email] == ["r@a.test"])
        #expect(certificate.notAfter - certificate.notBefore == 30 * 86_400)
        #expect(certificate == (try TLSCertificate(pem: fixture.robot.chain)))
        #expect(base64url(certificate.thumbprint) == (try fixture.robotPair.thumbprint()))
    }

    @Test func protocolsAreAgreedOn() throws {
        let server = try fixture.server(protocols: ["h2", "http/1.1"])
        for (offered, chosen) in [(["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"), ([], nil)]
            as [([String], String?)]
        {
            let both = try open(server, fixture.client(protocols: offered))
            #expect(both.server.applicationProtocol == chosen)
            #expect(both.client.applicationProtocol == chosen)
        }
        #expect(try open(server, fixture.client(protocols: ["spdy/1"])).server.hasFailed)
    }

    @Test func versionsBelowTheMinimumAreRefused() throws {
        let both = try open(fixture.server(), fixture.client())
        #expect(both.server.version == .v13)
        // A ClientHello of TLS 1.1 that openssl would make, in a record of its own.
        guard let old = ends(try fixture.server(), try fixture.client()) else { return }
        var hello = old.client.take([])
        // legacy_version 3,3 -> 3,2 and the extension supported_versions made unknown: a client of TLS 1.1 at heart.
        hello[10] = 2
        if let place = hello.indices.dropLast(3).first(where: {
            hello[$0] == 0 && hello[$0 + 1] == 0x2b && hello[$0 + 2] == 0
        }) {
            hello[place + 1] = 0xfe
        }
        _ = old.server.take(hello)
        #expect(old.server.hasFailed)
    }

    @Test func anEndIsToldApartFromACut() throws {
        let both = try open(fixture.server(), fixture.client())
        let data = try #require(both.client.send([1, 2, 3]))
        let goodbye = both.client.finish()
        #expect(both.client.send([4]) == nil)
        _ = both.server.take(data + goodbye + [1, 2, 3, 4])
        #expect(both.server.plaintext == [1, 2, 3])
        #expect(both.server.hasEnded)
        #expect(!both.server.hasFailed)
        // The other direction lives on.
        _ = both.client.take(try #require(both.server.send([9])))
        #expect(both.client.plaintext == [9])
    }

    @Test func everyTruncationWaitsAndNothingElse() throws {
        guard let pattern = ends(try fixture.server(), try fixture.client()) else { return }
        let hello = pattern.client.take([])
        for count in stride(from: 0, to: hello.count, by: 7) {
            guard let session = TLSSession(server: try fixture.server()) else { return }
            let server = End(session)
            _ = server.take(Array(hello.prefix(count)))
            #expect(!server.isOpen && !server.hasFailed && !server.hasEnded)
        }
    }

    @Test func garbageBreaksASessionForGood() throws {
        var random = SeededGenerator(seed: 7)
        let server = try fixture.server()
        for _ in 0..<200 {
            guard let session = TLSSession(server: server) else { return }
            let end = End(session)
            let noise = (0..<Int.random(in: 5...400, using: &random)).map { _ in
                UInt8.random(in: 0...255, using: &random)
            }
            _ = end.take(noise)
            #expect(!end.isOpen)
        }
        for text in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\u{16}\u{3}\u{1}\u{0}\u{5}hello"] {
            guard let session = TLSSession(server: server) else { return }
            let end = End(session)
            _ = end.take(Array(text.utf8))
            #expect(end.hasFailed)
            #expect(!end.failure.isEmpty)
            #expect(end.take([1, 2, 3]).isEmpty)
            #expect(end.hasFailed)
        }
    }

    @Test func changedCiphertextIsNoticed() throws {
        let both = try open(fixture.server(), fixture.client())
        var sealed = try #require(both.client.send(Array("hello".utf8)))
        sealed[sealed.count - 3] ^= 1
        let alert = both.server.take(sealed)
        #expect(both.server.hasFailed)
        #expect(both.server.plaintext.isEmpty)
        #expect(!alert.isEmpty)
        #expect(both.server.send([1]) == nil)
        #expect(both.server.finish().isEmpty)
    }

    @Test func nothingIsSentBeforeTheHandshake() throws {
        guard let both = ends(try fixture.server(), try fixture.client()) else { return }
        #expect(both.server.send([1]) == nil)
        #expect(both.server.finish().isEmpty)
        both.settle()
        #expect(both.server.isOpen)
    }
}
