import Fuzzing
import Testing

/// A short run of the fuzzer, the same each time; CONTRIBUTING.md says how to have a long one.
@Suite struct FuzzTests {
    @Test("whatever comes is taken or refused as it must be", arguments: FuzzTarget.all.map(\.name))
    func whatMustHold(_ name: String) throws {
        let target = try #require(FuzzTarget.all.first { $0.name == name })
        var taken = 0
        var refused = 0
        for round in 0..<UInt64(200) {
            let input = target.input(seed: 1, round: round)
            switch target.verdict(input) {
            case .taken: taken += 1
            case .refused: refused += 1
            case .wrong(let what): Issue.record("round \(round): \(what): \(input)")
            }
        }
        // The inputs reach both sides of the line.
        #expect(taken > 5 && refused > 5, "\(taken) taken, \(refused) refused")
    }

    @Test("the same round is the same input, and another one is not")
    func inputs() {
        for target in FuzzTarget.all {
            let inputs = (0..<UInt64(20)).map { target.input(seed: 9, round: $0) }
            #expect(inputs == (0..<UInt64(20)).map { target.input(seed: 9, round: $0) })
            #expect(Set(inputs).count > 10)
            #expect(inputs != (0..<UInt64(20)).map { target.input(seed: 10, round: $0) })
        }
    }
}
