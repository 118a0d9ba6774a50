import CLinux
import Glibc
package import NIOCore

/// Who a stream's bytes and events are for. Every call comes on the reactor's thread.
package protocol StreamHandler: AnyObject {
    /// Bytes arrived. The buffer is lent by the reactor, which fills what stands in its place after the call with what comes next:
    /// who takes it and does not give it back, or keeps a slice of it, costs the reactor a new one.
    func received(_ bytes: inout ByteBuffer)
    /// The peer will send nothing more. The stream can still be written to.
    func ended()
    /// The stream is gone; nothing follows.
    func closed()
    /// `Stream.isWritable` changed.
    func writabilityChanged()
}

/// Bytes both ways, as those above see them who do not care what carries them: a socket, TLS on a socket, or one stream
/// of a connection that carries many.
///
/// Owned by one reactor's thread. A stream speaks to its `StreamHandler`; it never calls it from within `setReading`, and
/// `closed` comes after the call of the handler's that closed it.
package protocol ByteStream: AnyObject {
    /// Whether the stream has not been closed.
    var isOpen: Bool { get }
    /// Whether more can be written without queueing beyond the bound.
    var isWritable: Bool { get }
    /// Whether everything that was written is on its way.
    var isDrained: Bool { get }
    /// Stops or resumes reading. When a connection breaks while it is paused, what the kernel still holds of it comes at
    /// once, before `closed`: at most its receive buffer.
    func setReading(_ reads: Bool)
    /// Sends bytes, and a second run behind them, in as few system calls as the transport can. `writabilityChanged` may
    /// come from within the call.
    func write(_ first: ByteBuffer, _ second: ByteBuffer?)
    /// Says that nothing more will be written, once everything queued is sent. With that the stream closes if the peer
    /// has ended too, or else when it does.
    func finishOutput()
    /// Ends the stream so that the peer cannot take what it has for the whole.
    func reset()
    /// Ends the stream. What is queued is dropped, and then the peer sees a reset.
    func close()
}

/// Bytes on their way to a peer.
package struct Delivery: Equatable {
    /// Those that it has taken since the stream began.
    package var taken: Int
    /// Those that were written and that it has not taken.
    package var untaken: Int

    package init(taken: Int, untaken: Int) {
        self.taken = taken
        self.untaken = untaken
    }
}

/// A stream that knows what its peer takes: whoever waits for a peer to read goes by that.
package protocol MeasuredStream: ByteStream {
    /// Whether bytes wait for which the peer had no room.
    var isBacklogged: Bool { get }
    /// Whether others that share the way are what is waited for as well, so that who carries them all is the judge of the peer.
    var isHeldByCarrier: Bool { get }
    /// Bytes that were written since the stream began.
    var written: Int { get }
    /// As far as the transport knows. A system call: for deadlines.
    var delivery: Delivery { get }
}

extension MeasuredStream {
    package var isHeldByCarrier: Bool { false }
}

