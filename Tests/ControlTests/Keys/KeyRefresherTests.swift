import Control
import Logging
import Synchronization
import TestKit
import Testing

@Suite struct KeyRefresherTests {
    private let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test func fetchesAtOnceOnScheduleAndWhenAsked() async throws {
        let (fetched, note) = AsyncStream.makeStream(of: Int.self)
        let (pauses, pause) = AsyncStream.makeStream(of: Duration.self)
        let (resumes, resume) = AsyncStream.makeStream(of: Void.self)
        let gate = Gate(resumes)
        let count = Atomic(0)
        let wakes = KeyWakes()
        let refresher = KeyRefresher(
            issuer: "a", wakes: wakes, schedule: RefreshSchedule(), random: SeededGenerator(seed: 1), log: quiet,
            sleep: { duration in
                pause.yield(duration)
                await gate.wait()
            },
            refresh: { () async throws(KeyFetchError) in
                let number = count.add(1, ordering: .relaxed).newValue
                note.yield(number)
                if number == 2 { throw KeyFetchError.badURL("x", "y") }
            })
        var fetches = fetched.makeAsyncIterator()
        var slept = pauses.makeAsyncIterator()
        #expect(await fetches.next() == 1)
        #expect(try #require(await slept.next()) >= .seconds(270))
        resume.yield()
        #expect(await fetches.next() == 2)
        #expect(try #require(await slept.next()) <= .seconds(1), "a failure is retried soon")
        wakes.wake()
        #expect(await fetches.next() == 3, "an unknown key asks at once")
        refresher.stop()
    }

    /// Lets one sleeper through for each element.
    private actor Gate {
        private var iterator: AsyncStream<Void>.Iterator
        init(_ stream: AsyncStream<Void>) { iterator = stream.makeAsyncIterator() }
        func wait() async {
            var copy = iterator
            _ = await copy.next(isolation: self)
            iterator = copy
        }
    }
}
