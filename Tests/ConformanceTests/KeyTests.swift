import TestKit
import Testing

extension Conformance {
    @Suite("Keys that are fetched", .serialized)
    struct KeyTests {
        /// A provider that shows the keys of these mints, or an error while there are none.
        private func show(_ mints: [TokenMint], on provider: RawOrigin) throws {
            let body = try TokenMint.jwks(mints).text
            let answer =
                mints.isEmpty
                ? "HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n"
                : "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            provider.play { _ in .answer(answer) }
        }

        private func fixture(fetchingFrom provider: RawOrigin) throws -> Fixture {
            try Fixture { origin in
                guard case .object(let members) = Configuration.contract(origin),
                    let issuers = members.first(where: { $0.0 == "issuers" })?.1,
                    case .object(let each) = issuers, let auth = each.first?.1
                else { return nil }
                let keys: Literal = ["keys": ["url": "http://127.0.0.1:\(provider.port)/jwks"]]
                // However often a test asks while keys are on their way: guessing is another test's.
                return Literal.object(members).merging([
                    "issuers": ["auth": auth.merging(keys)],
                    "failedAuthentication": ["requestsPerMinute": 1_000_000, "burst": 1_000_000],
                ])
            }
        }

        private func status(_ fixture: Fixture, _ mint: TokenMint) throws -> Int {
            let parts = try fixture.token("alice").split(separator: ".")
            try #require(parts.count == 3)
            let payload = try payload(of: String(parts[1]))
            let token = try mint.token(.raw(payload))
            return try fixture.gateway.get("/any/x", [("Authorization", "Bearer " + token)])?.status ?? 0
        }

        /// The claims of the standard token as JSON text.
        private func payload(of part: String) throws -> String {
            let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
            var bits = 0
            var held = 0
            var bytes: [UInt8] = []
            for character in part {
                bits = (bits << 6 | (try #require(alphabet.firstIndex(of: character)))) & 0xFFFF
                held += 6
                if held >= 8 {
                    held -= 8
                    bytes.append(UInt8(truncatingIfNeeded: bits >> held))
                }
            }
            return String(decoding: bytes, as: UTF8.self)
        }

        @Test("no key was ever had: 503 and not 401; once there are keys: 200")
        func neverHad() throws {
            let provider = try RawOrigin()
            try show([], on: provider)
            let fixture = try fixture(fetchingFrom: provider)
            let mint = try TokenMint("RS256", keyID: "first")
            #expect(try status(fixture, mint) == 503)
            #expect(try fixture.gateway.get("/any/x")?.status == 401)
            #expect(try fixture.gateway.get("/public/x")?.status == 200)
            try show([mint], on: provider)
            #expect(try eventually(within: .seconds(90)) { try status(fixture, mint) == 200 })
        }

        @Test("a key that is new at the provider is fetched when a token names it; the provider's failure harms nobody")
        func rotation() throws {
            let provider = try RawOrigin()
            let first = try TokenMint("RS256", keyID: "first")
            let second = try TokenMint("RS256", keyID: "second")
            try show([first], on: provider)
            let fixture = try fixture(fetchingFrom: provider)
            #expect(try eventually { try status(fixture, first) == 200 })
            try show([first, second], on: provider)
            #expect(try eventually(within: .seconds(90)) { try status(fixture, second) == 200 })
            try show([], on: provider)
            let stranger = try TokenMint("RS256", keyID: "stranger")
            for _ in 0..<5 {
                #expect(try status(fixture, stranger) == 401)
                #expect(try status(fixture, first) == 200)
                #expect(try status(fixture, second) == 200)
            }
        }

        @Test("bogus key ids do not make the gateway hammer the provider")
        func bogus() throws {
            let provider = try RawOrigin()
            let mint = try TokenMint("RS256", keyID: "good")
            try show([mint], on: provider)
            let fixture = try fixture(fetchingFrom: provider)
            #expect(try eventually { try status(fixture, mint) == 200 })
            let before = provider.requests.count
            for number in 0..<100 {
                #expect(try status(fixture, TokenMint(keyID: "bogus-\(number)", key: mint.key)) == 401)
            }
            #expect(provider.requests.count - before <= 3)
            #expect(try status(fixture, mint) == 200)
        }
    }
}
