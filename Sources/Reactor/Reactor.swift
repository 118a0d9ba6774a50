import CLinux
package import NIOCore

/// One thread with one epoll instance: the event loop that owns connections, their handlers and everything they touch.
///
/// Sockets are registered once, edge-triggered, so that in steady state the only system calls are one wait per batch and
/// the reads and writes themselves. The class is not Sendable on purpose: who holds a `Reactor` is on its thread. Other
/// threads hold its `ReactorHandle`.
package final class Reactor {
    /// Events taken from the kernel at a time.
    private static let batch = 128
    /// Sources that are called again in one round.
    private static let maximumAgain = 4
    /// Bytes one read can take; the buffer is shared by all connections of the loop.
    package static let readSize = 65536

    /// For other threads.
    package let handle: ReactorHandle
    /// The time at which the present batch of events was taken, in monotonic nanoseconds.
    package private(set) var now: Int64
    /// The wall clock of the same moment, in nanoseconds since 1970.
    package private(set) var unixNow: Int64

    let poll: Int32
    /// Filled by one read after another; nil while it is lent.
    private var scratch: ByteBuffer?
    /// For a layer that changes bytes on their way between a socket and its handler: one buffer for either direction,
    /// used by all connections of the loop one after another. Empty until somebody uses it; nil while it is taken.
    package var plaintext: ByteBuffer?
    package var ciphertext = ByteBuffer()
    private var slots: [Slot] = []
    private var freeSlots: [Int] = []
    private var timers: [Timer] = []
    private var nextTimer: UInt64 = 0
    /// Sources that did not get to their end, in the order of their turns.
    private var again: [any EventSource] = []
    private var deferred: [() -> Void] = []
    private var ending: [any RoundParticipant] = []
    /// Short writes of the present round.
    private(set) var gathered = GatherBuffer()
    /// The streams they belong to.
    private var gathering: [Stream] = []
    private var isStopping = false

    private struct Slot {
        var source: (any EventSource)?
        var generation: UInt32
    }

    private struct Timer {
        let time: Int64
        let id: UInt64
        let action: () -> Void
    }

    /// `wake` becomes readable when tasks are there; whoever runs the loop keeps both descriptors open.
    init(handle: ReactorHandle, poll: Int32, wake: Int32) throws(ReactorError) {
        self.handle = handle
        self.poll = poll
        self.now = Clocks.monotonic()
        self.unixNow = Clocks.unix()
        _ = try add(WakeUp(descriptor: wake), descriptor: wake, events: Events.input)
    }

    // MARK: Sources

    /// Registers a descriptor; its source is told of events until `remove`. Throws when the kernel refuses, which it does
    /// for want of memory or of watches (epoll_ctl(2)).
    func add(_ source: any EventSource, descriptor: Int32, events: UInt32) throws(ReactorError) -> Int {
        let index: Int
        if let free = freeSlots.popLast() {
            index = free
        } else {
            index = slots.count
            slots.append(Slot(source: nil, generation: 0))
        }
        let token = UInt64(slots[index].generation) << 32 | UInt64(UInt32(truncatingIfNeeded: index))
        let result = tollgate_epoll_add(poll, descriptor, events, token)
        guard result == 0 else {
            freeSlots.append(index)
            throw ReactorError(call: "epoll_ctl", code: -result)
        }
        slots[index].source = source
        return index
    }

    /// Forgets a source. The caller closes the descriptor, which takes it out of the epoll set. The generation keeps an
    /// event of the old descriptor, already in the batch, from reaching whoever gets the slot next.
    func remove(_ index: Int) {
        slots[index].source = nil
        slots[index].generation &+= 1
        freeSlots.append(index)
    }

    /// Calls the source again, in the next round or one soon after it, although the kernel will not say that it is ready again.
    /// A source asks once until it is called.
    func callAgain(_ source: any EventSource) {
        again.append(source)
    }

    /// Runs the closure after the present event, when nobody is in the middle of anything.
    package func afterEvent(_ body: @escaping () -> Void) {
        deferred.append(body)
    }

    /// Calls the participant once everything of the present round is done: what gathered in it can go out together. One
    /// that asks while rounds are ended is called at the end of the next.
    package func atRoundEnd(_ participant: any RoundParticipant) {
        ending.append(participant)
    }

    // MARK: Receiving

    /// The buffer that reads fill, moved to who reads, so that nobody counts references to it.
    func lendScratch() -> ByteBuffer {
        scratch.take() ?? ByteBufferAllocator().buffer(capacity: Self.readSize)
    }

    /// Gets it back, or what a handler left in its place.
    func takeBack(_ bytes: consuming ByteBuffer) {
        scratch = consume bytes
    }

    // MARK: Sending together

    /// Streams whose writes are gathered before they are sent without waiting for the end of the round.
    private static let maximumGathering = 32

    /// Copies bytes to where they stay until the stream's `sendGathered` is called, behind what it has there already. Returns
    /// the place of both in `gathered`, or nil when another stream has come between.
    func gather(
        _ first: ByteBuffer, _ second: ByteBuffer?, behind range: Range<Int>, for stream: Stream
    ) -> Range<Int>? {
        let end = gathered.count
        guard range.isEmpty || range.upperBound == end else { return nil }
        gathered.append(first)
        if let second { gathered.append(second) }
        if range.isEmpty { gathering.append(stream) }
        return (range.isEmpty ? end : range.lowerBound)..<gathered.count
    }

    /// Streams that gather meanwhile have their turn in the next call, which is due at once.
    private func sendGathered() {
        let count = gathering.count
        for index in 0..<count {
            gathering[index].sendGathered()
            runDeferred()
        }
        gathering.removeFirst(count)
        if gathering.isEmpty { gathered.removeAll() }
    }

    // MARK: Timers

    /// Calls the closure once the time has come, in monotonic nanoseconds; at most a millisecond late on an idle loop.
    /// Timers fire in the order of their times, and of their making where these are equal. One that is made by another
    /// timer fires in the next round at the earliest, so that no chain of them keeps the loop from its sockets.
    /// Linear in the number of timers, of which a loop has a handful: deadlines of connections are kept elsewhere.
    @discardableResult
    package func schedule(at time: Int64, _ action: @escaping () -> Void) -> UInt64 {
        nextTimer += 1
        let index = timers.firstIndex { $0.time > time } ?? timers.count
        timers.insert(Timer(time: time, id: nextTimer, action: action), at: index)
        return nextTimer
    }

    /// Takes a timer back; one that has fired is no matter.
    package func cancel(_ timer: UInt64) {
        timers.removeAll { $0.id == timer }
    }

    // MARK: The loop

    /// Ends `run` after the present round and the tasks that are queued by then.
    package func stop() {
        isStopping = true
    }

    func run() {
        var events = [tollgate_event](repeating: tollgate_event(token: 0, events: 0), count: Self.batch)
        while !isStopping {
            // Unsafe: the array holds as many events as the call may fill.
            let count = unsafe events.withUnsafeMutableBufferPointer { buffer -> Int32 in
                guard let base = buffer.baseAddress else { return 0 }
                return unsafe tollgate_epoll_wait(poll, base, Int32(Self.batch), timeout())
            }
            // Only a descriptor that is none does this (epoll_wait(2)). A loop that is deaf must not look alive.
            guard count >= 0 else { fatalError("\(ReactorError(call: "epoll_wait", code: -count))") }
            now = Clocks.monotonic()
            unixNow = Clocks.unix()
            runAgain()
            for index in 0..<Int(count) { dispatch(events[index]) }
            fireTimers()
            run(handle.takeTasks())
            endRound()
            sendGathered()
        }
        run(handle.takeLastTasks())
        sendGathered()
        gathering = []
        ending = []
        // What is left refers to the loop, and would keep it and its descriptors for ever.
        slots = []
        timers = []
        again = []
    }

    private func run(_ tasks: [ReactorHandle.Task]) {
        for task in tasks {
            task(self)
            runDeferred()
        }
    }

    /// Whoever asks again meanwhile is called in the next round, which begins at once: nobody keeps the loop from its sockets.
    private func endRound() {
        guard !ending.isEmpty else { return }
        let participants = ending
        ending.removeAll(keepingCapacity: true)
        for participant in participants {
            participant.roundEnded()
            runDeferred()
        }
    }

    private func dispatch(_ event: tollgate_event) {
        let index = Int(UInt32(truncatingIfNeeded: event.token))
        guard index < slots.count, slots[index].generation == UInt32(event.token >> 32) else { return }
        guard let source = slots[index].source else { return }
        source.ready(event.events)
        runDeferred()
        if gathering.count >= Self.maximumGathering { sendGathered() }
    }

    /// Before the events of the round, so that nobody has two turns in one, and a few at a time: however many have more to
    /// read than fits into a turn, connections are accepted and deadlines are kept.
    private func runAgain() {
        guard !again.isEmpty else { return }
        let sources = Array(again.prefix(Self.maximumAgain))
        again.removeFirst(sources.count)
        for source in sources {
            source.ready(0)
            runDeferred()
        }
    }

    private func runDeferred() {
        while !deferred.isEmpty {
            let bodies = deferred
            deferred.removeAll(keepingCapacity: true)
            for body in bodies { body() }
        }
    }

    private func fireTimers() {
        let newest = nextTimer
        while let index = timers.firstIndex(where: { $0.time > now || $0.id <= newest }), timers[index].time <= now {
            timers.remove(at: index).action()
            runDeferred()
        }
    }

    /// Milliseconds until the next timer, rounded up; -1 without one.
    private func timeout() -> Int32 {
        guard again.isEmpty, ending.isEmpty, gathering.isEmpty else { return 0 }
        guard let first = timers.first else { return -1 }
        let present = Clocks.monotonic()
        guard first.time > present else { return 0 }
        return Int32(clamping: (first.time - present - 1) / 1_000_000 + 1)
    }
}

/// Other threads' sign that tasks are there: it only has to end the wait.
private final class WakeUp: EventSource {
    private let descriptor: Int32

    init(descriptor: Int32) {
        self.descriptor = descriptor
    }

    func ready(_ events: UInt32) {
        tollgate_eventfd_drain(descriptor)
    }
}

/// Something that gathers what the events of a round bring.
package protocol RoundParticipant: AnyObject {
    /// The round is over; called once for each `atRoundEnd`.
    func roundEnded()
}

/// A descriptor that the reactor watches.
protocol EventSource: AnyObject {
    /// Events of epoll; 0 when the source asked to be called again.
    func ready(_ events: UInt32)
}
