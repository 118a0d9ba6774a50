import Glibc
import NIOConcurrencyHelpers
import Synchronization

/// Writes the records of all event loops into one chained trail, on a thread of its own.
///
/// The thread comes by every 10 ms while there is traffic and ever less often, down to every 200 ms, while there is
/// none; a ring more than half full wakes it. A crash of the process loses what is in the rings, a loss of power also
/// what the last fsync did not reach (at most `syncInterval` and one wait).
///
/// Files that somebody else renames, removes or shortens while the gateway runs are not noticed by the writer, only by
/// `AuditVerifier`. Rotation is the writer's own business: no logrotate on this directory.
package final class AuditWriter: Sendable {
    /// One ring per event loop, in the order of the loops.
    package let rings: [AuditRing]

    /// What the writer did so far, for metrics.
    package struct Statistics: Sendable, Equatable {
        /// Records in the files, the trail's own events included.
        package var records: UInt64
        /// Bytes of those records.
        package var bytes: UInt64
        /// Records that found no room in a ring, whether the trail says so already or not.
        package var lost: UInt64
        /// errno of the last write or fsync when it failed; 0 when it went well.
        package var failure: Int32
    }

    private let shared: AuditThread
    private let thread: NIOLockedValueBox<pthread_t?>

    /// Opens the directory, locks it, continues (or recovers) the trail in it, and starts the thread.
    ///
    /// `tell` is called on the writer's thread, which waits for it. Throws when the directory cannot be used, is in use, or
    /// ends in something that is no audit record.
    package init(
        _ settings: AuditSettings, loops: Int, clock: AuditClock = .system, files: AuditFileCalls = .system,
        tell: @escaping @Sendable (AuditNews) -> Void = { _ in }
    ) throws(AuditError) {
        let bell = try AuditBell()
        var rings: [AuditRing] = []
        for _ in 0..<loops {
            rings.append(
                try AuditRing(
                    capacity: settings.ringBytes, bell: bell, stopsAdmission: settings.onFull == .stopAdmission))
        }
        self.rings = rings
        let gauges = AuditGauges()
        shared = AuditThread(bell: bell, gauges: gauges)
        let pump = try AuditPump(settings, rings: rings, clock: clock, files: files, gauges: gauges, tell: tell)
        thread = NIOLockedValueBox(try shared.start(pump, patience: settings.stopPatience))
    }

    deinit {
        stop()
    }

    /// False while the trail cannot be written (disk full, I/O error). Any thread, one relaxed load.
    package var isHealthy: Bool { shared.gauges.isHealthy }

    /// Whether a loop would refuse a request for want of room, as `AuditSettings.OnFull.stopAdmission` has it. Any thread.
    package var isRefusing: Bool { rings.contains { $0.isRefusing } }

    /// A snapshot of the counts. Any thread.
    package var statistics: Statistics {
        let gauges = shared.gauges
        return Statistics(
            records: gauges.records.load(ordering: .relaxed), bytes: gauges.bytes.load(ordering: .relaxed),
            lost: rings.reduce(0) { $0 &+ $1.dropped }, failure: gauges.failure.load(ordering: .relaxed))
    }

    /// Brings everything appended before this call to the disk; false when that fails or the writer has stopped.
    ///
    /// Blocks: never on an event loop.
    @discardableResult
    package func flush() -> Bool { shared.flush() }

    /// From now on `stop`, which may be waiting already, tries once and gives up where that fails. Any thread.
    package func hasten() { shared.hasten() }

    /// Drains the rings, brings everything to the disk, ends the thread and unlocks the directory.
    ///
    /// The loops must have stopped appending. Blocks, on a disk that refuses for at most `stopPatience`; see `hasten`. Returns how
    /// many records are lost that the trail does not tell of; a second call does nothing and returns the same.
    @discardableResult
    package func stop() -> UInt64 {
        shared.requestStop()
        thread.withLockedValue { thread in
            guard let running = thread else { return }
            pthread_join(running, nil)
            thread = nil
        }
        return shared.abandoned
    }
}

/// The writer's thread and how others talk to it.
final class AuditThread: Sendable {
    private struct Requests {
        var isStopping = false
        var isHastened = false
        var hasStopped = false
        /// Write ends of pipes whose readers wait for a flush.
        var flushes: [Int32] = []
        var abandoned: UInt64 = 0
    }

    /// Waits between two looks at the rings, in milliseconds.
    private enum Wait {
        static let busy: Int32 = 10
        static let idle: Int32 = 200
        static let stuck: Int32 = 100
    }

