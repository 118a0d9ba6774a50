import HTTP2
import TestKit
import Testing

@Suite("Who takes turns") struct TurnQueueTests {
    private final class Taker: TurnTaker {
        let name: Int
        var isQueued = false
        /// What it has yet to send, and how much of it its own window lets through.
        var content: Int
        var window: Int
        var sent = 0

        init(_ name: Int, content: Int = .max, window: Int = .max) {
            self.name = name
            self.content = content
            self.window = window
        }

        /// Sends one if it may; whether it did.
        func send(_ room: inout Int) -> Bool {
            guard content > 0, window > 0, room > 0 else { return false }
            content -= 1
            window -= 1
            room -= 1
            sent += 1
            return true
        }
    }

    private static func takers(_ count: Int) -> [Taker] { (0..<count).map { Taker($0) } }

    /// One round in which `room` turns' worth can be sent; the names of those who sent something.
    private static func round(_ queue: inout TurnQueue<Taker>, room: Int) -> [Int] {
        var room = room
        var served: [Int] = []
        while let taker = queue.next() {
            let hasSent = taker.send(&room)
            if hasSent { served.append(taker.name) }
            if taker.content > 0 { queue.append(taker) }
            queue.endTurn(hasSent: hasSent)
        }
        queue.endRound()
        return served
    }

    @Test("Each has its turn before any has two, however many turns a round has room for", arguments: 1...7)
    func inTurn(_ room: Int) {
        var queue = TurnQueue<Taker>()
        for taker in Self.takers(5) { queue.append(taker) }
        let served = (0..<10).flatMap { _ in Self.round(&queue, room: room) }
        #expect(served == (0..<10 * room).map { $0 % 5 })
    }

    @Test("Who gets nothing because its own window is shut holds nobody up, and is first when it opens") func shut() {
        var queue = TurnQueue<Taker>()
        let takers = Self.takers(4)
        takers[1].window = 0
        for taker in takers { queue.append(taker) }
        #expect(Self.round(&queue, room: 4) == [0, 2, 3, 0])
        #expect(Self.round(&queue, room: 1) == [2])
        takers[1].window = 1
        #expect(Self.round(&queue, room: 3) == [1, 3, 0])
        #expect(Self.round(&queue, room: 2) == [2, 3])
    }

    @Test("Who has nothing more leaves, and is there once however often it asks") func leaving() {
        var queue = TurnQueue<Taker>()
        let takers = [Taker(0, content: 1), Taker(1, content: 2)]
        for taker in takers + takers { queue.append(taker) }
        #expect(takers.allSatisfy { $0.isQueued })
        #expect(Self.round(&queue, room: 9) == [0, 1, 1])
        #expect(queue.isEmpty && takers.allSatisfy { !$0.isQueued })
        takers[0].content = 1
        queue.append(takers[0])
        #expect(Self.round(&queue, room: 9) == [0])
    }

