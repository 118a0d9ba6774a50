import Glibc
import Identity
import StrictJSON
import NIOConcurrencyHelpers
import Synchronization
import TestKit
import Testing

@testable import Audit

@Suite struct AuditDiskFaultTests {
    @Test func aFullDiskKeepsRecordsWaiting() throws {
        try withDirectory { directory in
            let disk = FaultyDisk()
            let ring = try AuditRing(capacity: 1)
            let pump = try AuditPump(
                AuditSettings(directory: directory), rings: [ring], clock: TestClock().clock, files: disk.calls)
            ring.appendSample(1)
            #expect(pump.step() == .caughtUp && pump.isHealthy)
            disk.state.withLockedValue { $0.space = 700 }
            var accepted: UInt64 = 1
            while ring.appendSample(accepted + 1) { accepted += 1 }
            #expect(pump.step() == .stuck && !pump.isHealthy)
            #expect(pump.step() == .stuck)
            // The batch was taken; what comes now waits in the ring, and what does not fit there is counted, so that
            // there are two records of losses in the end.
            while ring.appendSample(accepted + 1) { accepted += 1 }
            #expect(pump.step() == .stuck)
            #expect(!pump.flush())
            disk.state.withLockedValue { $0.space = nil }
            drain(pump)
            #expect(pump.isHealthy)
            let report = try AuditVerifier.verify(path: directory)
            #expect(report.isIntact && report.records == accepted + 2 && report.lostRecords == 2)
        }
    }

    @Test(arguments: [0, 1, 2, 3])
    func atTheEndAllAreCountedThatAreNotOnTheDisk(rounds: Int) throws {
        try withDirectory { directory in
            let disk = FaultyDisk()
            let ring = try AuditRing(capacity: 1)
            let pump = try AuditPump(
                AuditSettings(directory: directory), rings: [ring], clock: TestClock().clock, files: disk.calls)
            ring.appendSample()
            #expect(pump.step() == .caughtUp)
            disk.state.withLockedValue { $0.space = 0 }
            var asked: UInt64 = 0
            for _ in 0..<rounds {
                while ring.appendSample() { asked += 1 }
                ring.appendSample()
                asked += 2
                #expect(pump.step() == .stuck)
            }
            ring.appendSample()
            #expect(pump.abandon() == asked + 1)
        }
    }

    @Test func aFailureAndItsEndAreToldOnceEach() throws {
        try withDirectory { directory in
            let disk = FaultyDisk()
            let ring = try AuditRing(capacity: 1)
            let news = NIOLockedValueBox<[AuditNews]>([])
            let pump = try AuditPump(
                AuditSettings(directory: directory), rings: [ring], clock: TestClock().clock, files: disk.calls,
                tell: { told in news.withLockedValue { $0.append(told) } })
            let full = AuditNews.failing(
                .system(operation: "write", path: directory + "/audit-20261121-0001.jsonl", code: ENOSPC))
            for round in 1...2 {
                ring.appendSample()
                drain(pump)
                disk.state.withLockedValue { $0.space = 0 }
                ring.appendSample()
                for _ in 0..<5 { #expect(pump.step() == .stuck) }
                while ring.appendSample() {}
                for _ in 0..<round { ring.appendSample() }
                disk.state.withLockedValue { $0.space = nil }
                drain(pump)
                let told = news.withLockedValue { $0 }
                #expect(told.count == 2 * round)
                #expect(Array(told.suffix(2)) == [full, .recovered(lost: UInt64(round) + 1)])
            }
            disk.state.withLockedValue { $0.syncError = EIO }
            ring.appendSample()
            #expect(!pump.flush())
            let last = news.withLockedValue { $0.last }
            #expect(
                last
                    == .failing(
                        .system(operation: "fsync", path: directory + "/audit-20261121-0001.jsonl", code: EIO)))
        }
    }

    @Test func spaceThatComesInDropsBreaksNoLine() throws {
        try withDirectory { directory in
            let disk = FaultyDisk()
            disk.state.withLockedValue { $0.space = 0 }
            let ring = try AuditRing()
            let pump = try AuditPump(
                AuditSettings(directory: directory), rings: [ring], clock: TestClock().clock, files: disk.calls)
            for number in 0..<4 as Range<UInt64> { ring.appendSample(number) }
            var steps = 0
            while pump.step() == .stuck {
                disk.state.withLockedValue { state in
                    state.space = 1
                    state.interruptions = 2
                }
                steps += 1
            }
            let written = try bytes(of: directory + "/audit-20261121-0001.jsonl")
            #expect(steps == written.count)
            #expect(try AuditVerifier.verify(path: directory).records == 4)
        }
    }

