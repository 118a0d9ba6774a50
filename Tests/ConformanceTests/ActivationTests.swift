import Glibc
import TestKit
import Testing

extension Conformance {
    @Suite("Started with a socket of the service manager", .serialized)
    struct ActivationTests {
        @Test("who has connected before the start is served, and the socket is handed on")
        func activation() throws {
            let (socket, port) = try Socket.listen()
            let early = try RawClient(port: port)
            early.send("GET /public/early HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            let origin = try RawOrigin()
            let mint = try TokenMint("RS256")
            let gateway = try GatewayProcess(
                Configuration.contract(origin), files: Configuration.files(mint), activation: (socket, port))
            #expect(early.answer()?.status == 200)
            #expect(try gateway.get("/public/x")?.status == 200)
            gateway.terminate()
            #expect(gateway.exitStatus() == 0, "\(gateway.standardError)")
            // The manager still has it: nobody is refused, and who comes waits for the next start.
            let late = try RawClient(port: port)
            late.send("GET /public/late HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            #expect(origin.requests.map(\.target) == ["/public/early", "/public/x"])
            socket.close()
            #expect(late.answer() == nil)
        }
    }
}
