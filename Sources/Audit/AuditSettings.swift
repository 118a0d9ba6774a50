import Glibc

/// How an audit trail is kept.
package struct AuditSettings: Sendable, Equatable {
    /// What happens when records cannot be written as fast as decisions fall.
    package enum OnFull: String, Sendable, CaseIterable {
        /// Traffic goes on; records that find no room are counted and the count is written into the trail.
        case countLosses = "count-losses"
        /// Nothing is admitted that could not be recorded: see `AuditRing.mayAdmit(inFlight:)`.
        case stopAdmission = "stop-admission"
    }

    /// Where the files are; created with mode 0750 when missing.
    package var directory: String
    package var onFull: OnFull
    /// Address space of each loop's ring in bytes; pages are only backed when a slow disk makes records wait.
    package var ringBytes: Int
    /// A file that would grow beyond this many bytes is followed by the next one. At least 64 KiB.
    package var maximumFileBytes: Int64
    /// At most this long, in nanoseconds, passes between a record's write and its fsync.
    package var syncInterval: Int64
    /// At most this long, in nanoseconds, `AuditWriter.stop()` keeps trying to write to a disk that refuses.
    package var stopPatience: Int64
    /// Whether this process takes over from one that writes to the same directory: both do for a while, batch by batch, each
    /// behind the other's, in one chain.
    package var isSuccessor = false

    package init(
        directory: String, onFull: OnFull = .countLosses, ringBytes: Int = 16 << 20,
        maximumFileBytes: Int64 = 256 << 20, syncInterval: Int64 = AuditTime.second,
        stopPatience: Int64 = 5 * AuditTime.second
    ) {
        self.directory = directory
        self.onFull = onFull
        self.ringBytes = ringBytes
        self.maximumFileBytes = max(maximumFileBytes, 64 << 10)
        self.syncInterval = syncInterval
        self.stopPatience = stopPatience
    }

    /// Throws when the directory is none and cannot be made, as far as its name goes; changes nothing.
    package func check() throws(AuditError) {
        try AuditDirectory(path: directory).check()
    }
}

/// The two clocks the writer reads; tests hand in their own.
package struct AuditClock: Sendable {
    /// Nanoseconds since 1970-01-01T00:00:00Z: names files and dates the trail's own events.
    package var unix: @Sendable () -> Int64
    /// Nanoseconds that never run backwards: spaces the fsyncs.
    package var monotonic: @Sendable () -> Int64

    package init(unix: @escaping @Sendable () -> Int64, monotonic: @escaping @Sendable () -> Int64) {
        self.unix = unix
        self.monotonic = monotonic
    }

    /// The machine's clocks.
    package static let system = AuditClock(
        unix: { AuditClock.read(CLOCK_REALTIME) }, monotonic: { AuditClock.read(CLOCK_MONOTONIC) })

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        // Unsafe: writes this one structure during the call; the two clocks cannot fail.
        unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) &* AuditTime.second &+ Int64(time.tv_nsec)
    }
}

/// The two calls of the writer that a failing disk makes fail; tests hand in ones that do.
package struct AuditFileCalls: Sendable {
    /// Writes bytes of the span at an offset of a file: the number written, or a negative errno.
    package var write: @Sendable (_ descriptor: Int32, _ bytes: RawSpan, _ offset: Int64) -> Int
    /// Brings a file's bytes to the disk: 0, or a negative errno.
    package var sync: @Sendable (_ descriptor: Int32) -> Int

    package init(
        write: @escaping @Sendable (_ descriptor: Int32, _ bytes: RawSpan, _ offset: Int64) -> Int,
        sync: @escaping @Sendable (_ descriptor: Int32) -> Int
    ) {
        self.write = write
        self.sync = sync
    }

    /// pwrite(2) and fsync(2).
    package static let system = AuditFileCalls(
        write: { descriptor, bytes, offset in
            // Unsafe: the buffer is read during the call only.
            let count = unsafe bytes.withUnsafeBytes {
                unsafe pwrite(descriptor, $0.baseAddress, $0.count, off_t(offset))
            }
            return count < 0 ? -Int(errno) : count
        },
        sync: { descriptor in fsync(descriptor) < 0 ? -Int(errno) : 0 })
}
