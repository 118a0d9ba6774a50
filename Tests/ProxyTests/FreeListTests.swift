import Testing

@testable import Proxy

@Suite("Free lists") struct FreeListTests {
    @Test("what was used last comes first, and nothing twice") func order() {
        var list = FreeList<Int>(fewest: 0)
        #expect(list.take() == nil)
        for number in 1...3 { list.add(number) }
        #expect([list.take(), list.take()] == [3, 2])
        list.add(4)
        #expect([list.take(), list.take(), list.take()] == [4, 1, nil])
    }

    @Test("what was needed stays, and what was not goes little by little") func trimming() {
        var list = FreeList<Int>(fewest: 4)
        for number in 0..<100 { list.add(number) }
        // None of them was there all the time.
        list.trim()
        #expect(list.count == 100)
        for _ in 0..<60 { _ = list.take() }
        for number in 0..<60 { list.add(number) }
        list.trim()
        #expect(list.count == 95, "40 were not needed")
        for _ in 0..<1000 {
            for number in (0..<60).compactMap({ _ in list.take() }) { list.add(number) }
            list.trim()
        }
        #expect(list.count == 60, "a load that needs 60 at a time finds them")
        for _ in 0..<1000 { list.trim() }
        #expect(list.count == 4)
    }

    @Test("the oldest go first") func oldest() {
        var list = FreeList<Int>(fewest: 1)
        for number in 1...9 { list.add(number) }
        for _ in 0..<100 { list.trim() }
        #expect(list.take() == 9)
    }
}