/// One connected TCP socket of a reactor.
///
/// Registered once for reading and writing, edge-triggered: it remembers itself what it could still read or write, and
/// pausing, resuming and waiting for room cost no system call.
package final class Stream: MeasuredStream, EventSource {
    /// Bytes that may wait to be sent before the writer is asked to pause, and at which it may go on.
    private static let highWater = 262_144
    private static let lowWater = 65536
    /// Reads in a row before others get their turn: four full ones, passed on, take a fifth of a millisecond.
    private static let maximumReads = 4
    /// Bytes of a write that waits for the end of the round; to copy more would cost more than what waiting gives.
    private static let maximumGathered = 8192

    package let reactor: Reactor
    private var handler: (any StreamHandler)?
    private var descriptor: Int32
    private var slot: Int?

    private var isReadable = false
    private var isReading = true
    private var hasEnded = false
    private var mayHaveEnded = false
    private var isInRead = false
    /// Whether the reactor is going to call again.
    private var isCalledAgain = false
    private var hasFailed = false

    /// What the socket has not taken yet.
    private var waiting = ByteBuffer()
    /// Bytes that it has taken.
    private var sent = 0
    /// What is sent when the round ends, as a range of what the reactor has gathered. Behind it nothing is `waiting`.
    private var gathered = 0..<0
    private var wasWritable = true
    private var endsOutput = false
    private var closesOnceSent = false

    /// Takes a connected descriptor over. `nil` when the kernel cannot watch it; the descriptor is closed then.
    package init?(_ reactor: Reactor, descriptor: Int32, handler: any StreamHandler) {
        self.reactor = reactor
        self.handler = handler
        self.descriptor = descriptor
        let events = Events.input | Events.output | Events.peerEnded | Events.edge
        do {
            slot = try reactor.add(self, descriptor: descriptor, events: events)
        } catch {
            Glibc.close(descriptor)
            self.descriptor = -1
            return nil
        }
    }

    /// Closes a descriptor that nobody could take over.
    package static func discard(_ descriptor: Int32) {
        Glibc.close(descriptor)
    }

    /// Gives everything that still comes to another handler; `received` of the present one may be the caller.
    package func handOver(to handler: any StreamHandler) {
        self.handler = handler
    }

    /// Whether the stream has not been closed.
    package var isOpen: Bool { descriptor >= 0 }

    /// Whether more can be written without queueing beyond the bound.
    package var isWritable: Bool { waiting.readableBytes < Self.highWater }

    private var unsentBytes: Int { gathered.count + waiting.readableBytes }

    /// Whether everything that was written is with the kernel.
    package var isDrained: Bool { unsentBytes == 0 }

    package var isBacklogged: Bool { waiting.readableBytes > 0 }

    package var written: Int { sent &+ unsentBytes }

    /// Taken is what the peer has acknowledged: the kernel takes bytes in leaps of up to megabytes, which say nothing about the
    /// pace of who reads them.
    package var delivery: Delivery {
        guard isOpen else { return Delivery(taken: sent, untaken: 0) }
        let unacknowledged = max(0, Int(tollgate_unacknowledged(descriptor)))
        return Delivery(taken: sent - unacknowledged, untaken: unsentBytes + unacknowledged)
    }

    // MARK: Reading

    /// Stops or resumes reading.
    package func setReading(_ reads: Bool) {
        guard reads != isReading else { return }
        isReading = reads
        // Later, so that nobody is called from within its own call.
        if reads, isReadable, !isInRead { beCalledAgain() }
    }

    /// Once, however often it is asked for: who asked twice would have two turns in each round, and ask twice in each.
    private func beCalledAgain() {
        guard !isCalledAgain else { return }
        isCalledAgain = true
        reactor.callAgain(self)
    }

    func ready(_ events: UInt32) {
        if events == 0 { isCalledAgain = false }
        if events & (Events.input | Events.peerEnded | Events.hangUp | Events.error) != 0 { isReadable = true }
        if events & (Events.peerEnded | Events.hangUp | Events.error) != 0 { mayHaveEnded = true }
        if events & Events.error != 0 { hasFailed = true }
        if events & Events.output != 0, waiting.readableBytes > 0 { flush() }
        // Whoever is going to be called again has its turn then.
        if isReadable, !isCalledAgain, isReading || hasFailed {
            isInRead = true
            var bytes = reactor.lendScratch()
            read(into: &bytes)
            reactor.takeBack(bytes)
            isInRead = false
        }
    }

    private func read(into bytes: inout ByteBuffer) {
        var reads = 0
        // A broken connection is noticed even while reading is paused, and after the peer's end.
        while isReadable, isOpen, hasFailed || isReading && !hasEnded {
            guard reads < Self.maximumReads else { return beCalledAgain() }
            reads += 1
            bytes.clear()
            let descriptor = self.descriptor
            // Unsafe: the call fills at most the bytes it is given, and says how many.
            let result = unsafe bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: Reactor.readSize) { room in
                guard let base = room.baseAddress else { return 0 }
                received = unsafe tollgate_receive(descriptor, base, Reactor.readSize)
                return max(0, received)
            }
            if result > 0 {
                // A short read has emptied the socket (epoll(7)), unless the end of the stream is still to be read.
                if result < Reactor.readSize, !mayHaveEnded { isReadable = false }
                handler?.received(&bytes)
            } else if received == 0, !hasFailed {
                isReadable = false
                hasEnded = true
                handler?.ended()
                if endsOutput, isDrained { close() }
            } else if received == -Int(EAGAIN), !hasFailed {
                isReadable = false
            } else {
                // An end, or nothing, after a failed write is no half-close: the error was told to the writer (socket(7),
                // SO_ERROR).
                isReadable = false
                close()
            }
        }
    }

    /// The result of the last read; a member, because the closure that fills the buffer returns a count only.
    private var received = 0

    // MARK: Writing

    /// Sends bytes, and a second run behind them. Nothing is sent after `finishOutput`, nor to a peer that is gone: `closed`
    /// follows then.
    ///
    /// What is short leaves when the round ends, together with what other connections have to send: the code that reads,
    /// decides and writes does not evict itself between one connection and the next, and a peer is woken once for all
    /// that is for it. What is long leaves at once. What the socket does not take is copied and waits.
    package func write(_ first: ByteBuffer, _ second: ByteBuffer?) {
        guard isOpen, !hasFailed, !endsOutput else { return }
        let count = first.readableBytes + (second?.readableBytes ?? 0)
        guard count > 0 else { return }
        if waiting.readableBytes == 0, gathered.count + count <= Self.maximumGathered,
            let range = reactor.gather(first, second, behind: gathered, for: self)
        {
            gathered = range
            return
        }
        sendGathered()
        guard isOpen, !hasFailed else { return }
        var sent = 0
        if waiting.readableBytes == 0 {
            guard let taken = send(first, second) else { return }
            sent = taken
        }
        guard sent < count else { return }
        enqueue(first.readableBytesSpan.extracting(droppingFirst: min(sent, first.readableBytes)))
        if let second {
            enqueue(second.readableBytesSpan.extracting(droppingFirst: max(0, sent - first.readableBytes)))
        }
        noteWritability()
    }

    /// Sends what was gathered, unless that has happened already.
    func sendGathered() {
        let range = gathered
        guard !range.isEmpty else { return }
        gathered = 0..<0
        guard let sent = taken(reactor.gathered.send(range, on: descriptor)) else { return }
        if sent < range.count {
            reactor.gathered.withBytes(range) { enqueue($0.extracting(droppingFirst: sent)) }
        } else if endsOutput {
            endOutput()
        }
    }

    /// Bytes the socket took; nil when the connection is broken.
    private func send(_ first: ByteBuffer, _ second: ByteBuffer?) -> Int? {
        // Unsafe: the pointers are used during the call only.
        let result = unsafe first.withUnsafeReadableBytes { head in
            guard let second else {
                return unsafe tollgate_send(descriptor, head.baseAddress, head.count, nil, 0)
            }
            return unsafe second.withUnsafeReadableBytes { tail in
                unsafe tollgate_send(descriptor, head.baseAddress, head.count, tail.baseAddress, tail.count)
            }
        }
        return taken(result)
    }

    /// What a call's result says that the socket took; nil when the connection is broken.
    private func taken(_ sent: Int) -> Int? {
        if sent >= 0 {
            self.sent &+= sent
            return sent
        }
        if sent == -Int(EAGAIN) { return 0 }
        // Broken. The reading side learns of it as well and closes; asking for that makes sure.
        hasFailed = true
        isReadable = true
        waiting = ByteBuffer()
        beCalledAgain()
        return nil
    }

    /// Copies, because a few bytes of a large buffer would keep all of it, and buffers already sent would be kept for as
    /// long as the peer never quite catches up.
    private func enqueue(_ bytes: RawSpan) {
        if waiting.readerIndex >= waiting.readableBytes { waiting.discardReadBytes() }
        waiting.writeBytes(bytes)
    }

    private func flush() {
        guard let sent = send(waiting, nil) else { return }
        waiting.moveReaderIndex(forwardBy: sent)
        if waiting.readableBytes == 0 {
            waiting = ByteBuffer()
            if endsOutput { endOutput() }
        }
        noteWritability()
    }

    private func noteWritability() {
        let isWritableNow =
            wasWritable ? waiting.readableBytes < Self.highWater : waiting.readableBytes <= Self.lowWater
        guard isOpen, isWritableNow != wasWritable else { return }
        wasWritable = isWritableNow
        handler?.writabilityChanged()
    }

    // MARK: Ending

    /// Says that nothing more will be written, once everything queued is sent.
    package func finishOutput() {
        guard isOpen, !endsOutput else { return }
        endsOutput = true
        if isDrained { endOutput() }
    }

    /// Closes once everything queued is sent, whether the peer ends its side or not: for who knows that it has nothing more
    /// to say.
    package func closeOnceSent() {
        closesOnceSent = true
        if endsOutput, isDrained { close() } else { finishOutput() }
    }

    private func endOutput() {
        if hasEnded || closesOnceSent { close() } else { tollgate_shutdown_output(descriptor) }
    }

    /// Closes with a reset, so that the peer cannot take what it has for the whole.
    package func reset() {
        sendGathered()
        if isOpen { tollgate_reset_on_close(descriptor) }
        close()
    }

    /// Closes. What is queued is dropped, with a reset, so that the peer cannot take what it has for the whole; the
    /// handler hears of it after the present event.
    package func close() {
        sendGathered()
        guard isOpen else { return }
        if !isDrained || hasFailed { tollgate_reset_on_close(descriptor) }
        if let slot { reactor.remove(slot) }
        slot = nil
        Glibc.close(descriptor)
        descriptor = -1
        waiting = ByteBuffer()
        reactor.afterEvent {
            let handler = self.handler
            self.handler = nil
            handler?.closed()
        }
    }
}
