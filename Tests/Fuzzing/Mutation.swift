import TestKit

/// Makes new inputs of old ones.
struct Mutation {
    /// No input is longer: some bounds lie at 64 KiB, and nothing new is behind them.
    private static let maximumBytes = 70_000

    let corpus: [[UInt8]]
    let words: [[UInt8]]

    func input(_ random: inout SeededGenerator) -> [UInt8] {
        var bytes = corpus.randomElement(using: &random) ?? []
        // Some are left as they are, and some consist of words alone.
        switch Int.random(in: 0..<32, using: &random) {
        case 0: return bytes
        case 1: bytes = (0..<20).flatMap { _ in word(&random) }
        case _: break
        }
        // Mostly one or two, so that something of the meaning is left.
        let changes = 1...Int.random(in: 1...6, using: &random)
        for _ in 0..<Int.random(in: changes, using: &random) { change(&bytes, &random) }
        return Array(bytes.prefix(Self.maximumBytes))
    }

    private func word(_ random: inout SeededGenerator) -> [UInt8] {
        words.randomElement(using: &random) ?? [random.next()]
    }

    private func change(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        let place = Int.random(in: 0...bytes.count, using: &random)
        let length = Int.random(in: 1...(Bool.random(using: &random) ? 4 : 64), using: &random)
        let end = min(bytes.count, place + length)
        switch Int.random(in: 0..<10, using: &random) {
        case 0 where place < bytes.count: bytes[place] = random.next()
        case 1 where place < bytes.count: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 2 where place < bytes.count: bytes[place] = bytes[place] &+ (Bool.random(using: &random) ? 1 : 255)
        case 3: bytes.removeSubrange(place..<end)
        case 4: bytes.replaceSubrange(place..<end, with: word(&random))
        case 5: bytes.insert(contentsOf: bytes[place..<end], at: place)
        case 6:
            let other = corpus.randomElement(using: &random) ?? []
            bytes.replaceSubrange(place..., with: other.suffix(Int.random(in: 0...other.count, using: &random)))
        case 7:
            let times = Int.random(in: 2...(Int.random(in: 0..<8, using: &random) == 0 ? 2000 : 20), using: &random)
            let run = Array(bytes[place..<end])
            bytes.insert(contentsOf: (0..<times).flatMap { _ in run }, at: place)
        case 8: bytes.removeSubrange(place...)
        case _: bytes.insert(contentsOf: word(&random), at: place)
        }
    }
}

extension SeededGenerator {
    /// Any byte.
    fileprivate mutating func next() -> UInt8 { UInt8.random(in: .min ... .max, using: &self) }
}
