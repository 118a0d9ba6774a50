import Identity
import Settings
import TLS
import TestKit
import Testing
import Upstream

@Suite struct TLSProblemTests {
    private static let made = Result { try Files() }

    private struct Files {
        let files: [String: String]
        let thumbprint: String

        init() throws {
            let authority = try Certificates()
            func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
            let a = try authority.make("a", names: "DNS:a.test")
            let plain = try authority.make("plain")
            files = [
                "a.pem": text(a.chain), "a.key": text(a.keyBytes), "plain.pem": text(plain.chain),
                "plain.key": text(plain.keyBytes), "ca.pem": text(authority.authority.chain), "empty": "",
                "nonsense": "nonsense",
            ]
            thumbprint = try a.thumbprint()
        }
    }

    private let fixture: Fixture

    init() throws {
        var fixture = Fixture(files: try Self.made.get().files)
        fixture.environment["KEY"] = fixture.files["a.key"]
        self.fixture = fixture
    }

    private func problems(_ listener: String, now: Int64 = 0) throws -> [String] {
        var fixture = fixture
        fixture.now = now > 0 ? now : try good()
        return fixture.problems(
            """
            {"listeners": [\(listener)], "upstreams": {"u": {"endpoints": ["http://127.0.0.1:1"]}},
             "routes": [{"name": "r", "match": {"path": "/**"}, "upstream": "u", "authenticate": []}]}
            """
        ).map { String($0.split(separator: " ", maxSplits: 1).last ?? "") }
    }

    /// A moment at which the certificates are good.
    private func good() throws -> Int64 {
        try TLSCertificate(pem: Array((fixture.files["a.pem"] ?? "").utf8)).notBefore + 60
    }

    @Test(arguments: [
        #"{"certificates": [{"certificate": "a.pem", "key": "a.key"}]}"#,
        #"{"certificates": [{"certificate": "a.pem", "key": {"file": "a.key"}}], "minimumVersion": "1.3"}"#,
        #"{"certificates": [{"certificate": "a.pem", "key": {"env": "KEY"}}]}"#,
        #"{"certificates": [{"certificate": "a.pem", "key": "a.key"}], "clientCertificates": {"authorities": "ca.pem", "required": false, "subjects": ["{{ cert:san.dns }}"]}}"#,
    ])
    func whatIsRightIsTaken(_ tls: String) throws {
        #expect(try problems("{\"tls\": \(tls)}") == [])
    }

    @Test(arguments: [
        (#"{}"#, #"error: $.listeners[0].tls: the member "certificates" is missing"#),
        (
            #"{"certificates": []}"#,
            "error: $.listeners[0].tls.certificates: the array is too short: name a certificate"
        ),
        (
            #"{"certificates": [{"certificate": "a.pem"}]}"#,
            #"error: $.listeners[0].tls.certificates[0]: the member "key" is missing"#
        ),
        (
            #"{"certificates": [{"certificate": "none.pem", "key": "a.key"}]}"#,
            "error: $.listeners[0].tls.certificates[0].certificate: there is no file none.pem"
        ),
        (
            #"{"certificates": [{"certificate": "empty", "key": "a.key"}]}"#,
            "error: $.listeners[0].tls.certificates[0].certificate: empty is empty"
        ),
        (
            #"{"certificates": [{"certificate": "nonsense", "key": "a.key"}]}"#,
            "error: $.listeners[0].tls.certificates[0].certificate: nonsense: there is no certificate in PEM in it"
        ),
        (
            #"{"certificates": [{"certificate": "a.pem", "key": "plain.key"}]}"#,
            "error: $.listeners[0].tls.certificates[0].key: plain.key: the key does not belong to the certificate"
        ),
        (
            #"{"certificates": [{"certificate": "a.pem", "key": {"env": "NONE"}}]}"#,
            "error: $.listeners[0].tls.certificates[0].key: the environment variable NONE is not set or empty"
        ),
        (
            #"{"certificates": [{"certificate": "a.pem", "key": 7}]}"#,
            "error: $.listeners[0].tls.certificates[0].key: expected a path"
        ),
        (
            #"{"certificates": [{"certificate": "a.pem", "key": "a.key"}, {"certificate": "plain.pem", "key": "plain.key"}]}"#,
            "warning: $.listeners[0].tls.certificates[1]: the certificate names no host"
        ),
        (
            #"{"certificates": [{"certificate": "a.pem", "key": "a.key"}], "minimumVersion": "1.1"}"#,
            #"error: $.listeners[0].tls.minimumVersion: "1.1" is not a choice here"#
        ),
        (
            #"{"certificates": [{"certificate": "a.pem", "key": "a.key"}], "ciphers": "all"}"#,
            #"error: $.listeners[0].tls.ciphers: unknown member "ciphers""#
        ),
        (
            #"{"certificates": [{"certificate": "a.pem", "key": "a.key"}], "clientCertificates": {"authorities": "a.key"}}"#,
            "error: $.listeners[0].tls.clientCertificates.authorities: a.key: there is no certificate in PEM in it"
        ),
        (
            #"{"certificates": [{"certificate": "a.pem", "key": "a.key"}], "clientCertificates": {"authorities": "ca.pem", "subjects": ["{{ jwt:sub }}"]}}"#,
            #"error: $.listeners[0].tls.clientCertificates.subjects[0]: the template "{{ jwt:sub }}" is wrong"#
        ),
    ])
    func everyMistakeHasItsPlace(_ tls: String, _ problem: String) throws {
        let found = try problems("{\"tls\": \(tls)}")
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.hasPrefix(problem) == true, "\(found)")
    }

