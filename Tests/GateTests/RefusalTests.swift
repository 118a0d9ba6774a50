import Authentication
import Gate
import Identity
import RateLimit
import Routing
import Testing
import Wire

@Suite struct RefusalTests {
    private let verdict = LimitVerdict(isAllowed: false, remaining: 0, secondsUntilMore: 7, limit: 360, burst: 360)

    @Test func statusesAreThoseOfTheConventions() {
        let expected: [(Refusal, Int, Outcome)] = [
            (.malformed(.bareLF), 400, .malformed), (.malformed(.targetTooLong), 414, .malformed),
            (.malformed(.headTooLarge), 431, .malformed), (.malformed(.unsupportedVersion), 505, .malformed),
            (.malformed(.unsupportedExpectation), 417, .malformed),
            (.malformed(.unknownTransferCoding), 501, .malformed),
            (.malformedBody(.bodyTooLarge), 413, .malformed), (.malformedBody(.badChunkSize), 400, .malformed),
            (.unrouted, 404, .unrouted), (.methodNotAllowed(allow: []), 405, .unrouted),
            (.unauthenticated(.missing), 401, .unauthenticated),
            (.unauthenticated(.invalid(.expired)), 401, .unauthenticated),
            (.unauthenticated(.malformed("x")), 400, .unauthenticated),
            (.unauthenticated(.contradictory), 400, .unauthenticated),
            (.unauthenticated(.keysUnavailable(issuer: "i")), 503, .unauthenticated),
            (.guessing(verdict), 429, .limited), (.limited(verdict), 429, .limited),
            (.solutionRequired, 403, .forbidden), (.forbidden, 403, .forbidden),
            (.headTimeout, 408, .malformed), (.bodyTimeout, 408, .malformed), (.bodyTooSlow, 408, .malformed),
            (.upstream(.refused), 502, .upstreamError), (.upstream(.closedEarly), 502, .upstreamError),
            (.upstream(.malformedAnswer("x")), 502, .upstreamError),
            (.upstream(.responseTimeout), 504, .upstreamError), (.upstream(.connectTimeout), 504, .upstreamError),
            (.upstream(.noHealthyEndpoint(retryAfter: 3)), 503, .upstreamError),
            (.auditUnavailable, 503, .upstreamError), (.overloaded, 503, .upstreamError),
            (.crowded, 503, .upstreamError),
        ]
        for (refusal, status, outcome) in expected {
            let answer = refusal.answer
            #expect(answer.status == status, "\(refusal)")
            #expect(answer.outcome == outcome, "\(refusal)")
        }
    }

    @Test func challengesAreThoseOfRFC6750() {
        #expect(Refusal.unauthenticated(.missing).answer.challenge == .bare)
        #expect(Refusal.unauthenticated(.invalid(.expired)).answer.challenge == .invalidToken(""))
        #expect(Refusal.unauthenticated(.contradictory).answer.challenge == .invalidRequest)
        #expect(Refusal.malformed(.duplicateAuthorization).answer.challenge == .invalidRequest)
        #expect(Refusal.forbidden.answer.challenge == .insufficientScope)
        #expect(Refusal.unrouted.answer.challenge == .none)
    }

    @Test func whoIsLimitedIsToldHowLong() {
        #expect(Refusal.limited(verdict).answer.retryAfter == 7)
        #expect(Refusal.upstream(.noHealthyEndpoint(retryAfter: 3)).answer.retryAfter == 3)
        #expect(Refusal.forbidden.answer.retryAfter == nil)
    }

    @Test func afterAnythingAmbiguousTheConnectionEnds() {
        for reason in MalformedRequest.allCases { #expect(Refusal.malformed(reason).answer.mustClose) }
        for reason in MalformedBody.allCases { #expect(Refusal.malformedBody(reason).answer.mustClose) }
        for defect in PathDefect.allCases { #expect(Refusal.path(defect).answer.status == 400) }
        #expect(!Refusal.forbidden.answer.mustClose)
        #expect(!Refusal.limited(verdict).answer.mustClose)
    }

    @Test func everyTextCanStandUnescapedInAProblemDocument() {
        var refusals: [Refusal] = [
            .unrouted, .methodNotAllowed(allow: []), .guessing(verdict), .limited(verdict), .solutionRequired,
            .forbidden, .headTimeout, .bodyTimeout, .bodyTooSlow, .auditUnavailable, .overloaded, .crowded,
            .unauthenticated(.missing),
            .unauthenticated(.contradictory), .unauthenticated(.keysUnavailable(issuer: "i")),
            .unauthenticated(.overloaded),
        ]
        refusals += MalformedRequest.allCases.map { .malformed($0) }
        refusals += MalformedBody.allCases.map { .malformedBody($0) }
        refusals += MalformedResponse.allCases.map { .upstream(.malformedAnswer($0.detail)) }
        refusals += PathDefect.allCases.map { .path($0) }
        refusals += InvalidToken.allCases.map { .unauthenticated(.invalid($0)) }
        for refusal in refusals {
            let answer = refusal.answer
            for text in ["\(answer.detail)", "\(answer.reason)", "\(answer.title)", "\(answer.type)"] {
                #expect(!text.isEmpty)
                let isPlain = text.utf8.allSatisfy {
                    $0 >= 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
                }
                #expect(isPlain, "\(text)")
            }
            #expect("\(answer.title)" != "Refused", "status \(answer.status) has no title")
        }
    }
}