    let bell: AuditBell
    let gauges: AuditGauges
    private let requests = NIOLockedValueBox(Requests())

    init(bell: AuditBell, gauges: AuditGauges) {
        self.bell = bell
        self.gauges = gauges
    }

    var abandoned: UInt64 { requests.withLockedValue { $0.abandoned } }

    /// Hands the pump over to a new thread.
    func start(_ pump: sending AuditPump, patience: Int64) throws(AuditError) -> pthread_t {
        let work = Work(thread: self, pump: pump, patience: patience)
        var thread = pthread_t()
        // Unsafe: the retain is balanced by the new thread's takeRetainedValue, or below when there is no new thread.
        let context = unsafe Unmanaged.passRetained(work)
        let code = unsafe pthread_create(
            &thread, nil,
            { context in
                // Unsafe: the pointer is the Work retained above, and this is the one place that releases it.
                guard let context = unsafe context else { return nil }
                unsafe Unmanaged<Work>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        guard code == 0 else {
            unsafe context.release()
            throw .system(operation: "pthread_create", path: "", code: code)
        }
        return thread
    }

    func requestStop() {
        requests.withLockedValue { $0.isStopping = true }
        bell.ring()
    }

    func hasten() {
        requests.withLockedValue { $0.isHastened = true }
    }

    func flush() -> Bool {
        var ends: [Int32] = [-1, -1]
        // Unsafe: pipe writes exactly two descriptors into the array during the call.
        guard unsafe pipe(&ends) == 0 else { return false }
        let (readEnd, writeEnd) = (ends[0], ends[1])
        defer {
            close(readEnd)
            close(writeEnd)
        }
        let isWaiting = requests.withLockedValue { requests in
            if !requests.hasStopped { requests.flushes.append(writeEnd) }
            return !requests.hasStopped
        }
        guard isWaiting else { return false }
        bell.ring()
        var answer: UInt8 = 0
        // Unsafe: read writes one byte during the call.
        while unsafe read(readEnd, &answer, 1) < 0 && errno == EINTR {}
        return answer == 1
    }

    /// What the new thread owns.
    private final class Work {
        let thread: AuditThread
        let pump: AuditPump
        let patience: Int64

        init(thread: AuditThread, pump: AuditPump, patience: Int64) {
            self.thread = thread
            self.pump = pump
            self.patience = patience
        }

        func run() {
            thread.run(pump, patience: patience)
        }
    }

    private func run(_ pump: AuditPump, patience: Int64) {
        var wait = Wait.busy
        while true {
            let (flushes, isStopping) = requests.withLockedValue { requests in
                defer { requests.flushes = [] }
                return (requests.flushes, requests.isStopping)
            }
            if isStopping { return finish(pump, patience: patience, flushes: flushes) }
            if !flushes.isEmpty { answer(flushes, pump.flush()) }
            switch pump.step() {
            case .behind: continue
            case .caughtUp: wait = Wait.busy
            case .idle: wait = min(wait * 2, Wait.idle)
            case .stuck:
                // Not the bell: full rings ring it with every record they drop.
                AuditThread.pause(Wait.stuck)
                continue
            }
            let due = pump.untilSync.map { Int32(truncatingIfNeeded: min($0 / 1_000_000 + 1, 1_000)) } ?? wait
            bell.wait(milliseconds: min(wait, due))
        }
    }

    private func finish(_ pump: AuditPump, patience: Int64, flushes: [Int32]) {
        var patience = patience / 1_000_000
        var isWritten = pump.flush()
        while !isWritten, patience > 0, !requests.withLockedValue({ $0.isHastened }) {
            AuditThread.pause(Wait.stuck)
            patience -= Int64(Wait.stuck)
            isWritten = pump.flush()
        }
        let abandoned = pump.abandon()
        let late = requests.withLockedValue { requests in
            requests.hasStopped = true
            requests.abandoned = abandoned
            return requests.flushes
        }
        answer(flushes + late, isWritten)
    }

    private func answer(_ flushes: [Int32], _ isWritten: Bool) {
        for descriptor in flushes {
            var byte: UInt8 = isWritten ? 1 : 0
            // Unsafe: write reads one byte during the call; an empty pipe whose reader waits takes it.
            _ = unsafe write(descriptor, &byte, 1)
        }
    }

    private static func pause(_ milliseconds: Int32) {
        _ = poll(nil, 0, milliseconds)
    }
}
