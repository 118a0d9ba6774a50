import Gate
import Settings
import TestKit
import Testing

/// Whatever becomes of a configuration, the reader says what is wrong or the builder makes a snapshot of it.
@Suite struct MutationTests {
    private let fixture = Fixture(
        environment: ["HOME": "/home/x"], files: Fixture.contractFiles)

    private func survives(_ bytes: [UInt8]) {
        do throws(SettingsError) {
            let loaded = try Settings.read(bytes, file: "gateway.json", surroundings: fixture.surroundings)
            _ = try SnapshotBuilder.offline.build(loaded.settings)
        } catch {
            #expect(!error.problems.isEmpty)
            for problem in error.problems {
                #expect(problem.line >= 1 && problem.column >= 1)
                #expect(problem.path.hasPrefix("$"))
                #expect(!problem.message.isEmpty)
            }
        }
    }

    @Test func bytes() {
        let document = Array(Fixture.contract.utf8)
        var random = SeededGenerator(seed: 11)
        let alphabet = Array("{}[]\",:\\$0-9.eE/*tn \n".utf8) + [0, 0x7f, 0x80, 0xff]
        for _ in 0..<1500 {
            var mutated = document
            for _ in 0...Int.random(in: 0...3, using: &random) {
                let place = Int.random(in: 0..<mutated.count, using: &random)
                let byte = alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                switch Int.random(in: 0...2, using: &random) {
                case 0: mutated[place] = byte
                case 1: mutated.insert(byte, at: place)
                case _: mutated.remove(at: place)
                }
            }
            survives(mutated)
        }
    }

    /// Swaps whole tokens, so that most of the results are JSON and reach the checks.
    @Test func tokens() {
        let values = [
            "null", "true", "0", "-1", "1e308", "\"\"", "\"x\"", "[]", "{}", "[null]", "{\"\": 1}", "\"${HOME}\"",
            "\"${\"", "\"/**\"", "\"/{a}/{a}\"", "\"thing:/{b}\"", "\"127.0.0.1:0\"", "\"jwt\"", "\"things\"", "\"1s\"",
            "\"{{ jwt:a | fn:default('x') }}\"", "[\"jwt\"]", "{\"file\": \"policies/things.json\"}", "\"\\u0000\"",
        ]
        let pieces = pieces(of: Fixture.contract)
        var random = SeededGenerator(seed: 12)
        let places = pieces.indices.filter { pieces[$0].first == "\"" || pieces[$0].first?.isNumber == true }
        for _ in 0..<1500 {
            var mutated = pieces
            for _ in 0...Int.random(in: 0...1, using: &random) {
                guard let place = places.randomElement(using: &random) else { continue }
                mutated[place] = values.randomElement(using: &random) ?? ""
            }
            survives(Array(mutated.joined().utf8))
        }
    }

    /// Strings, numbers and what stands between them; the text of the fixture has no escapes.
    private func pieces(of text: String) -> [String] {
        var pieces: [String] = []
        var current = ""
        var isInString = false
        for character in text {
            if character == "\"" {
                if isInString {
                    pieces.append(current + "\"")
                    current = ""
                } else {
                    pieces.append(current)
                    current = "\""
                }
                isInString.toggle()
            } else if !isInString, character.isNumber != (current.first?.isNumber ?? false) {
                pieces.append(current)
                current = String(character)
            } else {
                current.append(character)
            }
        }
        return pieces + [current]
    }
}
