import GRPCCore
import GRPCNIOTransportHTTP2Posix
import TestKit
import Testing

extension Conformance {
    /// A client and a server of grpc-swift, the gateway between them.
    @Suite("gRPC", .serialized)
    struct GRPCTests {
        /// Messages are what they are: bytes.
        private struct Plain: MessageSerializer, MessageDeserializer {
            func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }

            func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> [UInt8] {
                // Unsafe: copied within the call.
                unsafe bytes.withUnsafeBytes { unsafe Array($0) }
            }
        }

        private static func method(_ name: String) -> MethodDescriptor {
            MethodDescriptor(fullyQualifiedService: "test.Echo", method: name)
        }

        /// `Both` answers each message as it comes, `Many` one with as many as its bytes say, `Who` with the caller's name as
        /// the gateway gives it, `Fail` with an error.
        private struct Echo: RegistrableRPCService {
            func registerMethods(with router: inout RPCRouter<some ServerTransport>) {
                func register(
                    _ name: String,
                    _ handle:
                        @escaping @Sendable (StreamingServerRequest<[UInt8]>) async throws ->
                        StreamingServerResponse<[UInt8]>
                ) {
                    router.registerHandler(
                        forMethod: method(name), deserializer: Plain(), serializer: Plain()
                    ) { request, _ in try await handle(request) }
                }
                register("Both") { request in
                    StreamingServerResponse { writer in
                        for try await message in request.messages { try await writer.write(message) }
                        return ["x-end": "of both"]
                    }
                }
                register("Many") { request in
                    StreamingServerResponse { writer in
                        for try await message in request.messages {
                            for number in 0..<message.count * 100 {
                                try await writer.write(
                                    [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: 1000))
                            }
                        }
                        return [:]
                    }
                }
                register("Who") { request in
                    let name = request.metadata[stringValues: "x-tollgate-subject"].reduce("") { $0 + $1 }
                    return StreamingServerResponse(single: ServerResponse(message: Array(name.utf8)))
                }
                register("Fail") { _ in throw RPCError(code: .notFound, message: "no such thing: 100 %") }
            }
        }

        private typealias Client = GRPCClient<HTTP2ClientTransport.Posix>

        private func call(
            _ client: Client, _ name: String, _ message: [UInt8] = [], _ metadata: Metadata
        ) async throws -> [UInt8] {
            try await client.unary(
                request: ClientRequest(message: message, metadata: metadata), descriptor: Self.method(name),
                serializer: Plain(), deserializer: Plain(), options: .defaults
            ) { try $0.message }
        }

        /// What a call fails with; nil when it does not.
        private func failure(_ call: () async throws -> [UInt8]) async throws -> RPCError? {
            do {
                _ = try await call()
                return nil
            } catch let error as RPCError {
                return error
            }
        }

        private func bearer(_ fixture: Fixture, _ client: String) throws -> Metadata {
            ["authorization": "\(try fixture.bearer("alice", ["azp": .string(client)]).1)"]
        }

        /// Runs a server, a gateway with it as upstream, and a client of that. Each client of the gateway has ten calls.
        private func run(_ body: (Client, Fixture) async throws -> Void) async throws {
            let server = GRPCServer(
                transport: .http2NIOPosix(address: .ipv4(host: "127.0.0.1", port: 0), transportSecurity: .plaintext),
                services: [Echo()])
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await server.serve() }
                let port = try #require(try await server.transport.listeningAddress.ipv4?.port)
                let fixture = try Fixture({ origin in
                    Configuration.contract(origin, rateLimit: ["requestsPerMinute": 1, "burst": 10]).merging([
                        "upstreams": [
                            "origin": ["endpoints": [.string("http://127.0.0.1:\(port)")], "protocol": "http2"]
                        ],
                        "routes": [Configuration.route("calls", "/test.Echo/**", ["jwt"])],
                    ])
                })
                try await withGRPCClient(
                    transport: try .http2NIOPosix(
                        target: .ipv4(address: "127.0.0.1", port: fixture.gateway.port), transportSecurity: .plaintext)
                ) { client in try await body(client, fixture) }
                server.beginGracefulShutdown()
                try await group.waitForAll()
            }
        }

        @Test("calls pass with the caller's name, and so do messages of any size and errors with their text")
        func calls() async throws {
            try await run { client, fixture in
                let metadata = try bearer(fixture, "caller")
                let name = try await call(client, "Who", [], metadata)
                #expect(String(decoding: name, as: UTF8.self) == "auth:alice")
                let large = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
                for message in [[], [1], large] {
                    #expect(try await call(client, "Both", message, metadata) == message)
                }
                let error = try await failure { try await call(client, "Fail", [], metadata) }
                #expect(error?.code == .notFound && error?.message == "no such thing: 100 %")
                let missing = try await failure { try await call(client, "Nothing", [], metadata) }
                #expect(missing?.code == .unimplemented)
            }
        }

        @Test("streams pass both ways as they come, with metadata at their end")
        func streams() async throws {
            try await run { client, fixture in
                let metadata = try bearer(fixture, "streamer")
                let (answers, answered) = AsyncStream<[UInt8]>.makeStream()
                let request = StreamingClientRequest<[UInt8]>(metadata: metadata) { writer in
                    var last: [UInt8] = []
                    try await writer.write(last)
                    // Each message waits for the answer to the one before.
                    for await answer in answers {
                        #expect(answer == last)
                        guard answer.count < 50 else { return }
                        last = answer + [7]
                        try await writer.write(last)
                    }
                }
                let end = try await client.bidirectionalStreaming(
                    request: request, descriptor: Self.method("Both"), serializer: Plain(), deserializer: Plain(),
                    options: .defaults
                ) { response in
                    defer { answered.finish() }
                    var end = ""
                    for try await part in try response.accepted.get().bodyParts {
                        switch part {
                        case .message(let message): answered.yield(message)
                        case .trailingMetadata(let last): end = last[stringValues: "x-end"].reduce("") { $0 + $1 }
                        }
                    }
                    return end
                }
                #expect(end == "of both")
                let sizes = try await client.serverStreaming(
                    request: ClientRequest(message: [UInt8](repeating: 0, count: 30), metadata: metadata),
                    descriptor: Self.method("Many"), serializer: Plain(), deserializer: Plain(), options: .defaults
                ) { response in
                    var (count, bytes) = (0, 0)
                    for try await message in response.messages {
                        #expect(message.first == UInt8(truncatingIfNeeded: count))
                        count += 1
                        bytes += message.count
                    }
                    return [count, bytes]
                }
                #expect(sizes == [3000, 3_000_000])
            }
        }

        @Test("a refused call is refused in gRPC's own terms")
        func refusals() async throws {
            try await run { client, fixture in
                let nobody = try await failure { try await call(client, "Who", [], [:]) }
                #expect(nobody?.code == .unauthenticated)
                let metadata = try bearer(fixture, "greedy")
                for _ in 0..<10 { _ = try await call(client, "Who", [], metadata) }
                let limited = try await failure { try await call(client, "Who", [], metadata) }
                #expect(limited?.code == .resourceExhausted, "\(String(describing: limited))")
                #expect(limited?.message.isEmpty == false)
            }
        }
    }
}
