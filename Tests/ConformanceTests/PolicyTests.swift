import StrictJSON
import TestKit
import Testing

extension Conformance {
    @Suite("What they may do", .serialized, .contract)
    struct PolicyTests {
        private func status(_ method: String, _ path: String, _ fields: [(String, String)]) throws -> Int {
            let fixture = try #require(Fixture.current)
            return try fixture.gateway.request(
                method, "/api/2/things" + path, fields, body: method == "PUT" ? [65] : nil)?
                .status ?? 0
        }

        @Test("read and write by method, unrestricted for writes, partial for reads")
        func methods() throws {
            let fixture = try #require(Fixture.current)
            let alice = [try fixture.bearer("alice", ["azp": "acme-lamps"])]
            let rows: [(String, String, Int)] = [
                ("GET", "/a", 200), ("HEAD", "/a", 200), ("PUT", "/a", 200), ("DELETE", "/a/b", 200),
                ("GET", "/secret", 403), ("GET", "/secret/deeper", 403), ("PUT", "/secret", 403),
                ("GET", "/frozen/x", 200), ("PATCH", "/frozen/x", 403), ("POST", "/frozen", 403),
                ("GET", "/a/../secret", 403), ("GET", "/%73ecret", 403), ("GET", "//secret", 403),
            ]
            for (method, path, expected) in rows {
                let got = try status(method, path, alice)
                #expect(got == expected || expected == 403 && got == 400, "\(method) \(path): \(got)")
            }
        }

        @Test("others by their own subjects")
        func others() throws {
            let fixture = try #require(Fixture.current)
            let lamps = [("x-cr-api-token", Configuration.lampsToken)]
            #expect(try status("GET", "/a", lamps) == 200)
            #expect(try status("PUT", "/a", lamps) == 403)
            let stranger = [try fixture.bearer("mallory", ["azp": "acme-lamps"])]
            #expect(try status("GET", "/a", stranger) == 403)
            let permitted = [
                try fixture.bearer("bob", ["azp": "acme-lamps", "permissions": ["write:things"]])
            ]
            #expect(try status("PUT", "/shared/x", permitted) == 200)
            #expect(try status("PUT", "/a", permitted) == 403)
        }

        @Test("a subject whose expiry has passed grants nothing")
        func expired() throws {
            let fixture = try #require(Fixture.current)
            #expect(try status("GET", "/a", [try fixture.bearer("bygone", ["azp": "acme-lamps"])]) == 403)
        }

        @Test("403 in the contract's form, with the limit's headers, and nothing about the policy in it")
        func form() throws {
            let fixture = try #require(Fixture.current)
            let field = try fixture.bearer("alice", ["azp": "acme-lamps"])
            let answer = try fixture.gateway.get("/api/2/things/secret", [field])
            let problem = try Problem(answer, status: 403)
            let challenge = answer?.value("www-authenticate") ?? ""
            #expect(challenge.contains("error=\"insufficient_scope\""), "\(challenge)")
            #expect(quotaParameters(answer?.value("ratelimit-policy")).keys.sorted() == ["q", "w"])
            #expect(quotaParameters(answer?.value("ratelimit"))["r"] != nil)
            #expect(answer?.text.contains("test:things") == false)
            let record = try fixture.auditRecord(problem.decision)
            #expect(record.member("outcome")?.string == "forbidden")
            #expect(record.member("status")?.number?.integer == 403)
        }
    }
}
