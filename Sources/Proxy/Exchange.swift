import Audit
import Authentication
import Gate
import Identity
import NIOCore
import RateLimit
import Upstream
import Wire

/// What the shell remembers of one request for its answer and its audit record.
///
/// One value per connection, used again for each request, so that its arrays keep their storage.
struct Exchange: ~Copyable {
    /// Goes up with every request, to tell a late proof from one for the present request.
    private(set) var number: UInt64 = 0
    /// Whether a request is under way whose record is still to be written.
    private(set) var isOpen = false
    private(set) var decision: DecisionID
    /// The plan of the request's route, while `isRouted`: else that of an earlier request's, because the next one has most likely the
    /// same, and what stays costs nothing.
    private var held: RoutePlan
    private var isRouted = false
    /// Whether the client belongs to the share of the plan's canary.
    private var isCanary = false
    /// The stable hash of the client.
    private(set) var affinity: UInt64 = 0
    /// The endpoint that has, or had last, the request.
    private(set) var endpoint: Int?
    /// When the exchange must be over, in monotonic nanoseconds.
    private(set) var totalDeadline = Int64.max
    /// Whether a copy went to the route's mirror.
    var isMirrored = false
    /// Whether it is a call of gRPC, whose refusal speaks its terms.
    var isGRPC = false
    private(set) var limit: LimitVerdict?
    private(set) var isHEAD = false
    private(set) var isOldClient = false
    /// The stream that the exchange has become; its opening is on record, its end is not.
    private(set) var stream: StreamKind?
    /// What is known of room for the record.
    enum Room {
        /// Nothing: a whole head never came.
        case unknown
        /// It is kept since the request was let in.
        case kept
        /// The request is refused for want of it.
        case denied
    }
    var room = Room.unknown
    var bytesOut = 0

    @inline(__always)
    var plan: RoutePlan? { isRouted ? held : nil }
    /// Where the client's requests go.
    @inline(__always)
    private var destination: RoutePlan.Destination? { isAdmitted ? isCanary ? held.canary : held.primary : nil }
    /// The upstream that was chosen for the client.
    @inline(__always)
    var target: UpstreamTarget? { destination?.target }
    @inline(__always)
    var timeouts: RoutePlan.Timeouts? { destination?.timeouts }
    /// Whether the gate has let the request in.
    private var isAdmitted = false

    private var verb = Method.other
    /// Method, path and authority as they were sent, one after the other, and the address of the client for whom a trusted
    /// proxy speaks.
    private var words = ByteBuffer()
    private var methodCount = 0
    private var pathCount = 0
    private var authorityCount = 0
    private var wordCount: Int { methodCount + pathCount + authorityCount }
    /// The configuration under which the request was admitted, or a review of its stream was last.
    private(set) var generation: UInt64 = 0
    private var began = Now(monotonic: 0, unixNanoseconds: 0)
    private(set) var admission: Admission?
    /// What a review of the exchange's stream looks at again.
    private var credentials: CredentialKey?
    private var entry: PolicyEntry?
    private var attempts = 0

    init(_ worker: Worker) {
        decision = worker.ids.next()
        held = worker.unrouted
    }

    /// A whole head is there.
    mutating func begin(
        _ head: borrowing RequestHead, in bytes: borrowing ByteBuffer, from peer: PeerAddress, worker: Worker,
        _ now: Now
    ) {
        open(now)
        isHEAD = head.isHEAD
        isOldClient = head.minorVersion == 0
        let raw = bytes.readableBytesUInt8Span
        methodCount = head.methodRange.count
        pathCount = head.path.count
        authorityCount = head.authority.count
        let words = bytes.readableBytesSpan
        self.words.append(reserving: methodCount + pathCount + head.authority.count) { out in
            out.append(words.extracting(head.methodRange.range))
            out.append(words.extracting(head.path.range))
            out.append(words.extracting(head.authority.range))
        }
        if let client = worker.gatekeeper.clientBehind(peer, head, in: bytes) {
            client.withText { text in self.words.append(reserving: text.count) { $0.append(text) } }
        }
        verb = head.method
        if let index = head.requestID,
            let adopted = DecisionID(adopting: raw.extracting(head.fields[index].value.range))
        {
            decision = adopted
        } else {
            decision = worker.ids.next()
        }
    }

    /// The head never became whole or valid; `isHEAD` tells of its method, where that was readable.
    mutating func beginMalformed(isHEAD: Bool, worker: Worker, _ now: Now) {
        open(now)
        self.isHEAD = isHEAD
        isOldClient = false
        decision = worker.ids.next()
    }

    private mutating func open(_ now: Now) {
        number &+= 1
        isOpen = true
        began = now
        bytesOut = 0
        limit = nil
        isRouted = false
        isAdmitted = false
        isCanary = false
        totalDeadline = .max
        isMirrored = false
        isGRPC = false
        attempts = 0
        admission = nil
        credentials = nil
        entry = nil
        endpoint = nil
        stream = nil
        room = .unknown
        verb = .other
        words.clear()
        methodCount = 0
        pathCount = 0
        authorityCount = 0
    }

    /// The gate has let the request in; `keep` follows once its head is rendered.
    mutating func admit(_ admitted: borrowing Admitted, worker: Worker) {
        hold(admitted.routeIndex, worker)
        limit = admitted.limit
        entry = admitted.entry
        generation = worker.gatekeeper.generation
        affinity = admitted.affinity
        isAdmitted = isRouted
        isCanary = isRouted && held.isCanary(affinity)
        if isCanary { held.metrics.canary.add() }
        totalDeadline = timeouts?.total.map { began.monotonic + $0 } ?? .max
    }

