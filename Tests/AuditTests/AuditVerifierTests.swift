import Identity
import TestKit
import Testing

@testable import Audit

@Suite struct AuditVerifierTests {
    private static let first = "audit-20261121-0001.jsonl"
    private static let second = "audit-20261122-0001.jsonl"

    /// A trail of two files, with four and three records.
    private func withTrail(_ body: (String, [[UInt8]], [[UInt8]]) throws -> Void) throws {
        try withDirectory { directory in
            let ring = try AuditRing()
            let time = TestClock()
            let pump = try AuditPump(AuditSettings(directory: directory), rings: [ring], clock: time.clock)
            for number in 0..<4 as Range<UInt64> { ring.appendSample(number) }
            drain(pump)
            time.advance(seconds: 86_400)
            for number in 4..<7 as Range<UInt64> { ring.appendSample(number) }
            drain(pump)
            let all = try lines(directory)
            try body(directory, Array(all[..<4]), Array(all[4...]))
        }
    }

    private func write(_ lines: [[UInt8]], _ path: String) throws {
        try TemporaryDirectory.write(lines.flatMap { $0 + [UInt8(ascii: "\n")] }, to: path)
    }

    @Test func whole() throws {
        try withTrail { directory, _, later in
            let report = try AuditVerifier.verify(path: directory)
            #expect(report.isIntact && report.files == 2 && report.records == 7 && report.anchor == .genesis)
            #expect(report.firstSequence == 1 && report.lastSequence == 7)
            #expect(report.lastChain.utf8.elementsEqual(try #require(readSeal(later[2])).chain))
        }
    }

    @Test func everyRemovedRecordIsNoticed() throws {
        try withTrail { directory, early, later in
            for index in 0..<6 {
                var (left, right) = (early, later)
                if index < 4 { left.remove(at: index) } else { right.remove(at: index - 4) }
                try write(left, "\(directory)/\(Self.first)")
                try write(right, "\(directory)/\(Self.second)")
                let found = try #require(try AuditVerifier.verify(path: directory).firstBreak, "record \(index)")
                let isAtEndOfFile = index == 3
                #expect(found.line == (index < 3 ? index + 1 : isAtEndOfFile ? 1 : index - 3))
                #expect(found.file.hasSuffix(index < 3 ? Self.first : Self.second))
                #expect(found.problem.hasPrefix(index == 0 ? "the trail begins with seq 2" : "seq is"))
            }
        }
    }

    @Test func theNewestRecordCanOnlyBeMissedByItsAnchor() throws {
        try withTrail { directory, _, later in
            let before = try AuditVerifier.verify(path: directory)
            try write(Array(later[..<2]), "\(directory)/\(Self.second)")
            let after = try AuditVerifier.verify(path: directory)
            #expect(after.isIntact && after.lastSequence == 6 && before.lastSequence == 7)
            #expect(after.lastChain != before.lastChain)
        }
    }

    @Test func everyChangedByteIsNoticed() throws {
        try withTrail { directory, early, _ in
            let text = Array(early.joined(separator: [UInt8(ascii: "\n")])) + [UInt8(ascii: "\n")]
            // The bytes of two records are as good as those of all four.
            for index in text.indices.dropFirst(early[0].count).prefix(early[1].count + early[2].count) {
                var changed = text
                changed[index] = text[index] == UInt8(ascii: "7") ? UInt8(ascii: "8") : UInt8(ascii: "7")
                try TemporaryDirectory.write(changed, to: "\(directory)/\(Self.first)")
                let report = try AuditVerifier.verify(path: directory)
                guard let found = report.firstBreak else {
                    Issue.record("byte \(index) was changed unnoticed")
                    return
                }
                let line = 1 + text[..<index].filter { $0 == UInt8(ascii: "\n") }.count
                #expect(found.line <= line + 1 && found.file.hasSuffix(Self.first), "byte \(index)")
            }
        }
    }

