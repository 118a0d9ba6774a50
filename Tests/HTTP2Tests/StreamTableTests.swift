import HTTP2
import TestKit
import Testing

@Suite("What is kept for each stream") struct StreamTableTests {
    /// A table beside a dictionary, which must agree whatever happens.
    private struct Pair {
        var table = StreamTable<Int>()
        var mirror: [UInt32: Int] = [:]

        mutating func set(_ stream: UInt32, _ value: Int?) {
            table[stream] = value
            mirror[stream] = value
        }

        func agrees(on streams: some Sequence<UInt32>) -> Bool {
            var found: [UInt32: Int] = [:]
            table.forEach { stream, value in found[stream] = value }
            return table.count == mirror.count && found == mirror && streams.allSatisfy { table[$0] == mirror[$0] }
        }
    }

    @Test("A window of identifiers that moves on and wraps around") func window() {
        var pair = Pair()
        for stream in stride(from: UInt32(1), to: 4001, by: 2) {
            pair.set(stream, Int(stream))
            if stream > 200 { pair.set(stream - 200, nil) }
            #expect(pair.agrees(on: stride(from: stream > 210 ? stream - 210 : 1, to: stream + 8, by: 2)))
        }
        #expect(pair.table.count == 100)
    }

    /// Few homes, so that runs of those that clash are long, touch one another and wrap around.
    @Test("Streams that clash", arguments: [4, 8, 24]) func clashes(_ maximum: Int) {
        var random = SeededGenerator(seed: UInt64(maximum))
        let homes: [UInt32] = [0, 1, 2, 5, 6, 7]
        let streams = homes.flatMap { home in (0..<6).map { UInt32(1) + 2 * (home + 64 * $0) } }
        var pair = Pair()
        for round in 0..<20000 {
            let stream = streams[Int.random(in: 0..<streams.count, using: &random)]
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                if pair.mirror[stream] != nil || pair.mirror.count < maximum { pair.set(stream, round) }
            case 2: pair.set(stream, nil)
            case _:
                let before = pair.mirror[stream]
                let updated = pair.table.update(stream) { value in
                    value += 1
                    return value
                }
                #expect(updated == before.map { $0 + 1 })
                if let updated { pair.mirror[stream] = updated }
            }
            guard pair.agrees(on: streams) else {
                Issue.record("round \(round), stream \(stream)")
                return
            }
        }
    }

    @Test("What was removed is let go of") func references() {
        final class Object {}
        var table = StreamTable<Object>()
        for stream: UInt32 in [1, 17, 33, 3] { table[stream] = Object() }
        weak let last = table[33]
        table[1] = nil
        #expect(last != nil)
        table[33] = nil
        #expect(last == nil)
        #expect(table[17] != nil && table[3] != nil && table.count == 2)
    }
}
