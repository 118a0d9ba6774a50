import Gate
import Identity
import Reactor
import Upstream
import Wire

/// Back-pressure, and the one deadline of a connection.
extension ClientHandler {
    private static let second: Int64 = 1_000_000_000

    /// Whether the client has yet to take some of what it was sent. Who closes before drops what the kernel holds as soon as the
    /// client says anything.
    private var isUntaken: Bool { stream.map { $0.delivery.untaken > 0 } ?? false }

    /// An idle connection whose client still takes what it was sent has the time for that first.
    func awaitReading(_ now: Int64) {
        isUnread = true
        settle(now)
    }

    func settle(_ now: Int64) {
        let wants = machine.wantsClientBytes && (!machine.passesClientBytes || upstream?.isWritable ?? true)
        if wants != isReading { setReading(wants) }
        guard !hasRested(now) else { return }
        setDeadline(now)
    }

    private func setReading(_ reads: Bool) {
        isReading = reads
        stream?.setReading(reads)
    }

    func setUpstreamReading(_ reads: Bool) {
        guard let upstream, reads != isUpstreamReading else { return }
        isUpstreamReading = reads
        upstream.setReading(reads)
    }

    func setDeadline(_ now: Int64) {
        let waiting = machine.waiting
        let isAnew = awaited != (waiting, exchange.number)
        defer { awaited = (waiting, exchange.number) }
        switch waiting {
        case .restOfHead, .clientToRead, .endOfTunnel, .peerToClose:
            // These have one deadline from their beginning on: nothing that drips in puts it off.
            if !isAnew, deadline != .max { return }
        case .request, .requestBody, .answer, .events, .tunnel, .verdict, .upstream, .nothing:
            break
        }
        isUnread = waiting == .request && (isUnread || stream?.isBacklogged == true)
        var expires = Int64.max
        let wait: Int64?
        switch waiting {
        case .request:
            wait =
                isUnread
                ? min(Self.second, patienceForReading(now))
                : worker.isDraining ? worker.lastCall : worker.rules.idleTimeout
        case .restOfHead: wait = worker.rules.headTimeout
        case .requestBody: wait = patienceForBody(now)
        case .clientToRead: wait = patienceForReading(now)
        case .endOfTunnel: wait = worker.rules.bodyTimeout
        case .answer:
            wait =
                isWaitingForUpstream
                ? nil
                : !isUpstreamReading
                    ? patienceForReading(now)
                    : machine.hasAnswerBegun
                        ? exchange.timeouts?.idle
                        // For the whole head: one that drips in puts nothing off.
                        : isAnew || patience == .max ? exchange.timeouts?.firstByte : patience - now
        case .events:
            wait = isUpstreamReading ? worker.rules.streamIdleTimeout : patienceForReading(now)
            expires = expiry
        case .tunnel:
            wait = worker.rules.streamIdleTimeout
            expires = expiry
        case .peerToClose:
            wait = 2 * Self.second
        case .verdict, .upstream, .nothing: wait = nil
        }
        patience = wait.map { now + $0 } ?? .max
        deadline = min(patience, expires)
        // No progress moves the end of the whole.
        if machine.isForwarding { deadline = min(deadline, exchange.totalDeadline) }
        worker.noteDeadline(self)
    }

    /// The monotonic time at which the caller's admission is over, as the wall clock stands now; `Int64.max` for never.
    var expiry: Int64 {
        guard let expires = exchange.admission?.expires else { return .max }
        let now = worker.now()
        let (nanoseconds, overflow) = expires.multipliedReportingOverflow(by: 1_000_000_000)
        guard !overflow, nanoseconds > now.unixNanoseconds else { return overflow ? .max : now.monotonic }
        let (time, isFar) = now.monotonic.addingReportingOverflow(nanoseconds - now.unixNanoseconds)
        return isFar ? .max : time
    }

    func deadlinePassed(now: Int64) {
        let time = worker.now()
        deadline = .max
        if machine.isForwarding, exchange.totalDeadline <= now {
            guard exchange.stream == nil else { return endStream(.timedOut, time) }
            // Who has been waited for is who is told of it.
            let isClientSlow = !machine.isRequestDone && upstream?.isWritable == true
            timeOut(isClientSlow ? .bodyTimeout : .upstream(.responseTimeout), time)
            return settle(time.monotonic)
        }
        switch machine.waiting {
        case .request:
            let wasUnread = isUnread
            isUnread = isUntaken
            guard isUnread ? patienceForReading(now) > 0 : wasUnread else { return close() }
        case .peerToClose:
            guard isUntaken, patienceForReading(now) > 0 else { return close() }
        case .clientToRead:
            guard patienceForReading(now) <= 0 else { break }
            abort(.clientGone, reason: pace.isSlow ? "answer-too-slow" : "timeout", time)
        case .restOfHead:
            refuse(Refused(.headTimeout), time)
        case .requestBody where !machine.isExchanging:
            // The body of a request that was refused: its record is written.
            guard patienceForBody(now) > 0 else { return close() }
        case .requestBody:
            guard !isWaitingForUpstream else { break }
            guard upstream?.isWritable ?? true else {
                timeOut(.upstream(.responseTimeout), time)
                break
            }
            guard patienceForBody(now) <= 0 else { break }
            guard !machine.hasAnswerBegun else {
                abort(.clientGone, reason: pace.isSlow ? "body-too-slow" : "body-timeout", time)
                break
            }
            refuse(Refused(pace.isSlow ? .bodyTooSlow : .bodyTimeout, limit: exchange.limit), time)
        case .answer where !isUpstreamReading && machine.hasAnswerBegun:
            guard patienceForReading(now) <= 0 else { break }
            abort(.clientGone, reason: pace.isSlow ? "answer-too-slow" : "timeout", time)
        case .answer:
            timeOut(.upstream(.responseTimeout), time)
        case .tunnel, .events:
            let isStalled = machine.tunnel == nil && !isUpstreamReading
            // The patience is that of the last byte; a review is none.
            guard now >= patience else { return review(time) }
            guard isStalled, patienceForReading(now) > 0 else {
                return endStream(isStalled ? .clientStalled : .idle, time)
            }
        case .endOfTunnel:
            return giveUpTunnel(time)
        case .verdict, .upstream, .nothing:
            break
        }
        settle(time.monotonic)
    }

    private func timeOut(_ refusal: Refusal, _ now: Now) {
        if machine.hasAnswerBegun {
            abort(isUpstreamReading ? .upstreamError : .clientGone, reason: "timeout", now)
        } else {
            refuse(Refused(refusal, limit: exchange.limit), now)
        }
    }
}
