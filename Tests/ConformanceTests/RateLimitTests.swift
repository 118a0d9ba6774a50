import StrictJSON
import TestKit
import Testing

extension Conformance {
    @Suite("How often they may", .serialized, .contract)
    struct RateLimitTests {
        let fixture: Fixture

        init() throws {
            fixture = try #require(Fixture.current)
        }

        /// Sends many requests down one connection without waiting and returns the answers with the time it took.
        private func burst(_ count: Int, _ field: (String, String)) throws -> (answers: [Message], seconds: Double) {
            let client = try fixture.gateway.connect()
            let start = ContinuousClock.now
            let one = "GET /any/burst HTTP/1.1\r\nHost: a\r\n\(field.0): \(field.1)\r\n\r\n"
            var answers: [Message] = []
            for _ in 0..<(count / 10) {
                client.send(String(repeating: one, count: 10))
                for _ in 0..<10 {
                    guard let answer = client.answer() else { break }
                    answers.append(answer)
                }
            }
            return (answers, (ContinuousClock.now - start) / .seconds(1))
        }

        @Test("a full bucket admits 360 at once, then what refills at 6 a second and no more")
        func burst() throws {
            let (answers, seconds) = try burst(500, try fixture.bearer("burst", ["azp": "burst-client"]))
            #expect(answers.count == 500)
            let statuses = Set(answers.map(\.status))
            #expect(statuses.isSubset(of: [200, 429]))
            let admitted = answers.count { $0.status == 200 }
            #expect(answers.prefix(360).allSatisfy { $0.status == 200 })
            #expect(admitted >= 360)
            #expect(Double(admitted) <= 360 + seconds * 6 + 1)
            let remaining = answers.prefix(360).map { quotaParameters($0.value("ratelimit"))["r"] ?? -1 }
            #expect(remaining.first == 359)
            #expect(zip(remaining, remaining.dropFirst()).allSatisfy { $1 >= $0 - 1 && $1 < 360 })
        }

        @Test("429 in the contract's form")
        func refusal() throws {
            let (answers, _) = try burst(800, try fixture.bearer("form", ["azp": "form-client"]))
            let refusal = try #require(answers.first { $0.status == 429 })
            let problem = try Problem(refusal, status: 429)
            #expect(problem.type == "https://iana.org/assignments/http-problem-types#quota-exceeded")
            #expect(quotaParameters(refusal.value("ratelimit-policy")) == ["q": 360, "w": 60])
            let limit = quotaParameters(refusal.value("ratelimit"))
            #expect(limit["r"] == 0)
            #expect((limit["t"] ?? 0) >= 1)
            let retry = try #require(refusal.value("retry-after").flatMap { Int($0) })
            #expect(retry >= (limit["t"] ?? .max))
            #expect(retry <= 60)
            let record = try fixture.auditRecord(problem.decision)
            #expect(record.member("outcome")?.string == "limited")
            #expect(record.member("client")?.string == "form-client")
        }

        @Test("the headers stand on admitted answers of both the policy and the state")
        func headers() throws {
            let answer = try fixture.gateway.get("/any/x", [try fixture.bearer("head", ["azp": "head-client"])])
            #expect(answer?.value("ratelimit-policy") == "\"default\";q=360;w=60")
            let state = quotaParameters(answer?.value("ratelimit"))
            #expect(state["r"] == 359)
            #expect(state["t"] != nil)
        }

        @Test("the origin cannot speak for the limit")
        func originHeaders() throws {
            fixture.origin.play { _ in
                .answer("HTTP/1.1 200 OK\r\nX-Origin: 1\r\nRateLimit: \"x\";r=9999;t=1\r\nContent-Length: 0\r\n\r\n")
            }
            defer { fixture.origin.play(RawOrigin.echo) }
            let answer = try fixture.gateway.get("/any/x", [try fixture.bearer("own", ["azp": "own-client"])])
            #expect(answer?.values("ratelimit").count == 1)
            #expect(quotaParameters(answer?.value("ratelimit"))["r"] == 359)
        }

        @Test("all tokens of one client share its quota; another client has its own")
        func perClient() throws {
            let first = try fixture.bearer("one", ["azp": "shared-client"])
            let second = try fixture.bearer("two", ["azp": "shared-client"])
            _ = try burst(360, first)
            let other = try fixture.gateway.get("/any/x", [try fixture.bearer("one", ["azp": "third-client"])])
            #expect(quotaParameters(other?.value("ratelimit"))["r"] == 359)
            // More than refills while they are asked for, and less than a bucket of its own would hold.
            let shared = try burst(300, second).answers
            #expect(shared.contains { $0.status == 429 })
        }

        @Test("a refused request spends nothing: the client recovers while it keeps asking")
        func recovers() throws {
            let field = try fixture.bearer("busy", ["azp": "busy-client"])
            _ = try burst(800, field)
            let recovered = try eventually(within: .seconds(20)) {
                try fixture.gateway.get("/any/x", [field])?.status == 200
            }
            #expect(recovered)
        }

        @Test("a solution's own limit takes the place of the default")
        func solutionLimit() throws {
            let answer = try fixture.gateway.get("/any/x", [("x-cr-api-token", Configuration.lampsToken)])
            #expect(quotaParameters(answer?.value("ratelimit-policy"))["q"] == 1200)
            let other = try fixture.gateway.get("/any/x", [("x-cr-api-token", Configuration.otherToken)])
            #expect(quotaParameters(other?.value("ratelimit-policy"))["q"] == 360)
        }

        @Test("requests over many connections and loops count once each")
        func connections() throws {
            let field = try fixture.bearer("spread", ["azp": "spread-client"])
            let clients = try (0..<20).map { _ in try fixture.gateway.connect() }
            let start = ContinuousClock.now
            var admitted = 0
            for _ in 0..<25 {
                for client in clients {
                    client.send("GET /any/x HTTP/1.1\r\nHost: a\r\n\(field.0): \(field.1)\r\n\r\n")
                }
                for client in clients where client.answer()?.status == 200 { admitted += 1 }
            }
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            #expect(admitted >= 360)
            #expect(Double(admitted) <= 360 + seconds * 6 + 1)
        }
    }
}
