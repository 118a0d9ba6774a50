import StrictJSON
import TestKit
import Testing

@testable import Audit

@Suite struct AuditLineTests {
    private func escaped(_ bytes: [UInt8]) -> String { String(decoding: AuditText(utf8: bytes).escaped, as: UTF8.self) }

    @Test func ordinaryTextStays() {
        #expect(escaped(Array("/api/2/things/café/日本/😀".utf8)) == "/api/2/things/café/日本/😀")
    }

    @Test func whatActsOnTerminalsIsEscaped() {
        #expect(
            escaped(Array("a\"b\\c\r\n\t\u{1b}[2J\u{7f}\u{0}".utf8))
                == #"a\"b\\c\u000d\u000a\u0009\u001b[2J\u007f\u0000"#)
        #expect(
            escaped(Array("\u{85}\u{9b}\u{2028}\u{2029}\u{202e}\u{feff}".utf8))
                == #"\u0085\u009b\u2028\u2029\u202e\ufeff"#)
    }

    @Test func invalidBytesBecomeReplacements() {
        for bad: [UInt8] in [
            [0x80], [0xFF], [0xC3], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82],
        ] {
            #expect(escaped([0x61] + bad + [0x62]) == "a" + String(repeating: #"\ufffd"#, count: bad.count) + "b")
        }
    }

    @Test func everyScalarSurvivesOrIsItself() throws {
        for value in UInt32(0)...0x10FFFF {
            guard value < 0x3100 || value % 61 == 0, let scalar = Unicode.Scalar(value) else { continue }
            let document = [UInt8(ascii: "\"")] + AuditText(String(scalar)).escaped + [UInt8(ascii: "\"")]
            let read = try parse(document).string
            guard let read, read.unicodeScalars.elementsEqual([scalar]) else {
                Issue.record("U+\(String(value, radix: 16)) became \(read ?? "nothing")")
                return
            }
        }
    }

    /// Plain text is copied a word at a time: every byte must stop that at every place within a word.
    @Test func everyByteAtEveryPlace() throws {
        for byte in UInt8.min...UInt8.max {
            for place in 0..<20 {
                var text = [UInt8](repeating: UInt8(ascii: "x"), count: 20)
                text[place] = byte
                let escaped = AuditText(utf8: text).escaped
                let read = try parse([0x22] + escaped + [0x22]).string
                let wanted = String(decoding: text, as: UTF8.self)
                guard let read, read.utf8.elementsEqual(wanted.utf8), escaped.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
                else {
                    Issue.record("byte \(byte) at \(place) became \(String(decoding: escaped, as: UTF8.self))")
                    return
                }
            }
        }
    }

    @Test func randomBytesAlwaysMakeOneLineOfJSON() throws {
        var random = SeededGenerator(seed: 42)
        let ring = try AuditRing(capacity: 1 << 16)
        let spice: [UInt8] = [
            0x22, 0x5C, 0x0A, 0x0D, 0, 0x1B, 0x7F, 0xC2, 0x85, 0xE2, 0x80, 0xA8, 0xED, 0xA0, 0xF0, 0x9F,
        ]
        for round in 0..<5_000 {
            let path = (0..<Int.random(in: 0...80, using: &random)).map { _ in
                Bool.random(using: &random)
                    ? UInt8.random(in: 0...255, using: &random) : spice.randomElement(using: &random) ?? 0
            }
            let text = AuditText(utf8: Array(path.shuffled(using: &random)))
            #expect(ring.appendSample(path: path, method: path.reversed(), entry: text, upstream: text))
            let record = try #require(ring.takeAll().first)
            #expect(record.allSatisfy { $0 >= 0x20 && $0 != 0x7F }, "round \(round)")
            // An entry and an upstream without a name are left out.
            #expect(try parse(record).object?.count == (text.isEmpty ? 18 : 20), "round \(round)")
        }
    }

    @Test func longTextIsCutBetweenCharacters() throws {
        for (unit, rendered) in [("x", 1), ("é", 2), ("😀", 4), ("\n", 6), ("\"", 2)] {
            let text = AuditText(String(repeating: unit, count: 5_000)).escaped
            #expect(text.count == AuditText.maximumBytes / rendered * rendered + 3)
            let read = try #require(try parse([0x22] + text + [0x22]).string)
            #expect(read.hasSuffix("…") && read.dropLast().allSatisfy { String($0) == unit })
        }
        #expect(AuditText(String(repeating: "x", count: 1_024)).escaped.count == 1_024)
    }

    /// The last word of a run overlaps the one before: every length, and every place in it.
    @Test func everyLengthWithAByteThatIsEscaped() throws {
        for count in 0...33 {
            for place in 0...count {
                var text = (0..<count).map { UInt8(ascii: "a") + UInt8($0 % 26) }
                if place < count { text[place] = UInt8(ascii: "\"") }
                let read = try parse([0x22] + AuditText(utf8: text).escaped + [0x22]).string
                #expect(read == String(decoding: text, as: UTF8.self))
            }
        }
    }

    private func line(_ capacity: Int, _ body: (inout AuditLine) -> Void) -> (text: String, isOverflowed: Bool) {
        var isOverflowed = false
        // Unsafe: the cursor lives no longer than the closure, and counts only what it wrote.
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: capacity + 8) { memory, count in
            unsafe memory.initialize(repeating: UInt8(ascii: "~"))
            var line = unsafe AuditLine(UnsafeMutableBufferPointer(rebasing: memory[..<capacity]))
            body(&line)
            isOverflowed = line.isOverflowed
            #expect(
                unsafe memory[line.count...].dropFirst(capacity - line.count).allSatisfy { $0 == UInt8(ascii: "~") })
            count = line.count
        }
        return (String(decoding: bytes, as: UTF8.self), isOverflowed)
    }

    /// Up to four digits are written at once where there is room for four, else one by one.
    @Test func decimals() {
        for number in Array(UInt64(0)...10_001) + [99_999, 100_000, .max] {
            let digits = "\(number)"
            for room in [digits.utf8.count, digits.utf8.count + 4] {
                guard line(room, { $0.appendDecimal(number) }) == (digits, false) else {
                    Issue.record("\(number) is written otherwise in room for \(room)")
                    return
                }
            }
        }
    }

    @Test func whatDoesNotFitIsNotWrittenNorAnythingAfterIt() {
        for room in 0..<12 {
            let (text, isOverflowed) = line(room) { line in
                line.append("abcd")
                line.appendDecimal(UInt64(12_345_678))
                line.append(UInt8(ascii: "!"))
            }
            #expect(isOverflowed)
            #expect(text == (room < 4 ? "" : "abcd"))
        }
        #expect(line(2) { $0.appendDecimal(UInt64(345)) }.isOverflowed)
    }
}
