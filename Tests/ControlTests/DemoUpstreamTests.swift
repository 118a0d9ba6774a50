import DemoUpstream
import NIOPosix
import StrictJSON
import Testing

@Suite struct DemoUpstreamTests {
    private func ask(_ text: String) async throws -> String {
        let server = try await DemoUpstream.start(port: 0, group: MultiThreadedEventLoopGroup.singleton)
        let answer = try await exchange(port: server.port, text)
        try await server.close()
        return answer
    }

    private func body(of answer: String) throws -> JSON {
        let end = try #require(answer.firstRange(of: "\r\n\r\n"))
        return try JSON.parse(Array(answer[end.upperBound...].utf8), limits: .configuration)
    }

    @Test func answersWithWhatItReceived() async throws {
        let answer = try await ask(
            "POST /a?b=1 HTTP/1.1\r\nHost: x\r\nX-Twice: 1\r\nX-Twice: 2\r\nContent-Length: 3\r\n"
                + "Connection: close\r\n\r\nabc")
        let echo = try body(of: answer)
        #expect(echo.member("method")?.string == "POST")
        #expect(echo.member("target")?.string == "/a?b=1")
        #expect(echo.member("bodyBytes")?.number?.integer == 3)
        #expect(
            echo.member("bodySHA256")?.string == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(echo.member("bodyStart")?.string == "abc")
        let headers = try #require(echo.member("headers")?.array).map { pair in pair.array?.map { $0.string } }
        #expect(
            headers == [
                ["Host", "x"], ["X-Twice", "1"], ["X-Twice", "2"], ["Content-Length", "3"], ["Connection", "close"],
            ])
    }

    @Test func keepsTheConnectionAndAnswersInOrder() async throws {
        let answer = try await ask(
            "GET /delay/1 HTTP/1.1\r\nHost: x\r\n\r\nGET /x/status/404 HTTP/1.1\r\nHost: x\r\n"
                + "Connection: close\r\n\r\n")
        #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.contains("}\nHTTP/1.1 404 Not Found\r\n"))
    }

    @Test func bytesAreStreamedInFull() async throws {
        let answer = try await ask("GET /bytes/300000 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        #expect(answer.contains("content-length: 300000\r\n"))
        #expect(answer.utf8.suffix(while: { $0 == UInt8(ascii: ".") }) == 300000)
    }

    @Test(arguments: ["GET /status/204", "HEAD /status/404", "HEAD /bytes/5"])
    func someAnswersHaveNoBody(_ line: String) async throws {
        let answer = try await ask("\(line) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        #expect(answer.hasSuffix("\r\n\r\n"))
    }

    @Test func expectationIsMet() async throws {
        let answer = try await ask(
            "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\nConnection: close\r\n\r\nz")
        #expect(answer.hasPrefix("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"))
    }
}

extension Sequence where Element == UInt8 {
    fileprivate func suffix(while matches: (UInt8) -> Bool) -> Int {
        reduce(0) { count, byte in matches(byte) ? count + 1 : 0 }
    }
}
