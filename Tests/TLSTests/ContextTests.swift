import TLS
import TestKit
import Testing

@Suite struct ContextTests {
    private let fixture: Fixture

    init() throws {
        fixture = try Fixture.shared.get()
    }

    private func failure(_ pairs: [TLSKeyPair]) -> TLSError? {
        do throws(TLSError) {
            _ = try TLSServerContext(
                TLSServerSettings(certificates: pairs), protocols: [], tickets: TLSTicketKeys(now: 0))
            return nil
        } catch {
            return error
        }
    }

    @Test func whatIsWrongIsSaid() {
        let (a, b) = (fixture.a, fixture.b)
        #expect(failure([a, b]) == nil)
        #expect(
            failure([a, TLSKeyPair(chain: b.chain, key: a.key)])
                == .key(index: 1, reason: "the key does not belong to the certificate"))
        #expect(
            failure([TLSKeyPair(chain: Array("nonsense".utf8), key: a.key)])
                == .certificate(index: 0, reason: "there is no certificate in PEM in it"))
        #expect(
            failure([TLSKeyPair(chain: [], key: [])])
                == .certificate(index: 0, reason: "there is no certificate in PEM in it"))
        #expect(
            failure([TLSKeyPair(chain: a.chain, key: b.chain)])
                == .key(index: 0, reason: "the key is no private key in PEM without a passphrase"))
        let broken = a.chain + Array("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".utf8)
        guard case .certificate(0, let reason)? = failure([TLSKeyPair(chain: broken, key: a.key)]) else {
            Issue.record("a broken chain was taken")
            return
        }
        #expect(reason.hasPrefix("a certificate of the chain cannot be read"))
    }

    @Test(arguments: ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
    func authoritiesHaveToBeThere(_ text: String) {
        #expect(throws: TLSError.self) {
            try TLSClientContext(TLSClientSettings(authorities: Array(text.utf8)), protocols: [])
        }
        #expect(throws: TLSError.self) {
            try TLSServerContext(
                TLSServerSettings(
                    certificates: [fixture.a],
                    clientCertificates: .init(authorities: Array(text.utf8), isRequired: true)),
                protocols: [], tickets: TLSTicketKeys(now: 0))
        }
        #expect(throws: TLSError.self) { try TLSCertificate(pem: Array(text.utf8)) }
    }

    @Test func clientContextsAreEqualWhenTheirSettingsAre() throws {
        #expect(try fixture.client() == fixture.client())
        #expect(try fixture.client() != fixture.client(certificate: fixture.robot))
        #expect(try fixture.client() != fixture.client(protocols: ["h2"]))
    }
}
