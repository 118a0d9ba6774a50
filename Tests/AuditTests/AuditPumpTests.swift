import Glibc
import Identity
import StrictJSON
import TestKit
import Testing

@testable import Audit

@Suite struct AuditPumpTests {
    private func verify(_ directory: String) throws -> AuditReport { try AuditVerifier.verify(path: directory) }

    @Test func recordsOfAllRingsArriveInOrder() throws {
        try withDirectory { directory in
            let rings = [try AuditRing(), try AuditRing(), try AuditRing()]
            let time = TestClock()
            let pump = try AuditPump(AuditSettings(directory: directory), rings: rings, clock: time.clock)
            #expect(pump.step() == .idle)
            #expect(try fileNames(directory).isEmpty)
            for number in 0..<300 as Range<UInt64> { rings[Int(number % 3)].appendSample(number) }
            #expect(pump.step() == .caughtUp)
            #expect(pump.step() == .idle)
            #expect(try fileNames(directory) == ["audit-20261121-0001.jsonl"])
            let decisions = try lines(directory).map { try parse($0).member("decision")?.string ?? "" }
            for ring in 0..<3 as Range<UInt64> {
                let own = (0..<100 as Range<UInt64>).map { DecisionID(high: 7, low: $0 * 3 + ring).text }
                #expect(decisions.filter(Set(own).contains) == own)
            }
            let report = try verify(directory)
            #expect(report.isIntact && report.records == 300 && report.anchor == .genesis && report.lastSequence == 300)
        }
    }

    @Test func largeBacklogsComeInBatches() throws {
        try withDirectory { directory in
            let ring = try AuditRing(capacity: 4 << 20)
            let pump = try AuditPump(AuditSettings(directory: directory), rings: [ring])
            for number in 0..<3_000 as Range<UInt64> { ring.appendSample(number) }
            #expect(pump.step() == .behind)
            drain(pump)
            #expect(try verify(directory).records == 3_000)
        }
    }

    @Test func modes() throws {
        try withDirectory { directory in
            let ring = try AuditRing()
            let old = umask(0)
            defer { umask(old) }
            let pump = try AuditPump(AuditSettings(directory: directory + "/deep/er/"), rings: [ring])
            ring.appendSample()
            drain(pump)
            var status = stat()
            unsafe stat(directory + "/deep/er", &status)
            #expect(status.st_mode & 0o777 == 0o750)
            unsafe stat(directory + "/deep/er/audit-" + day() + "-0001.jsonl", &status)
            #expect(status.st_mode & 0o777 == 0o640)
        }
    }

    private func day() -> String {
        String(decoding: AuditTime.renderDay(AuditTime.day(of: AuditClock.system.unix())), as: UTF8.self)
    }

    @Test func aTrailGoesOnAfterARestart() throws {
        try withDirectory { directory in
            for round in 1...4 as ClosedRange<UInt64> {
                let ring = try AuditRing()
                let pump = try AuditPump(
                    AuditSettings(directory: directory), rings: [ring], clock: TestClock().clock)
                ring.appendSample(round)
                #expect(pump.flush())
            }
            #expect(try fileNames(directory).count == 1)
            #expect(try verify(directory).lastSequence == 4)
        }
    }

    @Test func twoWritersNeverShareADirectory() throws {
        try withDirectory { directory in
            let settings = AuditSettings(directory: directory)
            let first = try AuditPump(settings, rings: [])
            #expect(throws: AuditError.directoryInUse(path: directory)) { _ = try AuditPump(settings, rings: []) }
            #expect(first.isHealthy)
        }
    }

    @Test func aDirectoryIsFreeAgainAfterwards() throws {
        try withDirectory { directory in
            let settings = AuditSettings(directory: directory)
            _ = try AuditPump(settings, rings: [])
            _ = try AuditPump(settings, rings: [])
        }
    }

