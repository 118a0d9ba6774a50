import ArgumentParser
import DemoUpstream
import NIOPosix

struct DemoUpstreamCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo-upstream",
        abstract: "Run a small HTTP server that answers with what it received.",
        discussion: """
            Something to put behind the gateway while trying it. Every answer is JSON: the method, the target, the \
            headers in order, the length and SHA-256 of the body. Three paths do more, also behind a prefix:

              /status/404   answers with that status
              /delay/250    answers after 250 ms (at most a minute)
              /bytes/1000   answers with that many bytes

            It runs until interrupted.
            """)

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port to listen on; 0 takes a free one.")
    var port = 9000

    func validate() throws {
        guard (0...65535).contains(port) else { throw ValidationError("--port is 0 to 65535.") }
    }

    func run() async throws {
        let server = try await DemoUpstream.start(
            host: host, port: port, group: MultiThreadedEventLoopGroup.singleton)
        print("demo upstream on http://\(host):\(server.port)")
        try await server.closed()
    }
}
