import NIOCore

/// Where what was received waits, and whose buffer that is.
///
/// A receive buffer is 64 KiB and a loop's: it is moved here and back, because each share of it would be counted, and what has to wait
/// for long moves out of it, because each slow peer would hold a whole one.
extension ExchangeMachine {
    enum BufferOwner {
        /// The exchange: empty, or a receive buffer that stays, being so full that to copy what is in it would cost more.
        case exchange
        /// The exchange; made because what is in it has to wait, and used again.
        case copy
        /// Whoever called `received`, to whom it is given back.
        case lender
    }

    // MARK: The client's side

    /// What the client sent has to wait: it moves out of a buffer that is much larger.
    mutating func keepInbound() {
        guard Self.isWasteful(inbound) else { return }
        var buffer = ByteBuffer()
        swap(&buffer, &spare)
        buffer.clear()
        buffer.writeBytes(inbound.readableBytesSpan)
        swap(&inbound, &buffer)
        if case .lender = inboundOwner { lent = consume buffer }
        inboundOwner = .copy
    }

    /// Gives back the buffer that `received` was lent, for what is read next.
    mutating func giveBack(_ bytes: inout ByteBuffer) {
        if case .lender = inboundOwner {
            if inbound.readableBytes == 0 { swap(&inbound, &bytes) } else { keepInbound() }
            if case .lender = inboundOwner { inboundOwner = .exchange }
        }
        if let buffer = lent.take() { bytes = buffer }
    }

    /// Lets go of a drained buffer of our own, or keeps a copy's for the next one. What was lent waits to be given back.
    mutating func releaseIfEmpty() {
        guard inbound.readableBytes == 0, inbound.storageCapacity > 0 else { return }
        switch inboundOwner {
        case .lender: return
        case .exchange: inbound = ByteBuffer()
        case .copy:
            var drained = ByteBuffer()
            swap(&drained, &inbound)
            // As it is: to clear what a slice of the body still refers to would be to allocate another.
            if drained.storageCapacity <= Self.maximumSpare { spare = drained }
        }
        inboundOwner = .exchange
    }

    /// Nothing of what the client sent is looked at any more.
    mutating func dropInbound() {
        inbound.moveReaderIndex(forwardBy: inbound.readableBytes)
        releaseIfEmpty()
    }

    // MARK: The upstream's side

    /// What the upstream sent has to wait: it moves out of a buffer that is much larger.
    mutating func keepAnswer(_ bytes: inout ByteBuffer, isLent: Bool) {
        guard Self.isWasteful(answer) else { return }
        var buffer = ByteBufferAllocator().buffer(capacity: answer.readableBytes)
        buffer.writeBytes(answer.readableBytesSpan)
        swap(&answer, &buffer)
        if isLent { bytes = consume buffer }
    }

    /// What is drained is given back, or let go of when it is our own: a stream of events may last for days.
    mutating func giveBackAnswer(_ bytes: inout ByteBuffer, isLent: Bool) {
        guard answer.readableBytes == 0 else { return }
        if isLent {
            swap(&answer, &bytes)
        } else if answer.storageCapacity > 0 {
            answer = ByteBuffer()
        }
    }

    /// Whether a buffer is much larger than what waits in it.
    private static func isWasteful(_ buffer: ByteBuffer) -> Bool {
        let count = buffer.readableBytes
        return count > 0 && buffer.storageCapacity > 2 * count + 4096
    }
}
