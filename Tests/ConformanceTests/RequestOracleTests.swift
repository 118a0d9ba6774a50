import TestKit
import Testing

extension Conformance {
    @Suite("Requests of the oracle", .serialized, .oracle)
    struct RequestOracleTests {
        static let cases = (try? RequestCase.load()) ?? []

        @Test("the file is there with its cases")
        func count() {
            #expect(Self.cases.count >= 131)
        }

        @Test("whole", arguments: cases)
        func whole(_ test: RequestCase) throws {
            let fixture = try #require(Fixture.current)
            let verdict = try RequestVerdict(playing: test, on: fixture, bytewise: false)
            #expect(verdict.complaints == [], "\(test.id): \(test.why)")
        }

        @Test("byte by byte", arguments: cases.filter { $0.raw.count <= 400 })
        func bytewise(_ test: RequestCase) throws {
            let fixture = try #require(Fixture.current)
            let verdict = try RequestVerdict(playing: test, on: fixture, bytewise: true)
            #expect(verdict.complaints == [], "\(test.id): \(test.why)")
        }

        @Test("the gateway lives after all of it")
        func alive() throws {
            let fixture = try #require(Fixture.current)
            #expect(fixture.gateway.isRunning)
            #expect(try fixture.gateway.get("/after")?.status == 200)
        }
    }
}
