import CLinux
import Glibc
import NIOConcurrencyHelpers
import TestKit
import Testing

@testable import Reactor

/// The loop itself: events, timers, tasks, and its end.
@Suite("Reactor")
struct ReactorTests {
    /// A source that only says that it was called.
    private final class Probe: EventSource {
        var calls = 0
        var onReady: (Probe) -> Void = { _ in }

        func ready(_ events: UInt32) {
            calls += 1
            onReady(self)
        }
    }

    // MARK: Sources

    @Test("an event already taken does not reach whoever got the slot meanwhile")
    func staleEvent() async throws {
        try await withReactor { reactor in
            let calls = try await reactor.submit { reactor in
                Result { () throws(ReactorError) in
                    let old = [Probe(), Probe()]
                    let new = Probe()
                    var slots: [Int] = []
                    let descriptors = (0..<3).map { _ in tollgate_eventfd() }
                    for (probe, descriptor) in zip(old, descriptors) {
                        slots.append(try reactor.add(probe, descriptor: descriptor, events: Events.input))
                    }
                    for (index, probe) in old.enumerated() {
                        probe.onReady = { _ in
                            // Whichever of the two comes first ends the other, whose event is in the same batch.
                            let other = 1 - index
                            reactor.remove(slots[other])
                            close(descriptors[other])
                            let slot = try? reactor.add(new, descriptor: descriptors[2], events: Events.input)
                            #expect(slot == slots[other])
                            tollgate_eventfd_drain(descriptors[index])
                        }
                    }
                    for descriptor in descriptors[..<2] { tollgate_eventfd_signal(descriptor) }
                    return ReactorBound((old, new), on: reactor)
                }
            }.get()
            // A task of the round after the one with the batch.
            await reactor.submit { _ in }
            let counted = await reactor.submit { reactor in
                calls.value(on: reactor).map { [$0.0.reduce(0) { $0 + $1.calls }, $0.1.calls] }
            }
            #expect(counted == [1, 0])
        }
    }

    @Test("who asks to be called again gets its turn, and so do the others")
    func callAgain() async throws {
        try await withReactor { reactor in
            let journal = Journal()
            await reactor.submit { reactor in
                let probe = Probe()
                probe.onReady = { probe in
                    journal.note("again")
                    if probe.calls == 1 { reactor.handle.execute { _ in journal.note("task") } }
                    if probe.calls == 2 { reactor.schedule(at: reactor.now) { journal.note("timer") } }
                    if probe.calls < 4 { reactor.callAgain(probe) }
                }
                reactor.callAgain(probe)
            }
            let order = ["again", "task", "again", "timer", "again", "again"].map { Journal.Entry.note($0) }
            #expect(eventually { journal.entries.count >= order.count })
            #expect(journal.entries == order)
        }
    }

    /// Asks for another end of a round at every end, up to a bound.
    private final class Insatiable: RoundParticipant {
        let reactor: Reactor
        let journal: Journal
        var rest = 4

        init(_ reactor: Reactor, _ journal: Journal) {
            (self.reactor, self.journal) = (reactor, journal)
        }

        func roundEnded() {
            journal.note("end")
            if rest == 4 { reactor.handle.execute { [journal] _ in journal.note("task") } }
            rest -= 1
            if rest > 0 { reactor.atRoundEnd(self) }
        }
    }

    @Test("who asks for the end of a round at the end of a round lets the others have a round first")
    func roundEnds() async throws {
        try await withReactor { reactor in
            let journal = Journal()
            await reactor.submit { reactor in reactor.atRoundEnd(Insatiable(reactor, journal)) }
            let order = ["end", "task", "end", "end", "end"].map { Journal.Entry.note($0) }
            #expect(eventually { journal.entries.count >= order.count })
            #expect(journal.entries == order)
        }
    }

    @Test("a refusal of the kernel's is an error with its reason, and leaves nothing open")
    func refusedByTheKernel() async throws {
        try await withReactor { reactor in
            let code = await reactor.submit { reactor -> Int32 in
                do throws(ReactorError) {
                    _ = try reactor.add(Probe(), descriptor: -1, events: Events.input)
                    return 0
                } catch { return error.code }
            }
            #expect(code == EBADF)
            let address = try #require(StreamAddress(literal: "127.0.0.1", port: 0))
            let outcome = await reactor.submit { reactor in
                reactor.deaf {
                    do throws(ReactorError) {
                        _ = try Acceptor(reactor, on: ListeningSocket(at: address)) { _, _ in }
                        return "listens"
                    } catch { return error.description }
                }
            }
            #expect(outcome == "epoll_ctl failed: Invalid argument")
            let (listener, port) = try Socket.listen()
            let peer = try Socket.connect(port: port)
            let accepted = try #require(listener.accept()).release()
            let isMade = await reactor.submit { reactor in
                reactor.deaf { Stream(reactor, descriptor: accepted, handler: Recorder(Journal())) != nil }
            }
            #expect(!isMade)
            #expect(peer.receive(by: .now + .seconds(30)) == .end)
        }
    }

