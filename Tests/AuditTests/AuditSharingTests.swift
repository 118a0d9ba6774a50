import Glibc
import NIOConcurrencyHelpers
import StrictJSON
import TestKit
import Testing

@testable import Audit

/// Two processes that write one trail while one takes over from the other.
@Suite struct AuditSharingTests {
    private func settings(_ directory: String, isSuccessor: Bool = true) -> AuditSettings {
        var settings = AuditSettings(directory: directory, maximumFileBytes: 64 << 10)
        settings.isSuccessor = isSuccessor
        return settings
    }

    @Test func twoWritersMakeOneChainInWhateverOrderTheyCome() throws {
        var random = SeededGenerator(seed: 9)
        try withDirectory { directory in
            let rings = [try AuditRing(), try AuditRing()]
            let pumps = try rings.map { try AuditPump(settings(directory), rings: [$0]) }
            var count: UInt64 = 0
            for _ in 0..<1_000 {
                let index = Int.random(in: 0...1, using: &random)
                for _ in 0..<Int.random(in: 0...4, using: &random) {
                    count += 1
                    rings[index].appendSample(count)
                }
                #expect(pumps[index].step() != .stuck)
            }
            pumps.forEach(drain)
            let report = try AuditVerifier.verify(path: directory)
            #expect(report.isIntact && report.lastSequence == count && report.anchor == .genesis)
            #expect(try fileNames(directory).count > 3)
            let decisions = try lines(directory).map { try parse($0).member("decision")?.string ?? "" }
            #expect(Set(decisions).count == Int(count))
        }
    }

