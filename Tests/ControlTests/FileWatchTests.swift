import Control
import Synchronization
import Testing

@Suite struct FileWatchTests {
    @Test func changesAreReportedOnce() async throws {
        let here = try #require(FileStamp(path: "/"))
        let (looks, look) = AsyncStream.makeStream(of: Int.self)
        let (changes, change) = AsyncStream.makeStream(of: [String].self)
        // What the two files look like at each look: b appears at the third and goes at the fifth.
        let moment = Atomic(0)
        let sleeper = Sleeper(looks)
        let watch = FileWatch(
            paths: {
                moment.add(1, ordering: .relaxed)
                return ["a", "b"]
            },
            stamp: { path in
                let now = moment.load(ordering: .relaxed)
                return path == "b" && (3...4).contains(now) ? here : nil
            },
            sleep: { try await sleeper.wait() },
            onChange: { change.yield($0) })
        for number in 0..<5 { look.yield(number) }
        var reported = changes.makeAsyncIterator()
        #expect(await reported.next() == ["b"])
        #expect(await reported.next() == ["b"])
        #expect(moment.load(ordering: .relaxed) >= 5)
        watch.stop()
    }

    @Test func aMissingFileHasNoStamp() {
        #expect(FileStamp(path: "/nonexistent/file") == nil)
    }

    private actor Sleeper {
        private var iterator: AsyncStream<Int>.Iterator
        init(_ stream: AsyncStream<Int>) { iterator = stream.makeAsyncIterator() }
        func wait() async throws {
            var copy = iterator
            let element = await copy.next(isolation: self)
            iterator = copy
            if element == nil { throw CancellationError() }
        }
    }
}