    @Test func anExpiredCertificateIsAWarning() throws {
        let listener = #"{"tls": {"certificates": [{"certificate": "a.pem", "key": "a.key"}]}}"#
        let later = try problems(listener, now: good() + 40 * 86_400)
        #expect(later.count == 1)
        #expect(
            later.first?.hasPrefix("warning: $.listeners[0].tls.certificates[0].certificate: a.pem has expired") == true
        )
        let earlier = try problems(listener, now: good() - 86_400)
        #expect(earlier.first?.contains("a.pem is not good before") == true)
    }

    @Test(arguments: [
        (#""endpoints": ["https://a:1", "http://b:1"]"#, "error: $.upstreams.u.endpoints: some endpoints are https://"),
        (
            #""endpoints": ["http://a:1"], "tls": {"authorities": "ca.pem"}"#,
            #"error: $.upstreams.u.tls: "tls" is for https:// endpoints"#
        ),
        (
            #""endpoints": ["https://a:1"], "tls": {"authorities": "nonsense"}"#,
            "error: $.upstreams.u.tls.authorities: nonsense: there is no certificate in PEM in it"
        ),
        (
            #""endpoints": ["https://a:1"], "tls": {"certificate": "a.pem"}"#,
            #"error: $.upstreams.u.tls: "certificate" and "key" belong together"#
        ),
        (
            #""endpoints": ["https://a:1"], "tls": {"certificate": "a.pem", "key": "plain.key"}"#,
            "error: $.upstreams.u.tls.key: plain.key: the key does not belong to the certificate"
        ),
        (
            #""endpoints": ["https://a:1"], "tls": {"verify": false}"#,
            "warning: $.upstreams.u.tls.verify: the upstream is not verified"
        ),
    ])
    func upstreamsToo(_ upstream: String, _ problem: String) throws {
        var fixture = fixture
        fixture.now = try good()
        let found = fixture.problems(
            """
            {"upstreams": {"u": {\(upstream)}},
             "routes": [{"name": "r", "match": {"path": "/**"}, "upstream": "u", "authenticate": []}]}
            """
        ).map { String($0.split(separator: " ", maxSplits: 1).last ?? "") }
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.hasPrefix(problem) == true, "\(found)")
    }

    @Test func whatWasReadArrives() throws {
        var fixture = fixture
        fixture.now = try good()
        let loaded = try fixture.read(
            """
            {"listeners": [{"tls": {"certificates": [{"certificate": "a.pem", "key": "a.key"}],
               "clientCertificates": {"authorities": "ca.pem", "subjects": ["{{ cert:subject.CN }}"]}}}],
             "upstreams": {"u": {"endpoints": ["https://a"], "tls": {"serverName": "b", "authorities": "ca.pem"}}},
             "routes": [{"name": "r", "match": {"path": "/**"}, "upstream": "u"}]}
            """
        ).get()
        let settings = loaded.settings
        #expect(loaded.certificateFiles.sorted() == ["a.key", "a.pem", "ca.pem", "ca.pem"])
        #expect(
            settings.listeners[0].tls?.server.certificates.first?.chain == Array((fixture.files["a.pem"] ?? "").utf8))
        #expect(settings.listeners[0].tls?.server.clientCertificates?.isRequired == true)
        #expect(settings.accepted(by: settings.routes[0]) == .certificate)
        let upstream = settings.upstreams[0]
        #expect(upstream.endpoints.map(\.isSecure) == [true])
        #expect(upstream.endpoints.map(\.port) == [443])
        #expect(upstream.tls?.settings.serverName == "b")
        #expect(upstream.tls?.settings.verifies == true)
    }
}
