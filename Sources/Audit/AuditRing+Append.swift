package import Identity
import Synchronization

/// How the endpoint that a record names came to be chosen.
package struct UpstreamChoice: Sendable {
    /// Whether the client belongs to the share that a canary takes.
    package var isCanary: Bool
    /// How often the request was sent; written where it was more than once.
    package var attempts: Int
    /// The upstream that got a copy.
    package var mirror: AuditText

    package init(isCanary: Bool = false, attempts: Int = 1, mirror: AuditText = .none) {
        self.isCanary = isCanary
        self.attempts = attempts
        self.mirror = mirror
    }
}

extension AuditRing {
    /// Bounds of the fields a peer controls, in bytes after escaping.
    enum Bound {
        static let decision = DecisionID.maximumCount
        static let method = 64
        static let path = 2_048
        static let address = 64
        static let reason = 512
        /// Member names, punctuation, time, numbers, and the marks of truncated fields.
        static let fixed = 576
    }

    /// Renders one record into the ring. Returns false when there was no room and the record was counted as dropped.
    ///
    /// For the ring's own event loop only. Costs no allocation; about 200 ns. The members come in the order of the
    /// parameters; an empty method, path, reason or route is `null`; an empty `policyEntry`, `upstream` or
    /// `forwardedFor` is left out, and so is what `choice` says nothing of.
    ///
    /// - Parameters:
    ///   - unixNanoseconds: when the decision fell, or a stream ended; rendered with milliseconds.
    ///   - path: as received or normalised; anything from the first `?` or `#` on is left out, more than 2 KiB is cut
    ///     and ends in U+2026.
    ///   - choice: how the upstream came to be chosen.
    ///   - status: what the client was answered; 0 when nothing was answered.
    ///   - phase: of a stream, which has a record at its beginning and one at its end; nil is left out.
    ///   - forwardedFor: the client's address where the peer is a proxy that may speak for it.
    ///   - bytesIn: body and head bytes received from the client.
    ///   - bytesOut: bytes sent to the client.
    @discardableResult
    package func append(
        unixNanoseconds: Int64,
        decision: DecisionID,
        route: AuditText,
        method: Span<UInt8>,
        path: Span<UInt8>,
        status: Int,
        outcome: Outcome,
        reason: StaticString,
        phase: AuditPhase? = nil,
        identity: IdentityFragment,
        policyEntry: AuditText,
        peer: AuditText,
        forwardedFor: Span<UInt8> = Span(),
        upstream: UpstreamFragment,
        choice: UpstreamChoice = UpstreamChoice(),
        bytesIn: Int64,
        bytesOut: Int64,
        durationMicros: Int64
    ) -> Bool {
        var bound = Bound.fixed + Bound.decision + min(method.count * 6, Bound.method)
        bound +=
            min(path.count * 6, Bound.path)
            + (reason.hasPointerRepresentation ? min(reason.utf8CodeUnitCount * 6, Bound.reason) : 4)
        bound += route.escaped.count + identity.count + policyEntry.escaped.count
        bound += peer.escaped.count + min(forwardedFor.count * 6, Bound.address) + upstream.members.count
        bound += choice.mirror.escaped.count
        return appendRecord(bound: bound) { line in
            appendTime(unixNanoseconds, to: &line)
            line.append("\",\"decision\":\"")
            // A decision id holds only letters, digits and marks that JSON does not escape.
            decision.withSpan { line.append(escaped: $0) }
            if !route.isEmpty {
                line.append("\",\"route\":\"")
                line.append(escaped: route.escaped)
                line.append("\",\"method\":")
            } else {
                line.append("\",\"route\":null,\"method\":")
            }
            line.appendString(method, limit: Bound.method)
            line.append(",\"path\":")
            line.appendString(path.extracting(first: AuditRing.pathLength(path)), limit: Bound.path)
            line.append(",\"status\":")
            line.appendDecimal(Int64(status))
            line.append(",\"outcome\":\"")
            line.append(outcome.label)
            line.append("\",\"reason\":")
            line.appendString(reason, limit: Bound.reason)
            if let phase {
                line.append(",\"phase\":\"")
                line.append(phase.label)
                line.append(UInt8(ascii: "\""))
            }
            line.append(UInt8(ascii: ","))
            identity.withBytes { line.append(escaped: $0) }
            if !policyEntry.isEmpty {
                line.append(",\"policyEntry\":\"")
                line.append(escaped: policyEntry.escaped)
                line.append("\"")
            }
            line.append(",\"peer\":\"")
            line.append(escaped: peer.escaped)
            line.append("\"")
            if !forwardedFor.isEmpty {
                line.append(",\"forwardedFor\":")
                line.appendString(forwardedFor, limit: Bound.address)
            }
            line.append(escaped: upstream.members)
            appendChoice(choice, to: &line)
            line.append(",\"bytesIn\":")
            line.appendDecimal(bytesIn)
            line.append(",\"bytesOut\":")
            line.appendDecimal(bytesOut)
            line.append(",\"durationMicros\":")
            line.appendDecimal(durationMicros)
        }
    }

