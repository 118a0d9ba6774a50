import ArgumentParser
import Authentication
import Control
import Gate
import Glibc
import NIOCore
import Proxy

struct ExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Tell step by step what the gateway would decide about a request, and why.",
        discussion: """
            Runs the real decision against the configuration: nothing is forwarded, no quota is spent, nothing is \
            recorded. Keys that the configuration fetches are fetched once. Credentials given here can be seen in the \
            process list and the shell's history.

              tollgate explain GET /api/2/things/acme:lamp-1 -H "Authorization: Bearer $(cat demo/bob.jwt)"

            Exit code 0 whatever the decision; 78 when the configuration is bad.
            """)

    @Argument(help: "The method, in capital letters.")
    var method: String

    @Argument(help: "The request target: path and query, as a client would send it.")
    var target: String

    @Option(name: [.customShort("H"), .customLong("header")], help: "A header field, \"Name: value\"; repeatable.")
    var headers: [String] = []

    @Option(help: "The address the request comes from.")
    var peer = "127.0.0.1"

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var configuration: ConfigurationOption

    func run() async throws {
        guard let peer = PeerAddress(text: Array(peer.utf8)) else {
            throw ValidationError("--peer takes an IP address.")
        }
        let request = try head()
        let plan = try configuration.load()
        var sources: [(issuer: String, request: KeyRequest, source: KeySource)] = []
        let publication: Publication
        do throws(Plan.Failure) {
            publication = try plan.publication { request in
                let source = KeySource(initial: nil)
                sources.append((request.issuer, request, source))
                return source
            }
        } catch {
            throw ConfigurationOption.refuse(error, file: configuration.file)
        }
        if !sources.isEmpty { await fetchKeys(sources) }
        let explanation = Explainer(publication: publication, peer: peer, now: SystemClock.now()).explain(request)
        write(json ? explanation.json() : Array(explanation.text().utf8), to: STDOUT_FILENO)
    }

    private func fetchKeys(_ sources: [(issuer: String, request: KeyRequest, source: KeySource)]) async {
        let client = KeyClient()
        let fetch = KeyFetch { url throws(KeyFetchError) in try await client.get(url) }
        for (issuer, request, source) in sources {
            do throws(KeyFetchError) {
                _ = try await request.fetch(with: fetch, into: source)
            } catch {
                Console.error("The keys of issuer \(issuer) could not be fetched: \(error)")
            }
        }
        await client.shutdown()
    }

    /// The head as a client would send it.
    private func head() throws -> ByteBuffer {
        var text = "\(method) \(target) HTTP/1.1\r\n"
        var hasHost = false
        for header in headers {
            guard let colon = header.utf8.firstIndex(of: UInt8(ascii: ":")) else {
                throw ValidationError("-H takes \"Name: value\"; \"\(header)\" has no colon.")
            }
            if header[..<colon].lowercased() == "host" { hasHost = true }
            text += "\(header)\r\n"
        }
        if !hasHost { text += "Host: localhost\r\n" }
        return ByteBuffer(string: text + "\r\n")
    }
}
