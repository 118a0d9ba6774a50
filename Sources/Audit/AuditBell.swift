import Glibc
import Synchronization

/// How a producer wakes the writer's thread without a lock: a non-blocking pipe the writer waits on.
///
/// Only a ring more than half full rings it; at ordinary load the writer comes by on its own.
final class AuditBell: Sendable {
    private let readEnd: Int32
    private let writeEnd: Int32
    // Set by the first ring and cleared by the writer before it looks at the rings, so that a thousand records of one
    // busy loop cost one system call.
    private let isRung = Atomic<Bool>(false)

    init() throws(AuditError) {
        var ends: [Int32] = [-1, -1]
        // Unsafe: pipe writes exactly two descriptors into the array during the call.
        guard unsafe pipe(&ends) == 0 else { throw .system(operation: "pipe", path: "", code: errno) }
        (readEnd, writeEnd) = (ends[0], ends[1])
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
    }

    deinit {
        close(readEnd)
        close(writeEnd)
    }

    /// Wakes the writer; cheap when it has been rung already. Any thread, never blocks.
    func ring() {
        // Relaxed: a stale `true` means the writer was woken and has not looked yet, so it will see the ring.
        guard !isRung.load(ordering: .relaxed) else { return }
        // Acquiring and releasing: pairs with the writer's exchange in `wait`, so that whatever was appended before the
        // bell rang is visible after the wait it ends.
        guard !isRung.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var byte: UInt8 = 1
        // Unsafe: write reads one byte during the call. A full pipe (EAGAIN) means that it is ringing already.
        _ = unsafe write(writeEnd, &byte, 1)
    }

    /// Sleeps until the bell rings (true) or the time is over; a negative time is endless. For the writer's thread only.
    @discardableResult
    func wait(milliseconds: Int32) -> Bool {
        var descriptors = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
        // Unsafe: poll writes to this one element during the call only. EINTR ends the wait early, which is harmless.
        guard unsafe poll(&descriptors, 1, milliseconds) > 0 else { return false }
        var bytes: (UInt64, UInt64) = (0, 0)
        // Unsafe: reads at most 16 bytes into 16. Emptied before the flag is cleared: a ring in between finds the flag
        // set and is covered by the look at the rings that follows this wait.
        _ = unsafe read(readEnd, &bytes, 16)
        _ = isRung.exchange(false, ordering: .acquiringAndReleasing)
        return true
    }
}