    /// Takes over who was let in.
    mutating func keep(_ admitted: consuming Admitted) {
        admission = admitted.admission
        credentials = admitted.credentials
    }

    private mutating func hold(_ index: Int, _ worker: Worker) {
        isRouted = index < worker.plans.count
        guard isRouted, held.index != index || held.configuration != worker.configuration else { return }
        held = worker.plans[index]
    }

    mutating func refuse(_ refused: Refused, worker: Worker) {
        if case .auditUnavailable = refused.refusal { worker.metrics.auditRefusals.add() }
        if let index = refused.routeIndex { hold(index, worker) }
        if let known = refused.admission { admission = known }
        if let known = refused.limit { limit = known }
        if let known = refused.entry { entry = known }
    }

    mutating func upstream(_ connection: UpstreamConnection) {
        endpoint = connection.endpoint
        attempts += 1
    }

    /// What the gateway adds to the answer.
    func fields(_ worker: Worker) -> AnswerFields {
        AnswerFields(decision: decision, limit: limit, lines: worker.answerLines)
    }

    /// Asks the gate whether the request would still be admitted, and takes over what holds from now on.
    mutating func review(
        upgrade: UpgradeProtocol?, peer: inout Peer, worker: Worker, _ now: Now
    ) -> Gatekeeper.Review {
        guard let route = plan?.route else { return .revoked }
        let words = words
        let spoken = words.readableBytesUInt8Span
        let review = worker.gatekeeper.review(
            verb, methodBytes: spoken.extracting(first: methodCount),
            path: spoken.extracting(methodCount..<methodCount + pathCount),
            host: spoken.extracting(methodCount + pathCount..<wordCount), on: route, switchingTo: upgrade,
            admission: admission, credentials: credentials, peer: &peer, now: now)
        generation = worker.gatekeeper.generation
        if case .admitted(let renewed) = review { admission = renewed }
        return review
    }

    /// The request is over: no second record is owed for it.
    mutating func end(_ worker: Worker) {
        isOpen = false
        if !isRouted { held = worker.unrouted }
    }

    /// Writes the audit record and counts the request.
    ///
    /// Not inlined: where the exchange is borrowed as a whole, what it refers to is not counted once more for each use.
    @inline(never)
    func finish(
        _ outcome: Outcome, reason: StaticString, status: Int, bytesIn: Int, peer: AuditText, worker: Worker,
        _ now: Now
    ) {
        count(outcome, status: status, now)
        record(
            outcome, reason: reason, phase: nil, status: status, bytesIn: bytesIn, peer: peer, worker: worker, now)
    }

    /// Writes the first of a stream's two records, and counts the request: its duration is that to here.
    mutating func open(
        _ kind: StreamKind, status: Int, bytesIn: Int, peer: AuditText, worker: Worker, _ now: Now
    ) {
        stream = kind
        worker.metrics.streams.opened(kind).add()
        count(.admitted, status: status, now)
        record(
            .admitted, reason: "", phase: .open, status: status, bytesIn: bytesIn, peer: peer, worker: worker, now)
    }

    /// Writes the second.
    mutating func close(
        _ kind: StreamKind, _ end: StreamEnd, status: Int, bytesIn: Int, peer: AuditText, worker: Worker, _ now: Now
    ) {
        isOpen = false
        stream = nil
        worker.metrics.streams.closed(kind, end).add()
        record(
            end.outcome, reason: end.label, phase: .close, status: status, bytesIn: bytesIn, peer: peer,
            worker: worker, now)
    }

    private func count(_ outcome: Outcome, status: Int, _ now: Now) {
        let micros = (now.monotonic - began.monotonic) / 1000
        held.metrics.record(outcome, status: status, micros: micros)
    }

    private func record(
        _ outcome: Outcome, reason: StaticString, phase: AuditPhase?, status: Int, bytesIn: Int, peer: AuditText,
        worker: Worker, _ now: Now
    ) {
        switch room {
        case .unknown where !worker.mayRecordRefusal:
            worker.ring?.lose()
            return
        case .denied where !worker.mayRecordRefusal:
            worker.ring?.refuse()
            return
        case .kept, .unknown, .denied: break
        }
        let spoken = words.readableBytesUInt8Span
        worker.ring?.append(
            // The end of a stream may be days after the decision, and is looked for where it happened.
            unixNanoseconds: phase == .close ? now.unixNanoseconds : began.unixNanoseconds,
            decision: decision,
            route: held.auditName,
            method: spoken.extracting(first: methodCount),
            path: spoken.extracting(methodCount..<methodCount + pathCount),
            status: status,
            outcome: outcome,
            reason: reason,
            phase: phase,
            identity: admission?.auditMembers ?? .none,
            policyEntry: entry.map { worker.entryText($0) } ?? .none,
            peer: peer,
            forwardedFor: spoken.extracting(droppingFirst: wordCount),
            upstream: destination?.target.names(endpoint) ?? .none,
            choice: UpstreamChoice(
                isCanary: isCanary, attempts: attempts,
                mirror: isMirrored ? held.mirror?.auditName ?? .none : .none),
            bytesIn: Int64(bytesIn),
            bytesOut: Int64(bytesOut),
            durationMicros: (now.monotonic - began.monotonic) / 1000)
    }
}