    @Test func insertedAndMovedRecordsAreNoticed() throws {
        try withTrail { directory, early, _ in
            var forged = AuditChain()
            var output: [UInt8] = []
            forged.seal(Array(#"{"time":"2026-11-21T00:43:12.123Z","forged":true"#.utf8).span, into: &output)
            let insertions = [early[0], early[3], Array(output.dropLast()), [], Array("{}".utf8)]
            for insertion in insertions {
                for index in 0...4 {
                    var lines = early
                    lines.insert(insertion, at: index)
                    try write(lines, "\(directory)/\(Self.first)")
                    #expect(try AuditVerifier.verify(path: directory).firstBreak != nil)
                }
            }
            for left in 0..<4 {
                for right in left + 1..<4 {
                    var lines = early
                    lines.swapAt(left, right)
                    try write(lines, "\(directory)/\(Self.first)")
                    #expect(try AuditVerifier.verify(path: directory).firstBreak?.line == left + 1)
                }
            }
        }
    }

    @Test func filesThatAreMissingSwappedOrUnfinished() throws {
        try withTrail { directory, early, later in
            let (first, second) = ("\(directory)/\(Self.first)", "\(directory)/\(Self.second)")
            try write(later, first)
            try write(early, second)
            #expect(try AuditVerifier.verify(path: directory).firstBreak?.line == 1)

            try write(early, first)
            try TemporaryDirectory.write(try bytes(of: first) + [UInt8(ascii: "{")], to: first)
            try write(later, second)
            let unfinished = try AuditVerifier.verify(path: directory)
            #expect(unfinished.firstBreak?.line == 5 && unfinished.records == 4)

            TemporaryDirectory.remove(first)
            let headless = try AuditVerifier.verify(path: directory)
            #expect(headless.firstBreak?.problem.hasPrefix("the trail begins with seq 5") == true)
            let accepted = try AuditVerifier.verify(path: directory, allowMissingStart: true)
            #expect(accepted.isIntact && accepted.anchor == .missing && accepted.records == 3)
            let seal = try #require(readSeal(early[3]))
            let chain = String(decoding: seal.chain, as: UTF8.self)
            let given = try AuditVerifier.verify(path: directory, after: .init(sequence: 4, chain: chain))
            #expect(given.isIntact && given.anchor == .given)
            let wrong = try AuditVerifier.verify(
                path: directory, after: .init(sequence: 4, chain: String(repeating: "0", count: 64)))
            #expect(wrong.firstBreak?.line == 1)
        }
    }

    @Test func oneFileIsAnchoredInTheOneBefore() throws {
        try withTrail { directory, early, _ in
            let second = "\(directory)/\(Self.second)"
            let report = try AuditVerifier.verify(path: second)
            #expect(report.isIntact && report.anchor == .file("\(directory)/\(Self.first)") && report.records == 3)
            #expect(try AuditVerifier.verify(path: "\(directory)/\(Self.first)").anchor == .genesis)
            try write(Array(early[..<3]), "\(directory)/\(Self.first)")
            #expect(try AuditVerifier.verify(path: second).firstBreak?.line == 1)
        }
    }

    @Test func linesOfAnyLengthAreRefusedInBoundedMemory() throws {
        try withTrail { directory, early, _ in
            try write(early + [[UInt8](repeating: 0x78, count: 5_000_000)], "\(directory)/\(Self.first)")
            #expect(try AuditVerifier.verify(path: directory).firstBreak?.line == 5)
        }
    }

    @Test func placesWithoutATrail() throws {
        try withDirectory { directory in
            #expect(throws: AuditError.self) { try AuditVerifier.verify(path: directory) }
            try TemporaryDirectory.write([], to: directory + "/.lock")
            #expect(throws: AuditError.noFiles(path: directory)) { try AuditVerifier.verify(path: directory) }
            try TemporaryDirectory.write([], to: "\(directory)/\(Self.first)")
            let report = try AuditVerifier.verify(path: directory)
            #expect(report.isIntact && report.records == 0 && report.lastChain.isEmpty)
        }
    }
}