    @Test func twoThreadsAtOnceLoseNothing() throws {
        try withDirectory { directory in
            let old = try AuditWriter(settings(directory, isSuccessor: false), loops: 1)
            let new = try AuditWriter(settings(directory), loops: 1)
            for number in 0..<2_000 as Range<UInt64> {
                old.rings[0].appendSample(2 * number)
                new.rings[0].appendSample(2 * number + 1)
                if number % 100 == 0 { #expect(old.flush() && new.flush()) }
            }
            #expect(old.stop() == 0)
            new.rings[0].appendSample(4_000)
            #expect(new.stop() == 0)
            let report = try AuditVerifier.verify(path: directory)
            #expect(report.isIntact && report.lastSequence == 4_001)
            let decisions = try lines(directory).compactMap { try parse($0).member("decision")?.string }
            #expect(Set(decisions).count == 4_001)
        }
    }

    @Test func strangersAreKeptOutForAsLongAsAnybodyOfTheFamilyIsThere() throws {
        try withDirectory { directory in
            let stranger = settings(directory, isSuccessor: false)
            var first: AuditPump? = try AuditPump(stranger, rings: [])
            var second: AuditPump? = try AuditPump(settings(directory), rings: [])
            var third: AuditPump? = try AuditPump(settings(directory), rings: [])
            for _ in 0..<3 {
                #expect(throws: AuditError.directoryInUse(path: directory)) { _ = try AuditPump(stranger, rings: []) }
                if first != nil { first = nil } else if second != nil { second = nil } else { third = nil }
            }
            #expect(third == nil)
            _ = try AuditPump(stranger, rings: [])
        }
    }

    @Test func threeAtATimeWriteUntilTheyGo() throws {
        try withDirectory { directory in
            let rings = try (0..<3).map { _ in try AuditRing() }
            var pumps: [AuditPump?] = []
            var count: UInt64 = 0
            func write(_ indices: [Int]) throws {
                for index in indices {
                    count += 1
                    rings[index].appendSample(count)
                    drain(try #require(pumps[index]))
                    #expect(pumps[index]?.isHealthy == true)
                }
            }
            pumps.append(try AuditPump(settings(directory, isSuccessor: false), rings: [rings[0]]))
            try write([0])
            pumps.append(try AuditPump(settings(directory), rings: [rings[1]]))
            try write([0, 1, 1])
            pumps.append(try AuditPump(settings(directory), rings: [rings[2]]))
            try write([2, 0, 1, 2, 2, 0])
            pumps[1] = nil
            try write([0, 2, 0, 2])
            pumps[0] = nil
            try write([2, 2])
            let report = try AuditVerifier.verify(path: directory)
            #expect(report.isIntact && report.lastSequence == count)
        }
    }

    /// The lock of a batch, held by nobody who writes.
    private final class Holder {
        private let descriptor: Int32

        init(_ directory: String) {
            // Unsafe: the path is a C string during the call.
            descriptor = unsafe open(AuditDirectory(path: directory).batchLock, O_RDWR)
            #expect(flock(descriptor, LOCK_EX | LOCK_NB) == 0)
        }

        deinit { close(descriptor) }
    }

    @Test func aWriterThatIsKeptOutKeepsItsRecordsAndSaysSoAfterAWhile() throws {
        try withDirectory { directory in
            let ring = try AuditRing()
            let clock = TestClock()
            let pump = try AuditPump(settings(directory), rings: [ring], clock: clock.clock)
            do {
                let holder = Holder(directory)
                ring.appendSample(2)
                #expect(pump.step() == .stuck)
                #expect(pump.isHealthy, "another's slow disk is no failure of this one")
                clock.advance(seconds: 11)
                #expect(pump.step() == .stuck)
                #expect(!pump.isHealthy)
                withExtendedLifetime(holder) {}
            }
            drain(pump)
            #expect(pump.isHealthy)
            #expect(try AuditVerifier.verify(path: directory).lastSequence == 1)
        }
    }

    @Test func aFileThatIsLeftUnsyncedIsSaid() throws {
        try withDirectory { directory in
            let (first, second) = (try AuditRing(), try AuditRing())
            let disk = FaultyDisk()
            let old = try AuditPump(settings(directory), rings: [first], files: disk.calls)
            let new = try AuditPump(settings(directory), rings: [second])
            disk.state.withLockedValue { $0.syncError = EIO }
            first.appendSample(1)
            _ = old.step()
            second.appendSample(2)
            drain(new)
            disk.state.withLockedValue { $0.syncError = 0 }
            first.appendSample(3)
            drain(old)
            let events = try lines(directory).compactMap { try parse($0).member("event")?.string }
            #expect(events.contains("unsynced"))
            #expect(try AuditVerifier.verify(path: directory).isIntact)
        }
    }

    @Test func whatTheOtherLeftUnfinishedIsCutOffAndSaid() throws {
        try withDirectory { directory in
            let (first, second) = (try AuditRing(), try AuditRing())
            let old = try AuditPump(settings(directory), rings: [first])
            let new = try AuditPump(settings(directory), rings: [second])
            first.appendSample(1)
            drain(old)
            let path = try "\(directory)/\(#require(fileNames(directory).last))"
            try write(bytes(of: path) + Array("{\"time\":\"half".utf8), to: path)
            second.appendSample(2)
            drain(new)
            let report = try AuditVerifier.verify(path: directory)
            #expect(report.isIntact && report.lastSequence == 3)
            #expect(try parse(lines(directory)[1]).member("event")?.string == "recovered")
        }
    }

    @Test func anEndThatCannotBeReadStopsTheWriterUntilItCan() throws {
        try withDirectory { directory in
            let (first, second) = (try AuditRing(), try AuditRing())
            let old = try AuditPump(settings(directory), rings: [first])
            let new = try AuditPump(settings(directory), rings: [second])
            first.appendSample(1)
            drain(old)
            let path = try "\(directory)/\(#require(fileNames(directory).last))"
            let good = try bytes(of: path)
            try write(good + Array("no record\n".utf8), to: path)
            second.appendSample(2)
            for _ in 0..<3 { #expect(new.step() == .stuck) }
            try write(good, to: path)
            drain(new)
            let report = try AuditVerifier.verify(path: directory)
            #expect(report.isIntact && report.lastSequence == 2)
        }
    }
}
