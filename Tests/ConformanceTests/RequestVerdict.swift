import StrictJSON
import TestKit

/// What a gateway did with the bytes of one case, and whether the case allows it.
struct RequestVerdict {
    let test: RequestCase
    /// The final answers the client got, in order.
    var answers: [Message] = []
    /// Whether the gateway ended the connection.
    var isClosed = false
    /// Whether the gateway said it would close and did so unasked.
    var keptItsWord = true
    /// The requests that reached the origin whole.
    var forwarded: [Message] = []
    /// Requests of this case of which the origin saw the head only.
    var begun: [Message] = []

    /// Plays a case on a connection of its own. `bytewise` sends every byte for itself.
    init(playing test: RequestCase, on fixture: Fixture, bytewise: Bool) throws {
        self.test = test
        _ = fixture.origin.takeRequests()
        let client = try fixture.gateway.connect()
        if bytewise {
            for byte in test.raw where client.send([byte]) {}
        } else {
            client.send(test.raw)
        }
        if test.halfClose { client.finishSending() }
        let expected = test.expect == "forward" ? max(1, test.originRequests) + (test.then == nil ? 0 : 1) : 1
        while answers.count < expected, let answer = client.answer(within: .seconds(5)) { answers.append(answer) }
        if answers.last?.value("connection")?.lowercased() == "close" {
            keptItsWord = client.peerCloses(within: .seconds(5))
        }
        client.finishSending()
        while let answer = client.answer(within: .seconds(5)) { answers.append(answer) }
        isClosed = client.isEnded
        for request in fixture.origin.takeRequests() {
            if request.ending == .complete {
                forwarded.append(request)
            } else if request.target.contains(test.id) {
                begun.append(request)
            }
        }
    }

    /// `forward`, `close`, `silence` or the status of the first answer.
    var outcome: String {
        guard let first = answers.first else { return isClosed ? "close" : "silence" }
        return first.value("x-origin") != nil ? "forward" : "\(first.status)"
    }

    /// What is wrong; empty when the case is satisfied.
    var complaints: [String] {
        var result: [String] = []
        if outcome != test.expect, !test.alsoOK.contains(outcome) {
            result.append("expected \(test.expect)\(test.alsoOK.isEmpty ? "" : " or \(test.alsoOK)"), got \(outcome)")
        }
        if !keptItsWord { result.append("answered `Connection: close` and left the connection open") }
        if outcome == "forward" {
            let allowed = max(1, test.originRequests)
            if test.expect == "forward" ? forwarded.count != allowed : forwarded.count > allowed {
                result.append("the origin saw \(forwarded.count) requests instead of \(allowed)")
            }
            result += test.checks.compactMap(failure)
        } else {
            if !forwarded.isEmpty { result.append("the origin saw \(forwarded.map(\.startLine))") }
            if test.phase == "head", !begun.isEmpty { result.append("the origin saw the head \(begun[0].startLine)") }
            if answers.count > 1 { result.append("\(answers.count) answers: \(answers.map(\.startLine))") }
        }
        if let then = test.then, answers.count < 2 || "\(answers[answers.count - 1].status)" != then {
            result.append("the last answer should be \(then): \(answers.map(\.startLine))")
        }
        return result
    }

    private func failure(_ check: JSON.Member) -> String? {
        guard let request = forwarded.first else { return "nothing reached the origin" }
        let texts = (check.value.array ?? []).compactMap(\.string)
            .map { $0 == "x-auth-subject" ? "x-tollgate-subject" : $0 }
        switch check.name {
        case "body":
            let wanted = latin1(check.value.string ?? "")
            return request.body == wanted ? nil : "the origin got the body \(request.text)"
        case "no_ext":
            return request.rawBody.contains(UInt8(ascii: ";")) ? "a chunk extension was forwarded" : nil
        case "absent":
            let found = texts.filter { !request.values($0).isEmpty }
            return found.isEmpty ? nil : "forwarded \(found)"
        case "trailer_absent":
            let found = request.trailers.map(\.name).filter(texts.contains)
            let merged = request.values("x-tollgate-subject").isEmpty && request.values("host") == ["a"]
            return found.isEmpty && merged ? nil : "forwarded trailers \(found), or merged them into the head"
        case "conn_lacks":
            let named = request.values("connection").joined(separator: ",").lowercased()
            let found = texts.filter { named.contains($0) }
            return found.isEmpty ? nil : "Connection names \(found)"
        case "host":
            return request.values("host") == [check.value.string ?? ""] ? nil : "Host is \(request.values("host"))"
        case "method":
            return request.method == check.value.string ? nil : "the method became \(request.method)"
        case "single_cl":
            return request.values("content-length") == ["5"] ? nil : "\(request.values("content-length"))"
        case "no_cl_with_te":
            let both = !request.values("content-length").isEmpty && !request.values("transfer-encoding").isEmpty
            return both ? "Content-Length beside Transfer-Encoding" : nil
        case "not_smuggled":
            return forwarded.contains { $0.target.contains("smuggled") } ? "the smuggled request arrived" : nil
        default:
            return "no rule for the check \(check.name)"
        }
    }
}
