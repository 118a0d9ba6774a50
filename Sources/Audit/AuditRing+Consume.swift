import Synchronization

extension AuditRing {
    /// End of everything published so far; for a consumer that wants to know when it has seen all of it.
    var publishedPosition: UInt64 {
        // Acquiring: pairs with the producer's releasing store; the records before it are readable.
        tail.load(ordering: .acquiring)
    }

    /// End of everything consumed so far.
    var consumedPosition: UInt64 {
        // Acquiring, because a flush asks from another thread and then relies on the file holding those records.
        head.load(ordering: .acquiring)
    }

    /// Hands the oldest records to `body`, one by one in order, until it returns false or none is left.
    ///
    /// For the writer only. A record for which `body` returned false stays. The room of the others is given back to the
    /// producer before this returns. Returns the number of records taken.
    @discardableResult
    func consume(_ body: (Span<UInt8>) -> Bool) -> Int {
        // Relaxed: this thread is the only one that writes the head.
        var position = head.load(ordering: .relaxed)
        let end = publishedPosition
        // Relaxed: what the acquired tail was published after is visible; if head and tail differ it cannot move now.
        let base = base.load(ordering: .relaxed)
        var count = 0
        while position != end {
            let offset = Int(truncatingIfNeeded: (position &- base) & UInt64(capacity - 1))
            // Unsafe: position is between head and tail, where a whole header was published.
            let header = unsafe (memory + offset).load(as: UInt64.self)
            if header == AuditRing.wrapMark {
                position &+= UInt64(capacity - offset)
                continue
            }
            let length = Int(truncatingIfNeeded: header)
            // Unsafe: the producer published these bytes with the header, and does not touch them until the head has
            // passed them; the buffer does not outlive this turn of the loop.
            let record = unsafe UnsafeBufferPointer(
                start: (memory + offset + AuditRing.headerBytes).assumingMemoryBound(to: UInt8.self), count: length)
            guard unsafe body(record.span) else { break }
            position &+= UInt64((AuditRing.headerBytes + length + 7) & ~7)
            count += 1
        }
        // Releasing: our reads of these bytes are over before the producer may overwrite them.
        head.store(position, ordering: .releasing)
        return count
    }
}
