import TestKit
import Testing

@testable import Audit

@Suite struct AuditLineReaderTests {
    private func read(_ path: String) throws -> (lines: [Int], last: AuditLineReader.Kind?) {
        var (lines, last): ([Int], AuditLineReader.Kind?) = ([], nil)
        _ = try AuditLineReader(path: path).forEachLine { line, kind in
            lines.append(line.count)
            last = kind
            return true
        }
        return (lines, last)
    }

    @Test func linesAcrossChunks() throws {
        try withDirectory { path in
            for length in [0, 1, 1_000, 65_535, 65_536] {
                let count = max(3, 400_000 / (length + 1))
                let line = [UInt8](repeating: 0x78, count: length) + [0x0A]
                try write(Array((0..<count).map { _ in line }.joined()), to: path)
                let found = try read(path)
                #expect(found.lines == [Int](repeating: length, count: count))
                #expect(found.last == .whole)
            }
        }
    }

    @Test(arguments: [1, 131_071, 131_072, 131_073]) func fileSizesAroundAChunk(size: Int) throws {
        try withDirectory { path in
            var bytes = [UInt8](repeating: 0x78, count: size)
            for index in stride(from: 99, to: size, by: 100) { bytes[index] = 0x0A }
            try write(bytes, to: path)
            let found = try read(path)
            #expect(found.lines.reduce(0, +) + size / 100 == size)
            #expect(found.last == .torn)
        }
    }

    @Test func emptyAndEndless() throws {
        try withDirectory { path in
            try write([], to: path)
            #expect(try read(path).lines.isEmpty)
            try write([UInt8](repeating: 0x78, count: 1_000_000), to: path)
            let found = try read(path)
            #expect(found.last == .tooLong && found.lines.count == 1 && found.lines[0] < 300_000)
        }
    }
}