    private func appendChoice(_ choice: UpstreamChoice, to line: inout AuditLine) {
        if choice.isCanary { line.append(",\"canary\":true") }
        if choice.attempts > 1 {
            line.append(",\"attempts\":")
            line.appendDecimal(Int64(choice.attempts))
        }
        if !choice.mirror.isEmpty {
            line.append(",\"mirror\":\"")
            line.append(escaped: choice.mirror.escaped)
            line.append("\"")
        }
    }

    /// Claims contiguous room, renders, publishes. `bound` is an upper estimate: a line that outgrows it is dropped.
    @inline(__always)
    func appendRecord(bound: Int, _ render: (inout AuditLine) -> Void) -> Bool {
        // Relaxed: this thread is the only one that writes the tail.
        let start = tail.load(ordering: .relaxed)
        // Acquiring: pairs with the releasing store in `consume`; the consumer has read what we are about to overwrite.
        let consumed = head.load(ordering: .acquiring)
        let need = AuditRing.headerBytes + min(bound, AuditRing.maximumRecordBytes)
        // Relaxed: this thread is the only one that writes the base.
        var offset = Int(truncatingIfNeeded: (start &- base.load(ordering: .relaxed)) & UInt64(capacity - 1))
        var skipped = 0
        if start == consumed, offset >= warmBytes {
            // Relaxed: the consumer does not look before it has acquired a tail beyond this position.
            base.store(start, ordering: .relaxed)
            offset = 0
        } else if need > capacity - offset {
            skipped = capacity - offset
            offset = 0
        }
        let used = Int(truncatingIfNeeded: start &- consumed)
        guard used + skipped + need <= capacity else { return drop() }

        // Unsafe: offset + need <= capacity by the choice above and the guard, and the consumer does not read beyond
        // the tail that is published below.
        let room = unsafe UnsafeMutableBufferPointer(
            start: (memory + offset + AuditRing.headerBytes).assumingMemoryBound(to: UInt8.self),
            count: need - AuditRing.headerBytes)
        var line = unsafe AuditLine(room)
        render(&line)
        guard !line.isOverflowed else { return drop() }
        if skipped > 0 {
            // Unsafe: records end at multiples of 8, so that 8 bytes are left before the end.
            unsafe (memory + (capacity - skipped)).storeBytes(of: AuditRing.wrapMark, as: UInt64.self)
        }
        // Unsafe: the header lies inside the claimed room and is aligned to 8.
        unsafe (memory + offset).storeBytes(of: UInt64(line.count), as: UInt64.self)
        let size = (AuditRing.headerBytes + line.count + 7) & ~7
        // Releasing: the line and its header are in memory before the consumer sees the new tail.
        tail.store(start &+ UInt64(skipped + size), ordering: .releasing)
        if used + skipped + size > capacity / 2 { bell?.ring() }
        return true
    }

    /// Counts a record that is not written because its room is kept for others. For the ring's own event loop only.
    package func lose() { _ = drop() }

    /// Counts a request that was refused for want of room and is left without a record: nothing that was let in is missing
    /// from the trail, which says how many there were. For the ring's own event loop only.
    package func refuse() {
        // Relaxed: one writer, and only a count.
        refusedCount.store(refusedCount.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
    }

    private func drop() -> Bool {
        // Relaxed: one writer, and only a count. A load and a store cost less than a locked addition.
        droppedCount.store(droppedCount.load(ordering: .relaxed) &+ 1, ordering: .relaxed)
        bell?.ring()
        return false
    }

    private func appendTime(_ unixNanoseconds: Int64, to line: inout AuditLine) {
        let (second, milliseconds) = AuditTime.split(unixNanoseconds)
        if second != state.second {
            rememberSecond(second)
        }
        line.append("{\"time\":\"")
        line.append(escaped: state.prefix.span)
        line.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: milliseconds / 100 % 10))
        line.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: milliseconds / 10 % 10))
        line.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: milliseconds % 10))
        line.append(UInt8(ascii: "Z"))
    }

    /// Once a second; the only allocation of the ring, and not one that a request pays for.
    @inline(never)
    private func rememberSecond(_ second: Int64) {
        let text = AuditTime.renderSecond(second)
        for (index, byte) in zip(state.prefix.indices, text) { state.prefix[index] = byte }
        state.second = second
    }

    /// Bytes before a query or fragment: values a client sends there may be secrets.
    private static func pathLength(_ path: Span<UInt8>) -> Int {
        for index in path.indices where path[index] == UInt8(ascii: "?") || path[index] == UInt8(ascii: "#") {
            return index
        }
        return path.count
    }
}

/// Which of the two records of a stream a record is; both bear the same decision.
package enum AuditPhase: Sendable {
    case open, close

    var label: StaticString {
        switch self {
        case .open: "open"
        case .close: "close"
        }
    }
}
