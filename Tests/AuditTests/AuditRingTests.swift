import Identity
import StrictJSON
import Synchronization
import TestKit
import Testing

@testable import Audit

@Suite struct AuditRingTests {
    @Test func membersComeInTheirOrder() throws {
        let ring = try AuditRing()
        ring.appendSample(0xAB, status: 403, outcome: .forbidden, reason: "no \"entry\"", entry: AuditText("owner"))
        let record = try #require(ring.takeAll().first)
        #expect(
            String(decoding: record, as: UTF8.self) == """
                {"time":"2026-11-21T00:43:12.123Z","decision":"000000000000000700000000000000ab","route":"things",\
                "method":"GET","path":"/api/2/things/x","status":403,"outcome":"forbidden","reason":"no \\"entry\\"",\
                "subject":"bosch:kai@lamps","solution":"acme-lamps","tenant":"t1","client":"lamp-app",\
                "issuer":"https://issuer.example/","credential":"jwt","policyEntry":"owner",\
                "peer":"192.0.2.7:51234","upstream":"127.0.0.1:9000","bytesIn":120,"bytesOut":4096,\
                "durationMicros":830}
                """)
    }

    @Test func absentValues() throws {
        let ring = try AuditRing()
        let nothing: [UInt8] = []
        ring.append(
            unixNanoseconds: 0, decision: DecisionID(high: 0, low: 0), route: .none, method: nothing.span,
            path: nothing.span, status: 400, outcome: .malformed, reason: "", identity: .none, policyEntry: .none,
            peer: AuditText("[::1]:1"), upstream: .none, bytesIn: .max, bytesOut: .min, durationMicros: -1)
        let record = try #require(ring.takeAll().first)
        #expect(
            String(decoding: record, as: UTF8.self) == """
                {"time":"1970-01-01T00:00:00.000Z","decision":"00000000000000000000000000000000","route":null,\
                "method":null,"path":null,"status":400,"outcome":"malformed","reason":null,\
                "subject":null,"solution":null,"tenant":null,"client":null,"issuer":null,"credential":"none",\
                "peer":"[::1]:1","bytesIn":9223372036854775807,"bytesOut":-9223372036854775808,"durationMicros":-1}
                """)
    }

    @Test(arguments: [(AuditPhase.open, "open"), (.close, "close")])
    func aStreamsRecordsSayWhichTheyAre(_ phase: AuditPhase, _ name: String) throws {
        let ring = try AuditRing()
        let nothing: [UInt8] = []
        ring.append(
            unixNanoseconds: 0, decision: DecisionID(high: 0, low: 0), route: .none, method: nothing.span,
            path: nothing.span, status: 101, outcome: .admitted, reason: "", phase: phase, identity: .none,
            policyEntry: .none, peer: AuditText("[::1]:1"), upstream: .none, bytesIn: 0, bytesOut: 0, durationMicros: 0)
        let record = String(decoding: try #require(ring.takeAll().first), as: UTF8.self)
        #expect(record.contains(#""reason":null,"phase":"\#(name)","subject":"#))
    }

    @Test func theChoiceOfAnUpstreamStandsBesideIt() throws {
        let ring = try AuditRing()
        let nothing: [UInt8] = []
        for upstream in [AuditText("10.0.0.1:80"), .none] {
            ring.append(
                unixNanoseconds: 0, decision: DecisionID(high: 0, low: 0), route: .none, method: nothing.span,
                path: nothing.span, status: 200, outcome: .admitted, reason: "", identity: .none, policyEntry: .none,
                peer: AuditText("::1"), upstream: UpstreamFragment(endpoint: upstream, pool: AuditText("next")),
                choice: UpstreamChoice(isCanary: true, attempts: 2, mirror: AuditText("shadow")),
                bytesIn: 1, bytesOut: 2, durationMicros: 3)
        }
        let records = ring.takeAll().map { String(decoding: $0, as: UTF8.self) }
        let choice = #""upstream":"10.0.0.1:80","pool":"next","canary":true,"attempts":2,"mirror":"shadow","bytesIn":1"#
        #expect(records.first?.contains(choice) == true)
        #expect(records.last?.contains(#""peer":"::1","pool":"next","canary":true"#) == true, "chosen, not reached")
    }

    @Test func theClientBehindAProxyStandsBesideThePeer() throws {
        let ring = try AuditRing()
        let (nothing, client): ([UInt8], [UInt8]) = ([], Array("2001:db8::7".utf8))
        for address in [client, nothing] {
            ring.append(
                unixNanoseconds: 0, decision: DecisionID(high: 0, low: 0), route: .none, method: nothing.span,
                path: nothing.span, status: 200, outcome: .admitted, reason: "", identity: .none, policyEntry: .none,
                peer: AuditText("::1"), forwardedFor: address.span, upstream: .none, bytesIn: 1, bytesOut: 2,
                durationMicros: 3)
        }
        let records = ring.takeAll().map { String(decoding: $0, as: UTF8.self) }
        #expect(records.first?.contains(#""peer":"::1","forwardedFor":"2001:db8::7","bytesIn":1"#) == true)
        #expect(records.last?.contains(#""peer":"::1","bytesIn":1"#) == true)
    }

    @Test(arguments: ["/a?token=secret", "/a#token=secret", "/a?", "/a?b#c"])
    func queriesStayOut(path: String) throws {
        let ring = try AuditRing()
        ring.appendSample(path: Array(path.utf8))
        let record = try #require(ring.takeAll().first)
        #expect(try parse(record).member("path")?.string == "/a")
    }

    @Test func longPathsAreCut() throws {
        let ring = try AuditRing()
        for (unit, whole) in [("x", 2_048), ("\u{1}", 341)] {
            ring.appendSample(path: Array(String(repeating: unit, count: 30_000).utf8))
            let record = try #require(ring.takeAll().first)
            #expect(try parse(record).member("path")?.string == String(repeating: unit, count: whole) + "…")
        }
    }

    @Test func theLargestRecordFits() throws {
        let ring = try AuditRing()
        let evil = String(repeating: "\u{1}", count: 10_000)
        let identity = IdentityFragment.render(
            Principal(
                subjects: [evil], solution: evil, tenant: evil, client: evil, issuer: evil, credential: .apiToken))
        let text = AuditText(evil)
        let isAccepted = ring.append(
            unixNanoseconds: 0, decision: DecisionID(high: .max, low: .max), route: text,
            method: Array(evil.utf8).span, path: Array(evil.utf8).span, status: .max, outcome: .unauthenticated,
            reason: "reason", identity: identity, policyEntry: text, peer: text,
            upstream: UpstreamFragment(endpoint: text, pool: .none),
            bytesIn: .min, bytesOut: .min, durationMicros: .min)
        #expect(isAccepted)
        let record = try #require(ring.takeAll().first)
        #expect(record.count <= AuditRing.maximumRecordBytes)
        #expect(try parse(record).object?.count == 20)
        #expect(ring.dropped == 0)
    }

    @Test func theSecondIsCachedButNeverStale() throws {
        let ring = try AuditRing()
        let times: [Int64] = [0, 999_999_999, 1_000_000_000, 0, -1, 86_399_999_999_999, 86_400_000_000_000, .max, .min]
        for time in times { ring.appendSample(time: time) }
        let rendered = try ring.takeAll().map { try parse($0).member("time")?.string }
        #expect(rendered == times.map { String(decoding: AuditTime.render($0), as: UTF8.self) })
    }

    @Test func aFullRingCountsAndKeepsWhatItHas() throws {
        let ring = try AuditRing(capacity: 1)
        #expect(ring.capacity == 65_536)
        var accepted: UInt64 = 0
        while ring.appendSample(accepted) { accepted += 1 }
        for _ in 0..<9 { #expect(!ring.appendSample(0)) }
        #expect(ring.dropped == 10)
        let records = ring.takeAll()
        #expect(records.count == Int(accepted) && accepted > 80)
        for (index, record) in records.enumerated() {
            let text = DecisionID(high: 7, low: UInt64(index)).text
            #expect(try parse(record).member("decision")?.string == text)
        }
        #expect(ring.appendSample(1))
        #expect(ring.takeAll().count == 1)
    }

    @Test func roomIsPromisedOnlyWhenItIsThere() throws {
        let ring = try AuditRing(capacity: 1 << 18)
        let path = [UInt8](repeating: UInt8(ascii: "x"), count: 3_000)
        #expect(ring.hasRoom(records: 50) && !ring.hasRoom(records: 64) && !ring.hasRoom(records: .max))
        #expect(ring.hasRoom(records: 0) && ring.hasRoom(records: -5))
        for start in 0..<40 {
            // At every position of the ring: as many records as were promised are taken.
            var promised = 0
            while ring.hasRoom(records: promised + 1) { promised += 1 }
            #expect(promised >= 40)
            for _ in 0..<promised { #expect(ring.appendSample(path: path), "round \(start)") }
            _ = ring.takeAll()
            for _ in 0..<start { ring.appendSample() }
            _ = ring.takeAll()
        }
        #expect(ring.dropped == 0)
    }

    @Test func failClosedStopsAdmissionBeforeRecordsAreLost() throws {
        let open = try AuditRing(capacity: 1 << 16)
        while open.appendSample() {}
        #expect(open.mayAdmit(inFlight: 1_000_000))
        let closed = try AuditRing(capacity: 1 << 16, bell: nil, stopsAdmission: true)
        #expect(closed.mayAdmit(inFlight: 0) && !closed.mayAdmit(inFlight: 1_000) && !closed.mayAdmit(inFlight: .max))
        while closed.mayAdmit(inFlight: 0) { #expect(closed.appendSample()) }
        #expect(closed.appendSample() && closed.dropped == 0)
        _ = closed.takeAll()
        #expect(closed.mayAdmit(inFlight: 0))
    }

    @Test func refusingIsSeenFromOutside() throws {
        let open = try AuditRing(capacity: 1 << 16)
        while open.appendSample() {}
        #expect(!open.isRefusing)
        let closed = try AuditRing(capacity: 1 << 16, bell: nil, stopsAdmission: true)
        for others in [0, 5] {
            closed.note(inFlight: others)
            while closed.mayAdmit(inFlight: others + 1) {
                #expect(!closed.isRefusing)
                closed.appendSample()
            }
            #expect(closed.isRefusing)
            _ = closed.takeAll()
            #expect(!closed.isRefusing)
        }
        closed.note(inFlight: 1_000)
        #expect(closed.isRefusing)
    }

    @Test func aDrainedRingStaysInItsWarmPages() throws {
        let ring = try AuditRing(capacity: 1 << 22)
        for _ in 0..<20_000 {
            ring.appendSample()
            #expect(ring.takeAll().count == 1)
            let offset = Int(ring.publishedPosition - ring.base.load(ordering: .relaxed))
            guard offset <= ring.warmBytes + AuditRing.maximumRecordBytes else {
                Issue.record("offset \(offset)")
                return
            }
        }
        #expect(ring.publishedPosition > 1 << 22)
    }

    @Test func everyWrapPositionKeepsRecordsWhole() throws {
        // Records of many lengths keep the ring about half full, so that ends fall everywhere and never on empty.
        let ring = try AuditRing(capacity: 1 << 16)
        var random = SeededGenerator(seed: 7)
        var (produced, consumed) = (0, 0)
        while produced < 60_000 {
            let length = Int.random(in: 0...900, using: &random)
            let isAccepted = appendNumbered(ring, UInt64(produced), length)
            if isAccepted { produced += 1 }
            let isDraining = !isAccepted || Int.random(in: 0..<50, using: &random) == 0
            var budget = isDraining ? Int.random(in: 1...60, using: &random) : 0
            while budget > 0, consumed < produced {
                ring.consume { line in
                    guard budget > 0 else { return false }
                    #expect(numbered(line) == UInt64(consumed))
                    consumed += 1
                    budget -= 1
                    return true
                }
            }
        }
        #expect(produced - consumed == ring.takeAll().count)
    }

    @Test func aMillionRecordsBetweenTwoThreads() async throws {
        let total: UInt64 = 1_000_000
        let ring = try AuditRing(capacity: 1 << 18)
        let refused = Atomic<UInt64>(0)
        async let production: Void = Task.detached {
            var random = SeededGenerator(seed: 3)
            for number in 0..<total {
                let length = Int.random(in: 0...40, using: &random) * (number % 97 == 0 ? 20 : 1)
                while !appendNumbered(ring, number, length) {
                    refused.add(1, ordering: .relaxed)
                    await Task.yield()
                }
            }
        }.value
        let firstWrong = await Task.detached { () -> UInt64? in
            var expected: UInt64 = 0
            while expected < total {
                var isWrong = false
                let count = ring.consume { line in
                    isWrong = numbered(line) != expected
                    expected += 1
                    return !isWrong
                }
                if isWrong { return expected - 1 }
                if count == 0 { await Task.yield() }
            }
            return nil
        }.value
        #expect(firstWrong == nil)
        await production
        #expect(ring.dropped == refused.load(ordering: .relaxed))
        #expect(ring.takeAll().isEmpty)
    }
}

/// Appends a number and as many bytes that follow from it.
private func appendNumbered(_ ring: AuditRing, _ number: UInt64, _ length: Int) -> Bool {
    ring.appendRecord(bound: 32 + length) { line in
        line.appendDecimal(number)
        line.append(UInt8(ascii: ":"))
        for _ in 0..<length { line.append(UInt8(truncatingIfNeeded: number) | 0x80) }
    }
}

/// The number of such a record, or nil when any of its bytes is not what was appended.
private func numbered(_ line: Span<UInt8>) -> UInt64? {
    var number: UInt64 = 0
    var index = 0
    while index < line.count, line[index] != UInt8(ascii: ":") {
        number = number &* 10 &+ UInt64(line[index] &- UInt8(ascii: "0"))
        index += 1
    }
    index += 1
    while index < line.count {
        if line[index] != UInt8(truncatingIfNeeded: number) | 0x80 { return nil }
        index += 1
    }
    return number
}
