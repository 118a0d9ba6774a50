import StrictJSON
import TestKit
import Testing

extension Conformance {
    @Suite("Responses of the oracle", .serialized, .responses)
    struct ResponseOracleTests {
        static let cases = (try? ResponseCase.load()) ?? []

        @Test("the file is there with its cases")
        func count() {
            #expect(Self.cases.count >= 41)
        }

        @Test("case by case", arguments: cases)
        func play(_ test: ResponseCase) throws {
            let fixture = try #require(Fixture.current)
            let verdict = try ResponseVerdict(playing: test, on: fixture)
            #expect(verdict.complaints == [], "\(test.id): \(test.why)")
            let probe = try fixture.gateway.get("/probe")
            #expect(probe?.text == "probe", "the next exchange after \(test.id) got \(probe?.startLine ?? "nothing")")
        }
    }
}

/// What a client got of one origin answer, and whether the case allows it.
struct ResponseVerdict {
    let test: ResponseCase
    var answer: Message?
    /// Bytes after the answer that belong to none.
    var rest: [UInt8] = []
    /// For a case that leaves the connection in doubt: the body of the next answer on it.
    var next: String?

    init(playing test: ResponseCase, on fixture: Fixture) throws {
        self.test = test
        let client = try fixture.gateway.connect()
        let closedBefore = fixture.origin.closedConnections
        client.send("\(test.method) /case/\(test.id) HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = client.answer(toHEAD: test.method == "HEAD", within: .seconds(20))
        if test.checks.contains(where: { $0.name == "nobody" }) {
            client.finishSending()
            _ = client.peerCloses(within: .seconds(5))
        }
        rest = client.rest
        isClosed = client.isEnded
        guard test.checks.contains(where: { $0.name == "exact" }) else { return }
        // The gateway must notice the unsolicited answer; only then is the next request a fair question.
        _ = eventually(within: .seconds(5)) { fixture.origin.closedConnections > closedBefore }
        client.send("GET /probe HTTP/1.1\r\nHost: a\r\n\r\n")
        next = client.answer()?.text
    }

    /// Whether the gateway ended the connection.
    var isClosed = false

    /// `forward`, `abort`, `close` (without a byte), `silence` or the status of an answer of the gateway's own.
    var outcome: String {
        guard let answer else { return isClosed ? "close" : "silence" }
        if [502, 503, 504].contains(answer.status) { return "\(answer.status)" }
        return answer.ending == .complete ? "forward" : answer.ending == .cut ? "abort" : "silence"
    }

    var complaints: [String] {
        var result: [String] = []
        if outcome != test.expect, !test.alsoOK.contains(outcome) {
            result.append("expected \(test.expect)\(test.alsoOK.isEmpty ? "" : " or \(test.alsoOK)"), got \(outcome)")
        }
        if outcome == "forward", let answer { result += test.checks.compactMap { failure($0, answer) } }
        if ["502", "504"].contains(outcome), let answer {
            if answer.value("content-type") != "application/problem+json" { result.append("no problem document") }
            if answer.ending != .complete { result.append("the problem document is cut") }
        }
        return result
    }

    private func failure(_ check: JSON.Member, _ answer: Message) -> String? {
        switch check.name {
        case "body": return answer.text == check.value.string ? nil : "the body is \(answer.text)"
        case "absent":
            let found = (check.value.array ?? []).compactMap(\.string).filter { !answer.values($0).isEmpty }
            return found.isEmpty ? nil : "forwarded \(found)"
        case "single_cl": return answer.values("content-length") == ["5"] ? nil : "\(answer.values("content-length"))"
        case "no_cl_with_te":
            let both = !answer.values("content-length").isEmpty && !answer.values("transfer-encoding").isEmpty
            return both ? "Content-Length beside Transfer-Encoding" : nil
        case "no_nul": return answer.rawHead.contains(0) ? "NUL was forwarded" : nil
        case "exact": return next == "probe" ? nil : "the next exchange got \(next ?? "nothing")"
        case "no_raw":
            let head = fromLatin1(answer.rawHead).lowercased()
            return head.contains(check.value.string ?? "") ? "the head holds \(check.value.string ?? "")" : nil
        case "nobody": return rest.isEmpty ? nil : "bytes after an answer to HEAD"
        case "cookies":
            let wanted = (check.value.array ?? []).compactMap(\.string)
            return answer.values("set-cookie") == wanted ? nil : "\(answer.values("set-cookie"))"
        default: return "no rule for the check \(check.name)"
        }
    }
}

extension Trait where Self == Fixtures {
    /// The gateway of the oracle with an origin that plays the response cases.
    static var responses: Self {
        Fixtures { try Fixture(Configuration.oracle, script: playCases) }
    }
}

private let playCases: RawOrigin.Script = { request in
    .afterBody { request in
        guard let test = ResponseOracleTests.cases.first(where: { request.target == "/case/\($0.id)" }) else {
            return [.text("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nprobe")]
        }
        let steps = test.parts.map { part -> RawOrigin.Step in
            switch part {
            case .bytes(let bytes): .send(bytes)
            case .pause(let seconds): .pause(.seconds(seconds))
            }
        }
        switch test.then {
        case "close": return steps + [.close]
        case "hang": return steps + [.hang]
        default: return steps
        }
    }
}
private typealias ResponseOracleTests = Conformance.ResponseOracleTests
