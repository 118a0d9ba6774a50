import TestKit
import Testing

@testable import Audit

@Suite struct TailScannerTests {
    private func scan(_ file: [UInt8], chunk: Int) -> TailScanner.Finding? {
        var scanner = TailScanner(fileSize: Int64(file.count), chunk: chunk)
        while let wanted = scanner.wanted {
            scanner.feed(Array(file[Int(wanted.offset)..<Int(wanted.offset) + wanted.count]))
        }
        return scanner.finding
    }

    private func sealed(_ count: Int) -> (file: [UInt8], ends: [Int], seals: [SealedLine]) {
        var chain = AuditChain()
        var (file, ends, seals): ([UInt8], [Int], [SealedLine]) = ([], [], [])
        for number in 0..<count {
            let start = file.count
            chain.seal(Array("{\"n\":\(number * number * 977)".utf8).span, into: &file)
            ends.append(file.count)
            if let seal = SealedLine(file.span.extracting(start..<file.count - 1)) { seals.append(seal) }
        }
        return (file, ends, seals)
    }

    @Test(arguments: [1, 2, 7, 64, 100, 4_096]) func everyLengthOfAFile(chunk: Int) {
        let (file, ends, seals) = sealed(4)
        for length in 0...file.count {
            let whole = ends.lastIndex { $0 <= length }
            let expected = whole.map {
                TailScanner.Finding.record(seals[$0], tornBytes: Int64(length - ends[$0]))
            }
            #expect(
                scan(Array(file[..<length]), chunk: chunk) == expected
                    ?? TailScanner.Finding.none(tornBytes: Int64(length)))
        }
    }

    @Test(arguments: [5, 1_000, 32 << 10]) func aLongTornRestIsSkipped(chunk: Int) {
        let (file, _, seals) = sealed(3)
        let zeros = [UInt8](repeating: 0, count: 200_000)
        #expect(scan(file + zeros, chunk: chunk) == .record(seals[2], tornBytes: 200_000))
        #expect(scan(zeros, chunk: chunk) == TailScanner.Finding.none(tornBytes: 200_000))
    }

    @Test(arguments: [3, 50, 32 << 10]) func linesThatAreNoRecords(chunk: Int) {
        let (file, _, _) = sealed(2)
        #expect(scan(file + Array("garbage\ntorn".utf8), chunk: chunk) == .unreadable(offset: Int64(file.count)))
        #expect(scan(Array("\n".utf8), chunk: chunk) == .unreadable(offset: 0))
        let long = [UInt8](repeating: 0x78, count: TailScanner.maximumLine * 3) + [0x0A]
        guard case .unreadable = scan(file + long, chunk: chunk) else {
            Issue.record("a line of any length was taken for a record")
            return
        }
    }

    @Test func aFileThatShrankMeanwhile() {
        var scanner = TailScanner(fileSize: 100)
        scanner.feed([1, 2, 3])
        #expect(scanner.finding == .unreadable(offset: 0))
        #expect(scanner.wanted == nil)
    }
}