    @Test func directoriesThatCannotBe() throws {
        try withDirectory { directory in
            try write([1], to: directory)
            #expect(throws: AuditError.self) { _ = try AuditPump(AuditSettings(directory: directory), rings: []) }
            #expect(throws: AuditError.self) {
                _ = try AuditPump(AuditSettings(directory: directory + "/below"), rings: [])
            }
            #expect(throws: AuditError.self) { _ = try AuditPump(AuditSettings(directory: ""), rings: []) }
        }
    }

    // MARK: - Rotation

    @Test func rotationByDay() throws {
        try withDirectory { directory in
            let ring = try AuditRing()
            let time = TestClock("2026-12-31T23:59:59.900Z")
            let pump = try AuditPump(AuditSettings(directory: directory), rings: [ring], clock: time.clock)
            ring.appendSample(1)
            drain(pump)
            time.advance(seconds: 1)
            #expect(pump.step() == .idle)
            ring.appendSample(2)
            drain(pump)
            // A clock that is set back neither reopens the old day nor begins it again.
            time.advance(seconds: -86_400)
            ring.appendSample(3)
            drain(pump)
            time.advance(seconds: 3 * 86_400)
            ring.appendSample(4)
            drain(pump)
            #expect(
                try fileNames(directory) == [
                    "audit-20261231-0001.jsonl", "audit-20270101-0001.jsonl", "audit-20270103-0001.jsonl",
                ])
            let report = try verify(directory)
            #expect(report.isIntact && report.records == 4 && report.files == 3)
        }
    }

    @Test func rotationBySizeNeverExceedsIt() throws {
        try withDirectory { directory in
            let settings = AuditSettings(directory: directory, maximumFileBytes: 1)
            #expect(settings.maximumFileBytes == 65_536)
            let ring = try AuditRing(capacity: 4 << 20)
            let time = TestClock()
            let pump = try AuditPump(settings, rings: [ring], clock: time.clock)
            var random = SeededGenerator(seed: 5)
            for number in 0..<2_000 as Range<UInt64> {
                ring.appendSample(
                    number, path: [UInt8](repeating: 0x78, count: Int.random(in: 1...2_000, using: &random)))
                if number % 97 == 0 { drain(pump) }
            }
            drain(pump)
            let names = try fileNames(directory)
            #expect(names.count > 10)
            for (index, name) in names.enumerated() {
                let size = try bytes(of: "\(directory)/\(name)").count
                #expect(size <= 65_536)
                #expect(index == names.count - 1 || size > 65_536 - 3_000)
            }
            let report = try verify(directory)
            #expect(report.isIntact && report.records == 2_000 && report.files == names.count)
        }
    }

    @Test func aForeignFileInTheWayIsLeftAlone() throws {
        try withDirectory { directory in
            let ring = try AuditRing()
            let pump = try AuditPump(AuditSettings(directory: directory), rings: [ring], clock: TestClock().clock)
            try write([], to: directory + "/audit-20261121-0001.jsonl")
            ring.appendSample()
            drain(pump)
            #expect(try fileNames(directory).count == 2)
            #expect(try verify(directory).records == 1)
        }
    }

    // MARK: - Losses

    @Test func lossesBecomeARecord() throws {
        try withDirectory { directory in
            let rings = [try AuditRing(capacity: 1), try AuditRing(capacity: 1)]
            let pump = try AuditPump(AuditSettings(directory: directory), rings: rings, clock: TestClock().clock)
            var accepted: UInt64 = 0
            for ring in rings {
                while ring.appendSample() { accepted += 1 }
                for _ in 0..<4 { ring.appendSample() }
            }
            drain(pump)
            let last = try parse(try #require(try lines(directory).last))
            #expect(last.object?.map(\.name) == ["time", "event", "count", "seq", "chain"])
            #expect(last.member("event")?.string == "lost" && last.member("count")?.number?.integer == 10)
            let report = try verify(directory)
            #expect(report.isIntact && report.lostRecords == 10 && report.records == accepted + 1)
            rings[0].appendSample()
            drain(pump)
            #expect(try verify(directory).lostRecords == 10)
        }
    }

    @Test func refusalsWithoutRecordsBecomeOne() throws {
        try withDirectory { directory in
            let rings = [try AuditRing(capacity: 1), try AuditRing(capacity: 1)]
            let pump = try AuditPump(AuditSettings(directory: directory), rings: rings, clock: TestClock().clock)
            rings[0].appendSample()
            rings[0].refuse()
            for _ in 0..<3 { rings[1].refuse() }
            rings[1].lose()
            drain(pump)
            let last = try parse(try #require(try lines(directory).last))
            #expect(last.object?.map(\.name) == ["time", "event", "count", "seq", "chain"])
            #expect(last.member("event")?.string == "refused")
            let report = try verify(directory)
            #expect(report.isIntact && report.refusedRequests == 4 && report.lostRecords == 1 && report.records == 3)
            drain(pump)
            #expect(try verify(directory).records == 3)
        }
    }

    // MARK: - Crashes

    @Test func aTornRecordIsCutAtEveryByte() throws {
        try withDirectory { directory in
            let time = TestClock()
            let file = "\(directory)/audit-20261121-0001.jsonl"
            var start = 0
            do {
                let ring = try AuditRing()
                let pump = try AuditPump(AuditSettings(directory: directory), rings: [ring], clock: time.clock)
                for number in 0..<2 as Range<UInt64> { ring.appendSample(number) }
                drain(pump)
                start = try bytes(of: file).count
                ring.appendSample(2)
                drain(pump)
            }
            let whole = try bytes(of: file)
            for length in start...whole.count {
                try write(Array(whole[..<length]), to: file)
                let torn = length == whole.count ? 0 : length - start
                #expect(try verify(directory).tornTailBytes == torn)
                let ring = try AuditRing()
                let pump = try AuditPump(AuditSettings(directory: directory), rings: [ring], clock: time.clock)
                ring.appendSample(3)
                drain(pump)
                let report = try verify(directory)
                #expect(report.isIntact && report.recoveries == (torn > 0 ? 1 : 0), "cut at \(length)")
                #expect(report.records == 3 + (torn > 0 ? 1 : 0) + (length == whole.count ? 1 : 0))
                guard torn > 0 else { continue }
                let event = try parse(try lines(directory)[2])
                #expect(event.object?.map(\.name) == ["time", "event", "tornBytes", "file", "seq", "chain"])
                #expect(event.member("tornBytes")?.number?.integer == Int64(torn))
            }
        }
    }

    @Test func aTornFirstRecordFallsBackToTheFileBefore() throws {
        try withDirectory { directory in
            let time = TestClock()
            do {
                let ring = try AuditRing()
                let pump = try AuditPump(AuditSettings(directory: directory), rings: [ring], clock: time.clock)
                ring.appendSample(1)
                drain(pump)
            }
            for rest in ["", "{\"time\":"] {
                try write(Array(rest.utf8), to: directory + "/audit-20261122-0001.jsonl")
                time.advance(seconds: 86_400)
                let ring = try AuditRing()
                let pump = try AuditPump(AuditSettings(directory: directory), rings: [ring], clock: time.clock)
                ring.appendSample(2)
                drain(pump)
                let report = try verify(directory)
                #expect(report.isIntact && report.records == (rest.isEmpty ? 2 : 3))
            }
        }
    }

    @Test func aTailThatIsNoRecordIsLeftToPeople() throws {
        try withDirectory { directory in
            let file = directory + "/audit-20261121-0001.jsonl"
            try write(Array("something else\n".utf8), to: file)
            #expect(throws: AuditError.unreadableTail(path: file, offset: 0)) {
                _ = try AuditPump(AuditSettings(directory: directory), rings: [])
            }
            #expect(try bytes(of: file) == Array("something else\n".utf8))
        }
    }
}
