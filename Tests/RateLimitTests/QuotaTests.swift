import RateLimit
import Testing

@Suite struct QuotaTests {
    @Test func `bounds are kept`() throws {
        let largest = try Quota(
            requestsPerMinute: Quota.maximumRequestsPerMinute, burst: Quota.maximumBurst)
        #expect(largest.requestsPerMinute == 6_000_000)
        #expect(try Quota(requestsPerMinute: 1, burst: 1).burst == 1)
        for rate in [Int.min, -1, 0, Quota.maximumRequestsPerMinute + 1, .max] {
            #expect(throws: QuotaError.requestsPerMinuteOutOfRange(rate)) {
                try Quota(requestsPerMinute: rate, burst: 1)
            }
        }
        for burst in [Int.min, -1, 0, Quota.maximumBurst + 1, .max] {
            #expect(throws: QuotaError.burstOutOfRange(burst)) { try Quota(requestsPerMinute: 1, burst: burst) }
        }
    }

    @Test func `errors name the value and the bounds`() {
        #expect("\(QuotaError.burstOutOfRange(0))" == "burst is 0; it must be between 1 and 10000000")
        #expect(
            "\(QuotaError.requestsPerMinuteOutOfRange(-3))"
                == "requestsPerMinute is -3; it must be between 1 and 6000000")
    }

    @Test func `the standard is the published one`() throws {
        #expect(Quota.standard == (try Quota(requestsPerMinute: 360, burst: 360)))
    }
}
