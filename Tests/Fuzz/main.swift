import Fuzzing
import Glibc

/// Says how it is used and ends.
func misused() -> Never {
    print("usage: tollgate-fuzz SECONDS SEED [TARGET [ROUND]]; targets: \(FuzzTarget.all.map(\.name))")
    exit(64)
}

let words = Array(CommandLine.arguments.dropFirst())
guard words.count >= 2, let seconds = Int(words[0]), let seed = UInt64(words[1]) else { misused() }
let targets = words.count > 2 ? FuzzTarget.all.filter { $0.name == words[2] } : FuzzTarget.all
guard !targets.isEmpty else { misused() }

/// One round; what it was stands in the file in case that the process does not survive it.
func play(_ target: FuzzTarget, _ round: UInt64, _ current: Int32) -> FuzzTarget.Verdict {
    let name = Array("SEED=\(seed) TARGET=\(target.name) ROUND=\(round)                    \n".utf8)
    // Unsafe: the call reads the bytes it is given.
    _ = unsafe name.withUnsafeBytes { unsafe pwrite(current, $0.baseAddress, $0.count, 0) }
    let input = target.input(seed: seed, round: round)
    let verdict = target.verdict(input)
    if case .wrong(let what) = verdict {
        print("SEED=\(seed) TARGET=\(target.name) ROUND=\(round): \(what)\n\(input)")
        exit(1)
    }
    return verdict
}

// Unsafe: the name is a literal.
let current = unsafe open(".build/fuzz-round", O_CREAT | O_RDWR | O_TRUNC, 0o644)
if words.count > 3 {
    guard let round = UInt64(words[3]) else { misused() }
    print(targets[0].input(seed: seed, round: round))
    print(play(targets[0], round, current))
    exit(0)
}
let end = ContinuousClock.now + .seconds(seconds)
var counts = [String: (taken: Int, refused: Int)]()
var first: UInt64 = 0
while ContinuousClock.now < end {
    for target in targets {
        for round in first..<(first + 100) {
            if case .taken = play(target, round, current) {
                counts[target.name, default: (0, 0)].taken += 1
            } else {
                counts[target.name, default: (0, 0)].refused += 1
            }
        }
    }
    first += 100
}
for target in targets {
    let count = counts[target.name, default: (0, 0)]
    print("\(target.name): \(count.taken) taken, \(count.refused) refused")
}