    @Test("A round that is broken off leaves those first who had no turn in it") func brokenOff() throws {
        var queue = TurnQueue<Taker>()
        for taker in Self.takers(4) { queue.append(taker) }
        for hasSent in [false, true] {
            let next = queue.next()
            let taker = try #require(next)
            queue.append(taker)
            queue.endTurn(hasSent: hasSent)
        }
        #expect(!queue.contains { $0.name > 3 })
        for name in 0..<4 { #expect(queue.contains { $0.name == name }) }
        queue.endRound()
        #expect(Self.round(&queue, room: 4) == [0, 2, 3, 1])
    }

    @Test("Who has something goes ahead when nobody waits, and stands behind those who do") func goingAhead() {
        var queue = TurnQueue<Taker>()
        let takers = Self.takers(3)
        var answers = [queue.mayGoAhead(takers[0])]
        #expect(queue.isEmpty && !takers[0].isQueued)
        queue.append(takers[1])
        for index in [2, 0, 2] { answers.append(queue.mayGoAhead(takers[index])) }
        #expect(answers == [true, false, false, false])
        #expect(Self.round(&queue, room: 4) == [1, 2, 0, 1])
    }

    @Test("Who comes during a turn stands behind the others; whose turn it is does not wait for itself")
    func meanwhile()
        throws
    {
        var queue = TurnQueue<Taker>()
        let takers = Self.takers(3)
        queue.append(takers[0])
        let next = queue.next()
        let first = try #require(next)
        let goesAhead = queue.mayGoAhead(first)
        #expect(goesAhead)
        queue.append(first)
        #expect(first.isQueued && queue.isEmpty)
        queue.append(takers[1])
        let isBehind = !queue.mayGoAhead(takers[2])
        #expect(isBehind)
        // It got nothing, and so is still the first.
        queue.endTurn(hasSent: false)
        #expect(!queue.isEmpty)
        queue.endRound()
        #expect(Self.round(&queue, room: 3) == [0, 1, 2])
    }

    @Test("When all leave in the middle of a turn nobody is there, nor held, and all may come again") func leavingAll()
        throws
    {
        var queue = TurnQueue<Taker>()
        let takers = Self.takers(3)
        for taker in takers { queue.append(taker) }
        let next = queue.next()
        let first = try #require(next)
        queue.append(first)
        queue.removeAll()
        queue.endTurn(hasSent: true)
        queue.endRound()
        let none = queue.next()
        #expect(queue.isEmpty && none == nil)
        for taker in takers.reversed() { queue.append(taker) }
        #expect(Self.round(&queue, room: 4) == [2, 1, 0, 2])
    }

    @Test("Who has left is let go of when the round ends") func references() {
        var queue = TurnQueue<Taker>()
        var taker: Taker? = Taker(0, content: 1)
        weak let last = taker
        if let taker { queue.append(taker) }
        taker = nil
        #expect(last != nil)
        #expect(Self.round(&queue, room: 1) == [0])
        #expect(last == nil)
    }

    /// The names of those who send something in a round, by a line on paper: whose turn it is stays in its place or goes to the
    /// end.
    private static func round(_ line: inout [Int], _ takers: [Taker], room: Int) -> [Int] {
        var room = room
        var left = takers.map { (content: $0.content, window: $0.window) }
        var served: [Int] = []
        var place = 0
        while place < line.count {
            let name = line[place]
            let sends = min(left[name].content, left[name].window, room) > 0
            if sends {
                served.append(name)
                left[name].content -= 1
                left[name].window -= 1
                room -= 1
            }
            if !sends, left[name].content > 0 {
                place += 1
            } else {
                line.remove(at: place)
                if left[name].content > 0 { line.append(name) }
            }
        }
        return served
    }

    @Test("Whatever happens, turns are those of the line on paper", arguments: [1, 2, 3, 4] as [UInt64])
    func random(_ seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var queue = TurnQueue<Taker>()
        let takers = Self.takers(12)
        var line: [Int] = []
        for number in 0..<2000 {
            for _ in 0..<Int.random(in: 0..<4, using: &random) {
                let taker = takers[Int.random(in: 0..<takers.count, using: &random)]
                taker.content = Int.random(in: 0..<6, using: &random)
                taker.window = Int.random(in: 0..<4, using: &random)
                guard !line.contains(taker.name) else { continue }
                let goesAhead = queue.mayGoAhead(taker)
                #expect(goesAhead == line.isEmpty)
                // It goes ahead with a part of what it has, and waits with the rest.
                if goesAhead { queue.append(taker) }
                line.append(taker.name)
            }
            let room = Int.random(in: 0..<6, using: &random)
            let expected = Self.round(&line, takers, room: room)
            let served = Self.round(&queue, room: room)
            guard served == expected, takers.allSatisfy({ $0.isQueued == line.contains($0.name) }) else {
                Issue.record("round \(number): \(served), not \(expected)")
                return
            }
        }
    }
}
