import CTLS
import Synchronization

/// The keys of session tickets, shared by all loops and by every server context of the process.
///
/// Resumption is stateless (RFC 5077, RFC 8446 §4.6.1): the client keeps its session, sealed with the newest of three
/// random keys. A handshake takes a read lock for a copy of one key; `rotate` takes the write lock once an hour. A key
/// is forgotten after three hours, and a ticket is good for two: what was recorded before that cannot be opened by
/// whoever gets hold of the process later.
@safe
package final class TLSTicketKeys: Sendable {
    /// Nanoseconds between two keys.
    private static let period: Int64 = 3_600_000_000_000

    // Unsafe to use after `deinit` only; contexts keep this object. C guards what it points to with a lock.
    nonisolated(unsafe) let raw: OpaquePointer
    private let due: Atomic<Int64>

    /// Draws the first key. `now` in monotonic nanoseconds. Fails when the system has no randomness or no memory.
    package init(now: Int64) throws(TLSError) {
        guard let raw = unsafe tollgate_tls_tickets_new() else {
            throw .library(reason: "no key for session tickets could be drawn")
        }
        unsafe self.raw = raw
        due = Atomic(now + Self.period)
    }

    deinit {
        unsafe tollgate_tls_tickets_free(raw)
    }

    /// Draws a new key when the last one is an hour old. To be called by one thread now and then.
    package func rotate(now: Int64) {
        // Relaxed: only the caller's own thread reads what it wrote, and the keys have their lock.
        guard now >= due.load(ordering: .relaxed) else { return }
        due.store(now + Self.period, ordering: .relaxed)
        _ = unsafe tollgate_tls_tickets_rotate(raw)
    }
}
