import Foundation
import StrictJSON
import TestKit
import Testing

/// Everything that is judged on the wire, against the executable that was built. The suites run one after the other:
/// they start processes, measure memory and count connections.
@Suite("Conformance", .serialized)
enum Conformance {}

/// What a suite shares: one gateway, the origin behind it and the keys its callers sign with.
final class Fixture: Sendable {
    /// The fixture of the suite that runs.
    @TaskLocal static var current: Fixture?

    let origin: RawOrigin
    let gateway: GatewayProcess
    let mint: TokenMint

    init(
        _ configuration: (RawOrigin) -> Literal = Configuration.contract,
        script: @escaping RawOrigin.Script = RawOrigin.echo
    )
        throws
    {
        mint = try TokenMint("RS256")
        origin = try RawOrigin(script: script)
        gateway = try GatewayProcess(configuration(origin), files: try Configuration.files(mint))
    }

    /// A token of the configured issuer that is good for ten minutes; `claims` adds to the standard ones or takes their
    /// place.
    func token(_ subject: String, _ claims: Literal = [:]) throws -> String {
        let now = Int64(Date().timeIntervalSince1970)
        let standard: Literal = [
            "iss": .string(Configuration.issuer), "aud": .string(Configuration.audience), "sub": .string(subject),
            "iat": .integer(now - 5), "exp": .integer(now + 600),
        ]
        return try mint.token(standard.merging(claims))
    }

    /// Whether the metrics have a line just now.
    func hasMetric(_ line: String) throws -> Bool {
        try gateway.admin("/metrics")?.text.contains("\n\(line)\n") == true
    }

    /// The reason of the first record of a stream's end, once there is one.
    func closeReason() throws -> String? {
        var reason: String?
        _ = try eventually {
            let records = try gateway.auditLines.map { try JSON.parse($0, limits: .configuration) }
            reason = records.first { $0.member("phase")?.string == "close" }?.member("reason")?.string
            return reason != nil
        }
        return reason
    }

    /// The `Authorization` field of such a token.
    func bearer(_ subject: String, _ claims: Literal = [:]) throws -> (String, String) {
        ("Authorization", "Bearer " + (try token(subject, claims)))
    }

    /// The audit record of a decision, waiting until it is written.
    func auditRecord(_ decision: String) throws -> JSON {
        var found: JSON?
        _ = try eventually {
            found = try gateway.auditLines.lazy.map { try JSON.parse($0, limits: .configuration) }
                .first { $0.member("decision")?.string == decision }
            return found != nil
        }
        return try #require(found, "no audit record of decision \(decision)")
    }
}

/// Gives a suite its fixture and ends the gateway after the last test.
struct Fixtures: SuiteTrait, TestScoping {
    let make: @Sendable () throws -> Fixture

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        let fixture = try make()
        try await Fixture.$current.withValue(fixture) { try await function() }
        fixture.gateway.kill()
        fixture.origin.stop()
    }
}

extension Trait where Self == Fixtures {
    /// A gateway with the routes of the contract and an origin that echoes.
    static var contract: Self { Fixtures { try Fixture() } }

    /// A gateway of the oracle: everything public, `/admin` refused.
    static var oracle: Self { Fixtures { try Fixture(Configuration.oracle) } }
}
