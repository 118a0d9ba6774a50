import Glibc
import Identity
import StrictJSON
import NIOConcurrencyHelpers
import TestKit
import Testing

@testable import Audit

@Suite struct AuditWriterTests {
    @Test func endToEnd() throws {
        try withDirectory { directory in
            let writer = try AuditWriter(AuditSettings(directory: directory), loops: 3)
            for number in 0..<500 as Range<UInt64> { writer.rings[Int(number % 3)].appendSample(number) }
            #expect(writer.flush())
            #expect(try AuditVerifier.verify(path: directory).records == 500)
            #expect(writer.statistics.records == 500 && writer.statistics.lost == 0)
            for number in 0..<500 as Range<UInt64> { writer.rings[Int(number % 3)].appendSample(number) }
            #expect(writer.stop() == 0)
            let report = try AuditVerifier.verify(path: directory)
            #expect(report.isIntact && report.records == 1_000)
            #expect(writer.isHealthy && writer.statistics.failure == 0)
            #expect(writer.statistics.bytes == UInt64(try lines(directory).reduce(0) { $0 + $1.count + 1 }))
            #expect(!writer.flush())
            #expect(writer.stop() == 0)
        }
    }

    @Test func loopsAppendWhileTheWriterWrites() async throws {
        let directory = try TemporaryDirectory.make()
        defer { TemporaryDirectory.remove(directory) }
        let writer = try AuditWriter(
            AuditSettings(directory: directory, ringBytes: 1 << 16, maximumFileBytes: 1 << 20), loops: 3)
        await withTaskGroup { group in
            for ring in writer.rings {
                group.addTask {
                    for number in 0..<4_000 as Range<UInt64> {
                        while !ring.hasRoom() { await Task.yield() }
                        ring.appendSample(number)
                    }
                }
            }
        }
        #expect(writer.stop() == 0)
        let report = try AuditVerifier.verify(path: directory)
        #expect(report.isIntact && report.records == 12_000 && report.lostRecords == 0 && report.files > 1)
    }

    @Test func aRingSmallerThanItsTrafficIsKeptEmptyEnough() async throws {
        let directory = try TemporaryDirectory.make()
        defer { TemporaryDirectory.remove(directory) }
        let writer = try AuditWriter(AuditSettings(directory: directory, ringBytes: 1), loops: 1)
        let ring = writer.rings[0]
        for number in 0..<2_000 as Range<UInt64> {
            while !ring.hasRoom() { await Task.yield() }
            ring.appendSample(number)
        }
        #expect(writer.stop() == 0)
        #expect(writer.statistics == .init(records: 2_000, bytes: writer.statistics.bytes, lost: 0, failure: 0))
    }

    @Test func stopGivesUpOnADeadDiskAndSaysWhatIsMissing() throws {
        try withDirectory { directory in
            let disk = FaultyDisk()
            let writer = try AuditWriter(
                AuditSettings(directory: directory, stopPatience: 0), loops: 1, files: disk.calls)
            writer.rings[0].appendSample(1)
            #expect(writer.flush())
            disk.state.withLockedValue { $0.space = 900 }
            for number in 2..<12 as Range<UInt64> { writer.rings[0].appendSample(number) }
            #expect(!writer.flush())
            #expect(!writer.isHealthy && writer.statistics.failure == ENOSPC)
            for number in 12..<22 as Range<UInt64> { writer.rings[0].appendSample(number) }
            let missing = writer.stop()
            let report = try AuditVerifier.verify(path: directory)
            #expect(report.isIntact && report.records + missing == 21 && report.records > 1)
            #expect(writer.stop() == missing)

            // What reached the disk is the beginning; the next start cuts the torn line off and says so.
            let next = try AuditWriter(AuditSettings(directory: directory), loops: 1)
            #expect(next.stop() == 0)
            let recovered = try AuditVerifier.verify(path: directory)
            #expect(recovered.isIntact && recovered.recoveries == 1 && recovered.records == report.records + 1)
        }
    }

    @Test func aHastenedStopTriesOnce() throws {
        try withDirectory { directory in
            let disk = FaultyDisk()
            let hour = 3_600 * AuditTime.second
            let bad = try AuditWriter(
                AuditSettings(directory: directory + "/bad", stopPatience: hour), loops: 1, files: disk.calls)
            disk.state.withLockedValue { $0.space = 0 }
            bad.rings[0].appendSample(1)
            bad.hasten()
            #expect(bad.stop() == 1)
            let good = try AuditWriter(AuditSettings(directory: directory + "/good", stopPatience: hour), loops: 1)
            good.rings[0].appendSample(1)
            good.hasten()
            #expect(good.stop() == 0)
            #expect(try AuditVerifier.verify(path: directory + "/good").records == 1)
        }
    }

    @Test func aHastenedStopThatIsWaitingAlreadyGivesUp() async throws {
        let directory = try TemporaryDirectory.make()
        defer { TemporaryDirectory.remove(directory) }
        let disk = FaultyDisk()
        disk.state.withLockedValue { $0.space = 0 }
        let writer = try AuditWriter(
            AuditSettings(directory: directory, stopPatience: 3_600 * AuditTime.second), loops: 1, files: disk.calls)
        writer.rings[0].appendSample(1)
        async let lost = Task.detached { writer.stop() }.value
        #expect(eventually { !writer.isHealthy })
        writer.hasten()
        #expect(await lost == 1)
    }

    @Test func theDirectoryBelongsToOneWriterUntilItStops() throws {
        try withDirectory { directory in
            let settings = AuditSettings(directory: directory)
            let writer = try AuditWriter(settings, loops: 1)
            #expect(throws: AuditError.directoryInUse(path: directory)) { _ = try AuditWriter(settings, loops: 1) }
            writer.stop()
            try AuditWriter(settings, loops: 1).stop()
        }
    }

    @Test func settingsReachTheRings() throws {
        try withDirectory { directory in
            let writer = try AuditWriter(
                AuditSettings(directory: directory, onFull: .stopAdmission, ringBytes: 1 << 17), loops: 2)
            #expect(writer.rings.count == 2 && writer.rings.allSatisfy { $0.capacity == 1 << 17 })
            #expect(!writer.rings[1].mayAdmit(inFlight: 1_000))
        }
    }
}
