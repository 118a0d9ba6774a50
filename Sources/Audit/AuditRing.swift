import Glibc
import Synchronization

/// The audit records of one event loop on their way to the writer: a byte ring with one producer and one consumer.
///
/// The producer is the loop; the consumer is the writer's thread. A record is rendered straight into the ring's memory
/// and becomes visible with one releasing store, so that a request costs no lock, no allocation and no system call.
/// When the writer cannot keep up, records are dropped and counted, never silently lost.
///
/// Layout: records start at multiples of 8 with an 8-byte header (length of the line, as a `UInt64`) and never cross
/// the end of the memory; a header of `wrapMark` says that the rest up to the end is unused. Positions count bytes
/// since the start and never wrap in practice (2^64 bytes); a position lies in memory at its distance from `base`.
///
/// Memory: the pages are mapped, not touched. Whenever the ring is found empty past `warmBytes` the producer moves
/// `base`, so that the next record lies at the beginning again. A writer who keeps up thus makes the ring live in its
/// first few hundred kilobytes, and the rest stays unbacked until a stalled disk makes records wait.
///
/// `@unchecked`: `state` and the bytes from tail to head belong to the producer, the bytes from head to tail to the
/// consumer, and the two atomics hand them over.
@safe
package final class AuditRing: @unchecked Sendable {
    /// What a `hasRoom` caller reserves for one record: a record with the longest path and ordinary identities.
    package static let reservedRecordBytes = 4_096
    /// No record is longer; see `AuditRing+Append.swift` for the bounds of its fields.
    package static let maximumRecordBytes = 16_384
    /// Bytes of the ring when nobody says otherwise.
    package static let defaultCapacity = 4 << 20

    static let wrapMark = UInt64.max
    static let headerBytes = 8

    /// Bytes of the ring, a power of two.
    package let capacity: Int
    /// Past this offset an empty ring starts over.
    let warmBytes: Int
    // Unsafe: `capacity` bytes mapped in init and unmapped in deinit.
    let memory: UnsafeMutableRawPointer
    let bell: AuditBell?
    let stopsAdmission: Bool

    // 128 bytes between what the two threads write, so that neither's stores take the other's cache line away (two
    // lines, because the prefetcher fetches them in pairs).
    private let padding0 = InlineArray<16, UInt64>(repeating: 0)
    /// End of the published records. Written by the producer.
    let tail = Atomic<UInt64>(0)
    /// The position that lies at the beginning of the memory. Written by the producer, and only while head and tail are
    /// equal: the consumer, which looks at it only when they are not, therefore never sees it move.
    let base = Atomic<UInt64>(0)
    /// Records thrown away for want of room. Written by the producer.
    let droppedCount = Atomic<UInt64>(0)
    /// Requests refused for want of room and left without a record. Written by the producer.
    let refusedCount = Atomic<UInt64>(0)
    /// Requests that were in flight when the producer said so last.
    let inFlight = Atomic<Int>(0)
    /// What only the producer touches.
    var state = ProducerState()
    private let padding1 = InlineArray<16, UInt64>(repeating: 0)
    /// Start of the records not yet consumed. Written by the consumer.
    let head = Atomic<UInt64>(0)
    private let padding2 = InlineArray<16, UInt64>(repeating: 0)

    /// Rendering state of the loop that appends.
    struct ProducerState {
        var second = Int64.min
        /// `2026-11-21T00:43:12.` of `second`.
        var prefix = InlineArray<20, UInt8>(repeating: 0)
    }

    /// A ring of at least `capacity` bytes, rounded up to a power of two between 64 KiB and 1 GiB.
    ///
    /// Throws when the kernel refuses the address space.
    package convenience init(capacity: Int = AuditRing.defaultCapacity) throws(AuditError) {
        try self.init(capacity: capacity, bell: nil, stopsAdmission: false)
    }

    init(capacity requested: Int, bell: AuditBell?, stopsAdmission: Bool) throws(AuditError) {
        var capacity = 1 << 16
        while capacity < requested, capacity < 1 << 30 { capacity <<= 1 }
        // Unsafe: a fresh private mapping; nobody else knows its address.
        let mapping = unsafe mmap(
            nil, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else {
            throw .system(operation: "mmap", path: "", code: errno)
        }
        // A huge page would back two megabytes at the first record. Where the advice is unknown nothing is lost.
        // Unsafe: the advice concerns this mapping alone.
        _ = unsafe madvise(mapping, capacity, MADV_NOHUGEPAGE)
        unsafe memory = mapping
        self.capacity = capacity
        warmBytes = min(256 << 10, capacity / 2)
        self.bell = bell
        self.stopsAdmission = stopsAdmission
    }

    deinit {
        // Unsafe: the last owner is gone, so that no cursor points into the mapping.
        unsafe munmap(memory, capacity)
    }

    /// Records dropped since the start. Any thread.
    package var dropped: UInt64 {
        // Relaxed: a statistic; the writer's loss record needs no order with the records around it.
        droppedCount.load(ordering: .relaxed)
    }

    /// Requests refused without a record since the start. Any thread.
    package var refused: UInt64 {
        // Relaxed: a statistic, as above.
        refusedCount.load(ordering: .relaxed)
    }

    /// Whether this many more records of up to `reservedRecordBytes` fit. For the producer: it is exact on its thread.
    ///
    /// The fail-closed mode asks before it admits a request, with the number of requests in flight on this loop plus
    /// one, so that what is admitted can also be recorded.
    package func hasRoom(records: Int = 1) -> Bool {
        let (needed, overflow) = max(records, 0).multipliedReportingOverflow(
            by: AuditRing.reservedRecordBytes + AuditRing.headerBytes)
        // A record that does not fit before the end costs the unused rest, which is less than one longest record.
        return !overflow && needed <= freeBytes - AuditRing.maximumRecordBytes
    }

    /// Whether a request may be admitted with this many others in flight on this loop.
    ///
    /// Always true unless the settings say `.stopAdmission`; then only while all of them can still be recorded.
    package func mayAdmit(inFlight: Int) -> Bool {
        !stopsAdmission || hasRoom(records: min(max(inFlight, 0), .max - 1) + 1)
    }

    /// Says how many requests are in flight, for `isRefusing`; from time to time is enough. For the producer.
    package func note(inFlight count: Int) {
        // Relaxed: a single number, nothing is ordered by it.
        inFlight.store(count, ordering: .relaxed)
    }

    /// Whether `mayAdmit` would turn the next request away. Any thread; as exact as the last `note(inFlight:)`.
    package var isRefusing: Bool {
        // Relaxed: a single number, as above. One more: the request that would ask is in flight itself.
        !mayAdmit(inFlight: inFlight.load(ordering: .relaxed) + 1)
    }

    /// Bytes between the newest record and the oldest one not yet consumed.
    private var freeBytes: Int {
        // Acquiring: pairs with the consumer's releasing store in `consume`: its reads of those bytes are over before
        // they count as free. First the head: it never is beyond a tail that is read after it.
        let consumed = head.load(ordering: .acquiring)
        // Relaxed: the producer alone writes it, and whoever else asks has seen with the head that it was there.
        let used = tail.load(ordering: .relaxed) &- consumed
        return capacity - Int(truncatingIfNeeded: min(used, UInt64(capacity)))
    }
}
