import NIOCore
import StrictJSON
import TestKit
import Testing
import Wire

/// The cases of `Tests/Oracles` as far as the codec decides them, each fed whole, byte by byte and cut at random.
@Suite struct OracleTests {
    /// Cases whose verdict falls in a later room, with that room; here they must only be read the same way every time.
    private static let decidedLater: Set<String> = [
        "m-connect", "m-trace",  // Gate: method not allowed
        "c-deny-expect", "c-deny-body",  // Policy: /admin is forbidden
        "p-encback", "p-pctdot", "p-dbl", "p-semi", "p-dot", "p-encslash", "p-case", "p-abs", "t-pct-nul",  // Routing
    ]

    @Test(arguments: try RequestCase.load())
    func request(_ item: RequestCase) {
        var seen: [RequestTrace] = []
        for feeding in feedings(of: item.raw, randomCuts: 3, seed: 7) {
            let result = trace(feeding.pieces, maximumBody: 1 << 20)
            seen.append(result)
            #expect(result == seen[0], "\(feeding)")
        }
        guard let result = seen.first, !Self.decidedLater.contains(item.id) else { return }
        let accepted = Set([item.expect] + item.alsoOK)
        let verdict = verdict(result, halfClose: item.halfClose)
        #expect(accepted.contains(verdict), "\(verdict) of \(result)")
        if verdict == "forward" {
            let count = item.expect == "forward" ? item.originRequests : result.bodies.count
            #expect(result.bodies.count == count)
            if let body = item.checks.first(where: { $0.name == "body" })?.value.string {
                #expect(result.bodies.first.map { text($0) } == body)
            }
        } else {
            #expect(result.bodies.isEmpty)
        }
        if item.then == "400" { #expect(isSyntax(result.end)) }
    }

    /// Bytes behind a complete request are the next request's, and change nothing about this one.
    @Test(arguments: try RequestCase.load())
    func requestWithTrailingBytes(_ item: RequestCase) {
        let alone = trace([ByteBuffer(bytes: item.raw)])
        let followed = trace([ByteBuffer(bytes: item.raw), buffer("GET /next HTTP/1.1\r\nHost: n\r\n\r\n")])
        #expect(followed.heads.starts(with: alone.heads))
        switch alone.end {
        case .idle: #expect(followed.heads.count == alone.heads.count + 1 && followed.end == .idle)
        case .badHead, .badBody: #expect(followed == alone)
        case .unfinished: break
        }
    }

    private func isSyntax(_ end: RequestTrace.End) -> Bool {
        if case .badHead(let reason) = end { return reason.category == .syntax }
        return false
    }

    /// `forward`, `close`, or the status that a refusal of the kind gets.
    private func verdict(_ result: RequestTrace, halfClose: Bool) -> String {
        if !result.bodies.isEmpty { return "forward" }
        switch result.end {
        case .idle: return "forward"
        case .unfinished: return halfClose ? "400" : "408"
        case .badBody(let reason):
            switch reason.category {
            case .syntax: return "400"
            case .contentTooLarge: return "413"
            case .trailersTooLarge: return "431"
            }
        case .badHead(let reason):
            switch reason.category {
            case .syntax, .contradictoryCredentials: return "400"
            case .methodUnsupported, .codingUnsupported: return "501"
            case .targetTooLong: return "414"
            case .headTooLarge: return "431"
            case .versionUnsupported: return "505"
            case .expectationUnsupported: return "417"
            }
        }
    }

    @Test(arguments: try ResponseCase.load())
    func response(_ item: ResponseCase) {
        // What comes 0.3 s later is not part of the answer; `r-early` is about the pool.
        let bytes = item.parts.reduce(into: [[UInt8]]()) { pieces, part in
            switch part {
            case .bytes(let bytes): pieces.append(bytes)
            case .pause: break
            }
        }
        let raw = Array((item.id == "r-early" ? bytes.prefix(1) : bytes[...]).joined())
        let closes = item.then == "close"
        var seen: [ResponseTrace] = []
        for feeding in feedings(of: raw, randomCuts: 3, seed: 11) {
            let result = traceResponse(feeding.pieces, toHEAD: item.method == "HEAD", closes: closes)
            seen.append(result)
            #expect(result == seen[0], "\(feeding)")
        }
        guard let result = seen.first else { return }
        let accepted = Set([item.expect] + item.alsoOK)
        let verdict =
            switch result.end {
            // A tunnel nobody asked for.
            case .complete where result.statuses.last == 101: "502"
            case .complete: "forward"
            case .noHead: item.then == "hang" ? "504" : "502"
            case .badHead: "502"
            case .badBody: "abort"
            case .unfinished: "504"
            }
        #expect(accepted.contains(verdict), "\(verdict) of \(result)")
        if verdict == "forward", let body = item.checks.first(where: { $0.name == "body" })?.value.string {
            #expect(text(result.body) == body)
        }
        if item.checks.contains(where: { $0.name == "nobody" }) { #expect(result.body.isEmpty) }
    }
}
