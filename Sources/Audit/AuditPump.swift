import Synchronization

/// Moves records from the rings into the trail: what the writer's thread does, one step at a time.
///
/// Tests drive it without a thread. Belongs to one thread at a time; only `gauges` may be read from others.
package final class AuditPump {
    /// What a step achieved.
    package enum Progress: Sendable, Equatable {
        /// There was nothing to write.
        case idle
        /// The rings were empty afterwards.
        case caughtUp
        /// Records were written and more are waiting.
        case behind
        /// The disk refused; the records stay where they are and the next step tries again.
        case stuck
    }

    /// Bytes of sealed lines that one write(2) carries at most, but for one line.
    static let batchBytes = 256 << 10

    /// What the trail writes about itself, as soon as there is room for it.
    private struct Events {
        var recoveries: [AuditTrail.Recovery] = []
        var lost: UInt64 = 0
        var refused: UInt64 = 0
        var unsynced: Int64 = 0
    }

    let rings: [AuditRing]
    let gauges: AuditGauges
    private let clock: AuditClock
    private let tell: @Sendable (AuditNews) -> Void
    private let syncInterval: Int64
    private let trail: AuditTrail
    private var chain: AuditChain
    private var events = Events()
    private var seenDropped: [UInt64]
    private var seenRefused: [UInt64]
    private var nextRing = 0

    // Sealed lines not yet on the disk. `written` of them are: a line is never sealed twice, and never given up half.
    private var pending: [UInt8] = []
    private var written = 0
    private var pendingRecords: UInt64 = 0
    /// Losses that the last lines of the batch tell of, and how many lines are no records.
    private var pendingLost: UInt64 = 0
    private var pendingEvents: UInt64 = 0
    private var lastSync: Int64?
    private var isSyncFailing = false
    /// Records lost before the failure that was told last; nil while all is well.
    private var lostBefore: UInt64?
    /// Since when another writer has not let go of the trail.
    private var keptOut: Int64?

    /// How long another writer's batch is waited for: at a step and at the start in milliseconds, and before it is held to be a
    /// failure in nanoseconds. A slow disk takes its time without anything being wrong.
    private enum Patience {
        static let batch: Int32 = 50
        static let start: Int32 = 10_000
        static let failure: Int64 = 10 * AuditTime.second
    }

    /// Opens the trail in `settings.directory` and continues it, after cutting off what a crash left unfinished.
    package convenience init(
        _ settings: AuditSettings, rings: [AuditRing], clock: AuditClock = .system, files: AuditFileCalls = .system,
        tell: @escaping @Sendable (AuditNews) -> Void = { _ in }
    ) throws(AuditError) {
        try self.init(settings, rings: rings, clock: clock, files: files, gauges: AuditGauges(), tell: tell)
    }

    init(
        _ settings: AuditSettings, rings: [AuditRing], clock: AuditClock, files: AuditFileCalls, gauges: AuditGauges,
        tell: @escaping @Sendable (AuditNews) -> Void
    ) throws(AuditError) {
        self.rings = rings
        self.clock = clock
        self.tell = tell
        self.gauges = gauges
        syncInterval = settings.syncInterval
        seenDropped = [UInt64](repeating: 0, count: rings.count)
        seenRefused = seenDropped
        let opened = try AuditTrail.open(
            settings, patience: settings.isSuccessor ? Patience.start : Patience.batch, calls: files)
        trail = opened.trail
        chain = opened.chain
        events.recoveries = opened.recoveries
    }

    /// False after a failed write or fsync, until one succeeds.
    package var isHealthy: Bool { gauges.isHealthy }

    /// One bounded batch: seal, write, and fsync when the last one is long enough ago.
    package func step() -> Progress {
        guard enter() else { return .stuck }
        let batch = writeBatch()
        // Lines that are sealed already are the next ones of the chain, and nobody else's may come between.
        if pending.isEmpty { trail.leave() }
        guard batch != .stuck, syncIfDue() else { return .stuck }
        guard batch == .written else { return .idle }
        return rings.contains { $0.consumedPosition != $0.publishedPosition } ? .behind : .caughtUp
    }

    private enum Batch {
        case nothing
        case written
        case stuck
    }

    private func writeBatch() -> Batch {
        let day = AuditTime.day(of: clock.unix())
        if pending.isEmpty {
            if trail.isOutdated(onDay: day), !rotate() { return .stuck }
            // The first record that does not fit stays in its ring and opens the next file.
            if collect() == .fileIsFull, pending.isEmpty {
                guard rotate() else { return .stuck }
                _ = collect()
            }
        }
        guard !pending.isEmpty else {
            // What a burst made the buffer grow to is given back.
            if pending.capacity > 16 << 10 { pending = [] }
            return .nothing
        }
        return writePending(day: day) ? .written : .stuck
    }

    private func enter() -> Bool {
        do throws(AuditError) {
            let change = try trail.enter(patience: Patience.batch)
            // Else a failure that was told while it was kept out would outlive its end.
            if keptOut != nil, !isSyncFailing { _ = note(nil) }
            keptOut = nil
            guard let change else { return true }
            chain = change.chain
            events.recoveries += change.recoveries
            events.unsynced += change.unsynced
            return true
        } catch {
            let now = clock.monotonic()
            let since = keptOut ?? now
            keptOut = since
            if case .directoryInUse = error, now &- since < Patience.failure { return false }
            return note(error)
        }
    }

    /// Nanoseconds until written records are due for their fsync; nil when all are on the disk.
    var untilSync: Int64? {
        guard trail.unsyncedBytes > 0 else { return nil }
        guard let lastSync else { return 0 }
        return max(0, lastSync &+ syncInterval &- clock.monotonic())
    }

    /// Brings everything appended before this call to the disk; false when the disk refuses.
    package func flush() -> Bool {
        let targets = rings.map(\.publishedPosition)
        while true {
            let progress = step()
            if progress == .stuck { return false }
            let isBeyond = zip(rings, targets).allSatisfy { ring, target in ring.consumedPosition >= target }
            if pending.isEmpty, progress == .idle || isBeyond { return sync() }
        }
    }

    /// Records that are lost if the process ends now: in the rings, in the batch that is being written, and those that found no
    /// room before, where the trail does not tell of them.
    ///
    /// Takes them out of the rings: only for the end.
    func abandon() -> UInt64 {
        var count = pendingLost &+ events.lost
        var lines: UInt64 = 0
        for index in pending.indices where index >= written && pending[index] == UInt8(ascii: "\n") { lines += 1 }
        count += lines - min(lines, pendingEvents)
        for (ring, seen) in zip(rings, seenDropped) {
            count += UInt64(ring.consume { _ in true })
            count += ring.dropped &- seen
        }
        return count
    }

    // MARK: - Sealing

    private enum Collection {
        case everything
        case batchIsFull
        case fileIsFull
    }

    private func collect() -> Collection {
        var result = Collection.everything
        for index in rings.indices {
            let lost = rings[index].dropped
            events.lost += lost &- seenDropped[index]
            seenDropped[index] = lost
            let refused = rings[index].refused
            events.refused += refused &- seenRefused[index]
            seenRefused[index] = refused
        }
        if !sealRecoveries() { return .fileIsFull }
        // Each batch begins with another ring, so that one busy loop cannot keep the others' records waiting.
        for turn in rings.indices where result == .everything {
            rings[(nextRing + turn) % rings.count].consume { line in
                guard pending.count < AuditPump.batchBytes else {
                    result = .batchIsFull
                    return false
                }
                guard seal(line) else {
                    result = .fileIsFull
                    return false
                }
                return true
            }
        }
        if !rings.isEmpty { nextRing = (nextRing + 1) % rings.count }
        if result != .fileIsFull, !sealCounts() { result = .fileIsFull }
        return result
    }

    /// Seals a line into the batch unless it belongs into the next file.
    private func seal(_ line: Span<UInt8>) -> Bool {
        guard trail.hasRoom(for: line.count + AuditChain.maximumSealBytes, after: pending.count) else { return false }
        chain.seal(line, into: &pending)
        pendingRecords += 1
        return true
    }

    private func sealRecoveries() -> Bool {
        while let recovery = events.recoveries.first {
            let name = "\"tornBytes\":\(recovery.tornBytes),\"file\":\"\(recovery.file)\""
            guard sealEvent("recovered", name) else { return false }
            events.recoveries.removeFirst()
        }
        return true
    }

    /// The counts come after the records that were in the rings when others found no room.
    private func sealCounts() -> Bool {
        if events.lost > 0 {
            guard sealEvent("lost", "\"count\":\(events.lost)") else { return false }
            pendingLost += events.lost
            events.lost = 0
        }
        if events.refused > 0 {
            guard sealEvent("refused", "\"count\":\(events.refused)") else { return false }
            events.refused = 0
        }
        if events.unsynced > 0 {
            guard sealEvent("unsynced", "\"bytes\":\(events.unsynced)") else { return false }
            events.unsynced = 0
        }
        return true
    }

    private func sealEvent(_ name: StaticString, _ members: String) -> Bool {
        var line = Array("{\"time\":\"".utf8)
        line.append(contentsOf: AuditTime.render(clock.unix()))
        line.append(contentsOf: "\",\"event\":\"\(name)\",\(members)".utf8)
        guard seal(line.span) else { return false }
        pendingEvents += 1
        return true
    }

    // MARK: - Writing

    private func rotate() -> Bool {
        guard sync() else { return false }
        trail.rotate()
        return true
    }

    private func writePending(day: Int64) -> Bool {
        while written < pending.count {
            // A local reference, because a span of a member cannot outlast the access to it.
            let bytes = pending
            // Unsafe: raw bytes of an array of UInt8 hold no padding, and the span ends with this statement.
            let count = unsafe trail.write(bytes.span.bytes.extracting(droppingFirst: written), day: day)
            guard count > 0 else { return note(failure("write", count)) }
            written += count
        }
        gauges.records.store(gauges.records.load(ordering: .relaxed) &+ pendingRecords, ordering: .relaxed)
        gauges.bytes.store(gauges.bytes.load(ordering: .relaxed) &+ UInt64(pending.count), ordering: .relaxed)
        pending.removeAll(keepingCapacity: true)
        written = 0
        pendingRecords = 0
        pendingLost = 0
        pendingEvents = 0
        // While fsync fails, a write that succeeds proves nothing.
        return isSyncFailing || note(nil)
    }

    private func syncIfDue() -> Bool {
        guard let untilSync, untilSync == 0 else { return true }
        return sync()
    }

    private func sync() -> Bool {
        let doubtful = trail.unsyncedBytes
        let result = trail.sync()
        lastSync = clock.monotonic()
        if result != 0, !isSyncFailing {
            // After a failed fsync the kernel may forget the pages and report success the next time. The trail says
            // how many bytes before this point are in doubt.
            events.unsynced += doubtful
        }
        isSyncFailing = result != 0
        return note(failure("fsync", result))
    }

    /// What a call came to that gave 0 or a negative errno.
    private func failure(_ operation: String, _ result: Int) -> AuditError? {
        result < 0
            ? .system(operation: operation, path: trail.place, code: Int32(truncatingIfNeeded: -result)) : nil
    }

    /// Publishes what writing came to, and tells when that changes; true when it was good.
    private func note(_ error: AuditError?) -> Bool {
        gauges.failure.store(error?.code ?? 0, ordering: .relaxed)
        let lost = rings.reduce(0) { $0 &+ $1.dropped }
        if let error {
            guard lostBefore == nil else { return false }
            lostBefore = lost
            tell(.failing(error))
            return false
        }
        guard let before = lostBefore else { return true }
        lostBefore = nil
        tell(.recovered(lost: lost &- before))
        return true
    }
}

/// What the writer tells of its trail: once whenever it changes, never once a record.
package enum AuditNews: Sendable, Equatable {
    /// Nothing can be written for the present; the error says where and why. It is tried again by itself.
    case failing(AuditError)
    /// Writing goes on. So many records found no room meanwhile.
    case recovered(lost: UInt64)
}

/// What other threads may read about the writer. Relaxed throughout: single numbers, nothing is ordered by them.
package final class AuditGauges: Sendable {
    let records = Atomic<UInt64>(0)
    let bytes = Atomic<UInt64>(0)
    /// errno of the last write or fsync, 0 when it went well.
    let failure = Atomic<Int32>(0)

    package init() {}

    package var isHealthy: Bool { failure.load(ordering: .relaxed) == 0 }
}