    @Test func shortWritesAndInterruptions() throws {
        try withDirectory { directory in
            let disk = FaultyDisk()
            disk.state.withLockedValue { $0.gulp = 7 }
            let ring = try AuditRing()
            let pump = try AuditPump(AuditSettings(directory: directory), rings: [ring], files: disk.calls)
            for number in 0..<20 as Range<UInt64> {
                ring.appendSample(number)
                disk.state.withLockedValue { $0.interruptions = 3 }
                #expect(pump.step() == .caughtUp)
            }
            #expect(try AuditVerifier.verify(path: directory).records == 20)
        }
    }

    @Test func anInputOutputErrorIsRetried() throws {
        try withDirectory { directory in
            let disk = FaultyDisk()
            let ring = try AuditRing()
            let pump = try AuditPump(AuditSettings(directory: directory), rings: [ring], files: disk.calls)
            disk.state.withLockedValue { $0.writeError = EIO }
            ring.appendSample(1)
            #expect(pump.step() == .stuck && pump.gauges.failure.load(ordering: .relaxed) == EIO)
            disk.state.withLockedValue { $0.writeError = 0 }
            #expect(pump.step() == .caughtUp && pump.isHealthy)
            #expect(try AuditVerifier.verify(path: directory).records == 1)
        }
    }

    @Test func aDirectoryThatVanishesIsAnError() throws {
        try withDirectory { directory in
            let ring = try AuditRing()
            let pump = try AuditPump(AuditSettings(directory: directory), rings: [ring])
            TemporaryDirectory.remove(directory)
            ring.appendSample(1)
            #expect(pump.step() == .stuck && pump.gauges.failure.load(ordering: .relaxed) == ENOENT)
            try write([], to: directory + "/.lock")
            #expect(pump.step() == .caughtUp && pump.isHealthy)
        }
    }

    @Test func syncsAreSpacedAndOnlyForNews() throws {
        try withDirectory { directory in
            let disk = FaultyDisk()
            func syncs() -> Int { disk.state.withLockedValue { $0.syncs } }
            let time = TestClock()
            let ring = try AuditRing()
            let pump = try AuditPump(
                AuditSettings(directory: directory), rings: [ring], clock: time.clock, files: disk.calls)
            ring.appendSample(1)
            drain(pump)
            #expect(syncs() == 1 && pump.untilSync == nil)
            for number in 2..<20 as Range<UInt64> {
                ring.appendSample(number)
                drain(pump)
            }
            #expect(syncs() == 1 && pump.untilSync == AuditTime.second)
            time.advance(seconds: 1)
            #expect(pump.untilSync == 0)
            #expect(pump.step() == .idle)
            #expect(syncs() == 2)
            time.advance(seconds: 100)
            drain(pump)
            #expect(syncs() == 2)
            ring.appendSample(20)
            #expect(pump.flush())
            #expect(syncs() == 3)
        }
    }

    @Test func aFailedSyncIsRememberedInTheTrail() throws {
        try withDirectory { directory in
            let disk = FaultyDisk()
            let time = TestClock()
            let ring = try AuditRing()
            let pump = try AuditPump(
                AuditSettings(directory: directory), rings: [ring], clock: time.clock, files: disk.calls)
            disk.state.withLockedValue { $0.syncError = EIO }
            ring.appendSample(1)
            #expect(pump.step() == .stuck && !pump.isHealthy)
            ring.appendSample(2)
            #expect(pump.step() == .caughtUp && !pump.isHealthy)
            time.advance(seconds: 1)
            disk.state.withLockedValue { $0.syncError = 0 }
            drain(pump)
            #expect(pump.isHealthy)
            let all = try lines(directory)
            let event = try parse(try #require(all.last))
            #expect(event.member("event")?.string == "unsynced")
            #expect(event.member("bytes")?.number?.integer == Int64(try #require(all.first).count + 1))
            #expect(try AuditVerifier.verify(path: directory).isIntact)
        }
    }
}
