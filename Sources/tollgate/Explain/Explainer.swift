import Authentication
import Gate
import Identity
import NIOCore
import Policy
import Proxy
import RateLimit
import Routing
import Upstream
import Wire

/// Runs the real gatekeeper over one request and tells what each step found. Spends nothing, forwards nothing.
struct Explainer {
    let publication: Publication
    let peer: PeerAddress
    let now: Now

    /// - Parameter request: the head as it would come over the wire.
    func explain(_ request: ByteBuffer) -> Explanation {
        var explanation = Explanation()
        var parser = RequestParser(limits: publication.snapshot.connection.head)
        switch parser.parse(request) {
        case .incomplete:
            explanation.steps.append(ExplanationStep(name: "parse", passed: false, summary: "The head has no end."))
            return explanation
        case .malformed(let reason):
            explanation.steps.append(
                ExplanationStep(name: "parse", passed: false, summary: "This is not one HTTP/1.1 request."))
            explanation.refuse(.malformed(reason))
            return explanation
        case .complete:
            break
        }
        explanation.steps.append(parsed(parser.head, in: request))

        let gatekeeper = makeGatekeeper()
        var client = Peer(address: peer)
        var proof: String?
        var verdict = gatekeeper.decide(parser.head, in: request, peer: &client, now: now)
        if case .verify(let pending) = verdict {
            let outcome = pending.run(now: now.monotonic)
            switch outcome {
            case .proven: proof = "A signature or a secret was verified; the running gateway remembers that."
            case .failed, .throttled: proof = nil
            }
            verdict = gatekeeper.decide(parser.head, in: request, peer: &client, now: now, attempted: outcome)
        }
        switch verdict {
        case .admitted(let admitted):
            describe(
                &explanation, gatekeeper, parser.head, routeIndex: admitted.routeIndex, admission: admitted.admission,
                resource: resource(of: admitted.routeIndex, gatekeeper, parser.head, in: request), proof: proof,
                limit: admitted.limit, entry: admitted.entry, refusal: nil)
            explanation.forwarded = forwarded(admitted, gatekeeper, parser.head, in: request)
        case .refused(let refused):
            describe(
                &explanation, gatekeeper, parser.head, routeIndex: refused.routeIndex, admission: refused.admission,
                resource: resource(of: refused.routeIndex, gatekeeper, parser.head, in: request), proof: proof,
                limit: refused.limit, entry: refused.entry, refusal: refused.refusal)
            explanation.refuse(refused.refusal)
        case .verify:
            explanation.steps.append(
                ExplanationStep(name: "credential", passed: false, summary: "The credential could not be verified."))
        }
        return explanation
    }

    /// What the route's policy is asked about, taken from the path that the gatekeeper normalised.
    private func resource(
        of routeIndex: Int?, _ gatekeeper: Gatekeeper, _ head: borrowing RequestHead, in bytes: ByteBuffer
    ) -> ResourcePath? {
        guard let routeIndex, let policy = publication.snapshot.routes[routeIndex].policy else { return nil }
        let span = bytes.readableBytesUInt8Span
        let match = publication.snapshot.table.match(
            method: head.method, methodBytes: span.extracting(head.methodRange.range),
            host: span.extracting(head.authority.range), path: gatekeeper.path)
        guard case .route(_, let restStart) = match else { return nil }
        var segments: [[UInt8]] = []
        policy.resource.walk(gatekeeper.path, restStart: restStart) { segment in
            segments.append(segment.indices.map { segment[$0] })
        }
        return ResourcePath(type: policy.resource.type, segments: segments)
    }

    private func makeGatekeeper() -> Gatekeeper {
        var random = SystemRandomNumberGenerator()
        let key = CredentialHashKey(random: &random)
        let shared = Gatekeeper.Shared(
            limiter: LimiterTable(maximumCells: 64, shards: 1), admissions: SharedCredentialCache(key: key),
            hashKey: key)
        return Gatekeeper(snapshot: publication.snapshot, generation: 1, shared: shared, spends: false)
    }

    private func parsed(_ head: borrowing RequestHead, in bytes: ByteBuffer) -> ExplanationStep {
        ExplanationStep(
            name: "parse", passed: true, summary: "One well-formed request.",
            facts: [
                ("method", text(head.methodRange, bytes)), ("target", text(head.target, bytes)),
                ("authority", text(head.authority, bytes)), ("fields", String(head.fields.count)),
            ])
    }

    private func text(_ range: ByteRange, _ bytes: ByteBuffer) -> String {
        let start = bytes.readerIndex + Int(range.lower)
        return bytes.getString(at: start, length: Int(range.upper) - Int(range.lower)) ?? ""
    }

    private func forwarded(
        _ admitted: Admitted, _ gatekeeper: Gatekeeper, _ head: borrowing RequestHead, in bytes: ByteBuffer
    ) -> String? {
        let upstream = publication.upstreams.first { $0.name.utf8.elementsEqual(admitted.route.upstream.utf8) }
        guard let upstream else { return nil }
        var random = SystemRandomNumberGenerator()
        var ids = DecisionIDGenerator(random: &random)
        return String(
            buffer: UpstreamPreview.head(
                admitted, head: head, in: bytes, gatekeeper: gatekeeper, peer: peer, upstream: upstream,
                decision: ids.next()))
    }
}

extension Explanation {
    fileprivate mutating func refuse(_ refusal: Refusal) {
        let answer = refusal.answer
        self.refusal = (answer.status, "\(answer.reason)", "\(answer.detail)")
    }
}
