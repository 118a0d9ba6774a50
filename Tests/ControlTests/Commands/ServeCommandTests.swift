import Control
import Glibc
import TestKit
import Testing

@Suite struct ServeCommandTests {
    private let issuer = "https://issuer.test/"

    /// A gateway with one issuer and one route, in front of an origin that echoes.
    private func configuration(keys: Literal, origin: Int) -> Literal {
        [
            "issuers": [
                "test": [
                    "issuer": .string(issuer), "audiences": ["api"], "algorithms": ["ES256"], "keys": keys,
                ]
            ],
            "solutions": ["acme": ["subjects": ["integration:acme"]]],
            "upstreams": ["origin": ["endpoints": [.string("http://127.0.0.1:\(origin)")]]],
            "routes": [["name": "all", "match": ["path": "/**"], "upstream": "origin"]],
        ]
    }

    private func bearer(_ mint: TokenMint) throws -> [(String, String)] {
        let token = try mint.token(["iss": .string(issuer), "aud": "api", "sub": "s", "exp": 4_000_000_000])
        return [("Authorization", "Bearer \(token)")]
    }

    private func inline(_ mint: TokenMint) throws -> Literal {
        ["jwks": try TokenMint.jwks([mint])]
    }

    @Test func keysAreFetchedAndTheirAbsenceIsNotTheClientsFault() throws {
        let mint = try TokenMint("ES256")
        let document = String(decoding: try TokenMint.jwks([mint]).bytes, as: UTF8.self)
        let published = Latch()
        let issuer = try RawOrigin { _ in
            .afterBody { _ in
                [
                    .await(published),
                    .text("HTTP/1.1 200 OK\r\nContent-Length: \(document.utf8.count)\r\n\r\n\(document)"),
                ]
            }
        }
        let origin = try RawOrigin()
        let gateway = try GatewayProcess(
            configuration(
                keys: ["url": .string("http://127.0.0.1:\(issuer.port)/jwks")], origin: origin.port))
        #expect(try gateway.get("/x", bearer(mint))?.status == 503)
        published.open()
        #expect(try eventually { try gateway.get("/x", bearer(mint))?.status == 200 })
        #expect(try gateway.get("/x", bearer(try TokenMint("ES256")))?.status == 401)
    }

    @Test func tokensComeAndGoWithoutASignal() throws {
        let origin = try RawOrigin()
        let gateway = try GatewayProcess(configuration(keys: inline(TokenMint("ES256")), origin: origin.port))
        let created = try GatewayProcess.run(["token", "create", "--solution", "acme"], in: gateway.directory)
        let fields = [("x-cr-api-token", String(created.output.dropLast()))]
        #expect(try eventually { try gateway.get("/x", fields)?.status == 200 })
        let listed = try GatewayProcess.run(["token", "list"], in: gateway.directory).output
        let id = try #require(listed.split(separator: "\n").dropFirst().first).prefix { $0 != " " }
        _ = try GatewayProcess.run(["token", "revoke", String(id)], in: gateway.directory)
        #expect(try eventually { try gateway.get("/x", fields)?.status == 401 })
    }

    @Test func aNewTokenDoesNotBringUnfinishedEditsIntoForce() throws {
        let origin = try RawOrigin()
        let gateway = try GatewayProcess(configuration(keys: inline(TokenMint("ES256")), origin: origin.port))
        let created = try GatewayProcess.run(["token", "create", "--solution", "acme"], in: gateway.directory)
        let fields = [("x-cr-api-token", String(created.output.dropLast()))]
        #expect(try eventually { try gateway.get("/x", fields)?.status == 200 })
        // The file loses its routes, then its tokens change: the routes stay until somebody asks for a reload.
        try gateway.rewrite(
            ["solutions": ["acme": ["subjects": ["integration:acme"]]], "upstreams": [:], "routes": []])
        let other = try GatewayProcess.run(["token", "create", "--solution", "acme"], in: gateway.directory)
        let otherFields = [("x-cr-api-token", String(other.output.dropLast()))]
        #expect(try eventually { try gateway.get("/x", otherFields)?.status == 200 })
        gateway.signal(SIGHUP)
        #expect(try eventually { try gateway.get("/x", otherFields)?.status == 404 })
    }

    @Test func aBadConfigurationIsReportedAndNotTaken() throws {
        let mint = try TokenMint("ES256")
        let origin = try RawOrigin()
        let gateway = try GatewayProcess(configuration(keys: inline(mint), origin: origin.port))
        try gateway.rewrite(text: Array(#"{"routes":[{"nmae":"x"}]}"#.utf8))
        gateway.signal(SIGHUP)
        #expect(eventually { gateway.standardError.contains("did you mean \"name\"") })
        #expect(eventually { gateway.standardError.contains("what was in force stays") })
        #expect(try gateway.get("/x", bearer(mint))?.status == 200)
        let metrics = String(decoding: try #require(try gateway.admin("/metrics")).body, as: UTF8.self)
        #expect(metrics.contains("tollgate_reloads_total{result=\"refused\"} 1\n"))
    }

    @Test func aBadConfigurationAtStartIs78() throws {
        let workspace = try Workspace { _ in "{" }
        #expect(try workspace.run("serve").status == 78)
    }

    @Test func theDrainFinishesWhatIsUnderWay() throws {
        let mint = try TokenMint("ES256")
        let mayAnswer = Latch()
        let origin = try RawOrigin { _ in
            .afterBody { _ in [.await(mayAnswer), .text("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")] }
        }
        let gateway = try GatewayProcess(configuration(keys: inline(mint), origin: origin.port))
        let client = try gateway.connect()
        let authorization = try bearer(mint)[0].1
        client.send(latin1("GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: \(authorization)\r\n\r\n"))
        #expect(eventually { origin.requests.count == 1 })
        gateway.terminate()
        #expect(eventually { gateway.readiness == 503 })
        let probe = try GatewayProcess.run(["health"], in: gateway.directory)
        #expect(probe.status == 1)
        mayAnswer.open()
        #expect(client.answer()?.status == 200)
        #expect(gateway.exitStatus() == 0, "\(gateway.standardError)")
    }

    @Test func aSecondSignalEndsItAtOnce() throws {
        let mint = try TokenMint("ES256")
        let never = Latch()
        let origin = try RawOrigin { _ in .beforeBody([.await(never)]) }
        let gateway = try GatewayProcess(configuration(keys: inline(mint), origin: origin.port))
        let client = try gateway.connect()
        let authorization = try bearer(mint)[0].1
        client.send(latin1("GET /x HTTP/1.1\r\nHost: a\r\nAuthorization: \(authorization)\r\n\r\n"))
        #expect(eventually { origin.connections == 1 })
        gateway.terminate()
        #expect(eventually { gateway.readiness == 503 })
        gateway.terminate()
        #expect(gateway.exitStatus() == 1)
        never.open()
    }
}