    // MARK: Timers

    @Test("timers fire in the order of their times, those in the past as well")
    func timerOrder() async throws {
        try await withReactor { reactor in
            let journal = Journal()
            await reactor.submit { reactor in
                let now = reactor.now
                for (delay, name) in [
                    (Int64(3_000_000), "d"), (0, "b"), (3_000_000, "e"), (-5, "a"), (5_000_000, "f"), (0, "c"),
                ] {
                    reactor.schedule(at: now + delay) { [reactor] in
                        journal.note(reactor.now >= now + delay ? name : "early")
                    }
                }
                reactor.schedule(at: .min) { journal.note("first") }
                reactor.schedule(at: .max) { journal.note("never") }
            }
            #expect(journal.has(.note("f")))
            #expect(journal.entries == ["first", "a", "b", "c", "d", "e", "f"].map { .note($0) })
        }
    }

    @Test("a timer that was taken back does not fire, also when another one does it in the same round")
    func cancel() async throws {
        try await withReactor { reactor in
            let journal = Journal()
            await reactor.submit { reactor in
                let now = reactor.now
                let first = reactor.schedule(at: now) { journal.note("never") }
                reactor.cancel(first)
                reactor.cancel(first)
                var late: UInt64 = 0
                reactor.schedule(at: now) { reactor.cancel(late) }
                late = reactor.schedule(at: now) { journal.note("never") }
                reactor.schedule(at: now) { journal.note("last") }
            }
            #expect(journal.has(.note("last")))
            #expect(journal.entries == [.note("last")])
        }
    }

    @Test("timers that make one another do not keep the loop from everything else", arguments: [Int64(0), -1])
    func timerChain(_ delay: Int64) async throws {
        try await withReactor { reactor in
            let journal = Journal()
            await reactor.submit { reactor in
                var links = 0
                func link() {
                    links += 1
                    journal.note("link")
                    if links < 1000, !journal.entries.contains(.note("task")) {
                        reactor.schedule(at: reactor.now + delay, link)
                    }
                }
                link()
                reactor.handle.execute { _ in journal.note("task") }
            }
            #expect(journal.has(.note("task")))
            #expect(journal.entries.prefix(3) == [.note("link"), .note("link"), .note("task")])
        }
    }

    // MARK: Tasks

    @Test("tasks of many threads all run, each thread's in order")
    func tasksOfManyThreads() async throws {
        try await withReactor { reactor in
            let seen = NIOLockedValueBox([[Int]](repeating: [], count: 8))
            await withTaskGroup(of: Void.self) { group in
                for thread in 0..<8 {
                    group.addTask {
                        for number in 0..<2000 {
                            reactor.execute { _ in seen.withLockedValue { $0[thread].append(number) } }
                        }
                    }
                }
            }
            await reactor.submit { _ in }
            #expect(seen.withLockedValue { $0 } == [[Int]](repeating: Array(0..<2000), count: 8))
        }
    }

    @Test("the end: what is queued still runs, what comes later is let go")
    func stopWithTasksQueued() async throws {
        let reactor = try ReactorHandle(name: "test")
        let journal = Journal()
        reactor.execute { reactor in
            reactor.handle.execute { reactor in
                journal.note("queued")
                reactor.handle.execute { _ in journal.note("never") }
            }
            reactor.stop()
            journal.note("stopped")
        }
        reactor.execute { _ in journal.note("behind") }
        reactor.join()
        #expect(Set(journal.entries) == [.note("stopped"), .note("behind"), .note("queued")])
        weak var weakly: Journal?
        do {
            let kept = Journal()
            weakly = kept
            reactor.execute { _ in kept.note("never") }
        }
        #expect(weakly == nil)
        reactor.join()
    }

    @Test("a loop that has ended keeps nothing: its descriptors are closed")
    func endFreesEverything() async throws {
        weak var weakly: ReactorHandle?
        do {
            let reactor = try ReactorHandle(name: "test")
            weakly = reactor
            _ = await reactor.submit { reactor in
                reactor.schedule(at: .max) { _ = reactor.now }
            }
            reactor.join()
        }
        #expect(eventually { weakly == nil })
    }

    @Test("a loop whose epoll instance is none ends the process with a reason, instead of spinning")
    func brokenEpoll() async {
        await #expect(processExitsWith: .failure) {
            let reactor = try ReactorHandle(name: "test")
            _ = await reactor.submit { reactor in
                let other = tollgate_eventfd()
                return dup2(other, reactor.poll)
            }
            // Answered only by a loop that goes on without hearing anything.
            await reactor.submit { _ -> Void in exit(EXIT_SUCCESS) }
        }
    }
}

extension Reactor {
    /// Runs the closure while the kernel refuses to watch anything more.
    func deaf<Value>(_ body: () -> Value) -> Value {
        let (kept, other) = (dup(poll), tollgate_eventfd())
        dup2(other, poll)
        defer {
            dup2(kept, poll)
            close(kept)
            close(other)
        }
        return body()
    }
}
