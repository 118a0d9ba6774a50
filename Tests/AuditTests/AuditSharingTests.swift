import Glibc
import StrictJSON
import TestKit
import Testing

@testable import Audit

/// Two processes that write one trail while one takes over from the other.
@Suite struct AuditSharingTests {
    private func settings(_ directory: String, isShared: Bool = true) -> AuditSettings {
        var settings = AuditSettings(directory: directory, maximumFileBytes: 64 << 10)
        settings.isShared = isShared
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
            let old = try AuditWriter(settings(directory, isShared: false), loops: 1)
            old.share(true)
            let new = try AuditWriter(settings(directory), loops: 1)
            for number in 0..<2_000 as Range<UInt64> {
                old.rings[0].appendSample(2 * number)
                new.rings[0].appendSample(2 * number + 1)
                if number % 100 == 0 { #expect(old.flush() && new.flush()) }
            }
            #expect(old.stop() == 0)
            new.share(false)
            new.rings[0].appendSample(4_000)
            #expect(new.stop() == 0)
            let report = try AuditVerifier.verify(path: directory)
            #expect(report.isIntact && report.lastSequence == 4_001)
            let decisions = try lines(directory).compactMap { try parse($0).member("decision")?.string }
            #expect(Set(decisions).count == 4_001)
        }
    }

    @Test func whoDoesNotShareKeepsOthersOut() throws {
        try withDirectory { directory in
            let ring = try AuditRing()
            let pump = try AuditPump(settings(directory), rings: [ring])
            // It shares, and nothing is half written: the directory is free between two steps.
            _ = try AuditPump(settings(directory, isShared: false), rings: [])
            pump.isSharing = false
            ring.appendSample()
            drain(pump)
            #expect(throws: AuditError.directoryInUse(path: directory)) {
                _ = try AuditPump(settings(directory, isShared: false), rings: [])
            }
        }
    }

    @Test func aWriterThatIsKeptOutKeepsItsRecordsAndSaysSo() throws {
        try withDirectory { directory in
            let (first, second) = (try AuditRing(), try AuditRing())
            let old = try AuditPump(settings(directory), rings: [first])
            let new = try AuditPump(settings(directory), rings: [second])
            old.isSharing = false
            first.appendSample(1)
            drain(old)
            second.appendSample(2)
            #expect(new.step() == .stuck)
            #expect(!new.isHealthy)
            old.isSharing = true
            drain(old)
            drain(new)
            #expect(new.isHealthy)
            let report = try AuditVerifier.verify(path: directory)
            #expect(report.isIntact && report.lastSequence == 2)
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
